"""`POST /v1/annotate`: label reads of the texts of one request, or of a stream of texts."""

from collections.abc import Generator
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Body, Request
from fastapi.responses import StreamingResponse

from serving import problem
from serving.roles import lines
from serving.roles.annotate import AnnotatedAll, AnnotateHead, AnnotateRequest, Annotating, annotate, prepare
from serving.roles.given import columns
from serving.routes.means import AtThreads, means
from serving.routes.ndjson import MEDIA, LineRoute, described, spooled
from serving.service.desk import AtDesk
from serving.service.guard import needs

TASK: dict[str, Any] = {
    "name": "films",
    "item": "film review sentence",
    "labels": [{"name": "positive"}, {"name": "negative"}],
}
EXAMPLE: dict[str, Any] = {"task": TASK, "examples": [{"id": "a", "text": "A warm and funny film."}]}
_HEAD = '{"task": {"name": "films", "labels": [{"name": "positive"}, {"name": "negative"}]}}'

router = APIRouter(prefix="/v1", tags=["roles"], responses=problem.RESPONSES)
stream = APIRouter(prefix="/v1", route_class=LineRoute, responses=problem.RESPONSES)


@stream.post("/annotate", dependencies=[needs("run")], include_in_schema=False)
async def annotate_lines(request: Request, desk: AtDesk, threads: AtThreads) -> StreamingResponse:
    """The answers of a stream of texts, a line each, as they come."""
    file = await spooled(request, desk.settings.body_bytes)
    try:
        numbered = lines.numbered(file)
        ready = await threads.run(lambda: prepare(lines.read_head(numbered, AnnotateHead), means(desk)))
    except BaseException:
        file.close()
        raise
    return StreamingResponse(threads.flow(_answers(file, ready, desk.settings.items)), media_type=MEDIA)


@router.post(
    "/annotate",
    dependencies=[needs("run")],
    summary="Label texts with the LLM",
    openapi_extra=described(
        "Line 1: the request without `examples`. Every other line: one example.",
        f'{_HEAD}\n{{"id": "a", "text": "A warm and funny film."}}',
        "A line an example, in order: `kind` is `annotation` or `error`. The last line has the kind `end`; an answer "
        "without it was cut off.",
    ),
)
async def annotate_all(
    request: Annotated[AnnotateRequest, Body(examples=[EXAMPLE])], desk: AtDesk, threads: AtThreads
) -> AnnotatedAll:
    """The label of each text, or an abstention, with probabilities read from the LLM's first token.

    `calibrated` is there only where a random sample of the pool is known: `sample` (at least 100 texts) or `sample_of`.
    As `application/x-ndjson` the body may be as long as the service's limits allow; answers come as they are ready.
    """
    return await threads.run(lambda: annotate(request, columns(request.examples), means(desk)))


def _answers(file: BinaryIO, ready: Annotating, most: int) -> Generator[bytes]:
    with file:
        numbered = lines.numbered(file)
        file.seek(0)
        next(numbered)  # the head, which has been read
        yield from lines.annotations(ready, numbered, most)
