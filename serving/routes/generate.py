"""`POST /v1/generate`: texts written for gaps or labels, and what the filters say of each."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import StreamingResponse

from agent.protocols import Columns
from serving import problem
from serving.roles import lines
from serving.roles.generate import Generated, GenerateHead, GenerateRequest, generate
from serving.roles.given import columns
from serving.routes.annotate import TASK
from serving.routes.means import AtThreads, means
from serving.routes.ndjson import MEDIA, LineRoute, described, spooled
from serving.service.desk import AtDesk
from serving.service.guard import needs

EXAMPLE: dict[str, Any] = {"task": TASK, "n": 2, "labels": ["positive", "negative"], "filters": [{"kind": "length"}]}
_LINES = (
    '{"task": {"name": "films", "labels": [{"name": "positive"}, {"name": "negative"}]}, "n": 1,'
    ' "labels": ["positive"]}\n{"text": "A film that is known already."}'
)

router = APIRouter(prefix="/v1", tags=["roles"], responses=problem.RESPONSES)
stream = APIRouter(prefix="/v1", route_class=LineRoute, responses=problem.RESPONSES)


@stream.post("/generate", dependencies=[needs("run")], include_in_schema=False)
async def generate_lines(request: Request, desk: AtDesk, threads: AtThreads) -> StreamingResponse:
    """A generation whose known texts come as a stream."""
    with await spooled(request, desk.settings.body_bytes) as file:

        def read() -> tuple[GenerateHead, Columns]:
            numbered = lines.numbered(file)
            head = lines.read_head(numbered, GenerateHead)
            return head, columns(lines.examples(numbered, desk.settings.items))

        head, known = await threads.run(read)
    found = await threads.run(lambda: generate(head, known, means(desk)))
    return StreamingResponse(iter(lines.candidates(found)), media_type=MEDIA)


@router.post(
    "/generate",
    dependencies=[needs("run")],
    summary="Write texts with the LLM",
    openapi_extra=described(
        "Line 1: the request without `examples`. Every other line: one known text.",
        _LINES,
        "A line a text (`kind` is `candidate`), the accepted ones first, then one of the kind `end`.",
    ),
)
async def generate_for(
    request: Annotated[GenerateRequest, Body(examples=[EXAMPLE])], desk: AtDesk, threads: AtThreads
) -> Generated:
    """Texts for the gaps or labels of the request; each is accepted, or rejected by the first filter that objects."""
    return await threads.run(lambda: generate(request, columns(request.examples), means(desk)))
