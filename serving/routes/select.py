"""`POST /v1/select`: which of the texts of one request to label next."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import StreamingResponse

from agent.protocols import Columns
from serving import problem
from serving.roles import lines
from serving.roles.given import columns
from serving.roles.select import Selected, SelectHead, SelectRequest, select
from serving.routes.annotate import TASK
from serving.routes.means import AtThreads, means
from serving.routes.ndjson import MEDIA, LineRoute, described, spooled
from serving.service.desk import AtDesk
from serving.service.guard import needs

EXAMPLE: dict[str, Any] = {
    "task": TASK,
    "k": 1,
    "examples": [{"id": "a", "text": "A warm and funny film."}, {"id": "b", "text": "Not bad, not good, just long."}],
    "strategy": {"kind": "random"},
}
_LINES = (
    '{"task": {"name": "films", "labels": [{"name": "positive"}, {"name": "negative"}]}, "k": 1,'
    ' "strategy": {"kind": "random"}}\n{"id": "a", "text": "A warm and funny film."}\n{"id": "b", "text": "Too long."}'
)

router = APIRouter(prefix="/v1", tags=["roles"], responses=problem.RESPONSES)
stream = APIRouter(prefix="/v1", route_class=LineRoute, responses=problem.RESPONSES)


@stream.post("/select", dependencies=[needs("run")], include_in_schema=False)
async def select_lines(request: Request, desk: AtDesk, threads: AtThreads) -> StreamingResponse:
    """A selection from a stream of texts: they are read to the end, then chosen from."""
    with await spooled(request, desk.settings.body_bytes) as file:

        def read() -> tuple[SelectHead, Columns]:
            numbered = lines.numbered(file)
            head = lines.read_head(numbered, SelectHead)
            return head, columns(lines.examples(numbered, desk.settings.items))

        head, texts = await threads.run(read)
    found = await threads.run(lambda: select(head, texts, means(desk)))
    return StreamingResponse(iter(lines.picks(found)), media_type=MEDIA)


@router.post(
    "/select",
    dependencies=[needs("run")],
    summary="Choose texts to label next",
    openapi_extra=described(
        "Line 1: the request without `examples`. Every other line: one example.",
        _LINES,
        "A line a pick, in the order of choice (`kind` is `pick`), then one of the kind `end`.",
    ),
)
async def select_from(
    request: Annotated[SelectRequest, Body(examples=[EXAMPLE])], desk: AtDesk, threads: AtThreads
) -> Selected:
    """At most `k` of the examples, chosen by the LLM (a prompt id and its slots) or by any strategy that chooses.

    A strategy that needs a trained student, or labels of the LLM, needs a run. One that needs embeddings encodes at
    most 5,000 texts.
    """
    return await threads.run(lambda: select(request, columns(request.examples), means(desk)))
