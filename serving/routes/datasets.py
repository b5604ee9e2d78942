"""Data sets: upload a file of any length, look at what is there."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from typing import Annotated, Any, Literal

import anyio
from anyio import CapacityLimiter, from_thread, to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from starlette.requests import ClientDisconnect

from agent.errors import ThresherError
from serving import problem
from serving.exchange.files import ToolFormat, tool_rows
from serving.problem import Refused
from serving.runs.data import DataSet
from serving.runs.entries import Names
from serving.runs.formats import Format, stream_rows
from serving.service.desk import AtDesk
from serving.service.guard import needs
from serving.service.tags import Known, announced, json_unless_known, tag, unless_known
from serving.shapes import DataSetList, DataSetShown, ExampleList, ExampleShown

MEDIA: dict[str, Format] = {
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/vnd.apache.parquet": "parquet",
}
UploadFormat = Literal[Format, ToolFormat]
UPLOADS = 4
"""At the same time; others wait. They have threads of their own, so that no quick request waits for them."""
PATIENCE = 60.0
"""Seconds without a byte after which an upload is given up."""
DRAINED = 1 << 26
"""Bytes of a refused upload that are read to its end, so that its sender hears why instead of a broken pipe."""

router = APIRouter(prefix="/v1", tags=["data"], responses=problem.RESPONSES)

_NAMED = "[^\\x00-\\x1f\\x7f]*"
_CSV = "id,text,label\na,A warm and funny film.,positive\nb,Two hours that feel like four.,negative\n"
_LINES = '{"id": "a", "text": "A warm and funny film."}\n{"id": "b", "text": "Two hours that feel like four."}\n'
_TASKS = [{"data": {"id": "a", "text": "A warm and funny film."}, "predictions": [], "annotations": []}]
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string"}, "example": _CSV},
            "text/tab-separated-values": {"schema": {"type": "string"}, "example": _CSV.replace(",", "\t")},
            "application/x-ndjson": {"schema": {"type": "string"}, "example": _LINES},
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": {"type": "array", "items": {"type": "object"}}, "example": _TASKS},
        },
    }
}

Cell = Annotated[str, Query(min_length=1, max_length=200, description="Name of the column.")]
DataSetId = Annotated[str, Path(max_length=80, description="As the upload answered it.")]


@router.post("/datasets", status_code=201, summary="Upload texts", dependencies=[needs("run")], openapi_extra=BODY)
async def upload(
    request: Request,
    response: Response,
    desk: AtDesk,
    name: Annotated[str, Query(max_length=200, pattern=f"^{_NAMED}$", description="For people.")] = "",
    format: Annotated[  # noqa: A002  the contract's name
        UploadFormat | None, Query(description="Of the body, where the content type does not say it; of JSON: always.")
    ] = None,
    text: Cell = "text",
    text_b: Cell = "text_b",
    label: Cell = "label",
    id: Cell = "id",  # noqa: A002  as the column is called
) -> DataSetShown:
    """CSV, TSV, JSON lines or Parquet with a column `text` and perhaps `id`, `text_b` and `label`; others are kept.

    With `format=label-studio` or `format=argilla`, the tasks or records of these tools, as JSON: people's labels become
    labels, and all that was said of a text, by people and machines, is kept beside it.

    The body is read as it arrives. A row that cannot be used refuses the whole upload, named with its number, and
    leaves nothing. Content that is there already answers with the data set that it is.
    """
    kind = _kind(request, format)
    names = Names(text, text_b, label, id, "?text=")
    body = _Body(request)

    def keep() -> DataSet:
        match kind:
            case "label-studio" | "argilla":
                rows = tool_rows(body.chunks(), kind, "the upload")
            case _:
                rows = stream_rows(body.chunks(), kind, "the upload")
        return desk.data.add(rows, name, names=names, most=desk.settings.items, where="the upload")

    try:
        found = await to_thread.run_sync(keep, limiter=_limiter(request))
    except ClientDisconnect as error:
        raise Refused(400, "the upload broke off", "send it again") from error
    except ThresherError:
        await body.drain()
        raise
    response.headers["Location"] = f"/v1/datasets/{found.id}"
    return DataSetShown(**asdict(found))


@router.get(
    "/datasets",
    summary="List data sets",
    response_model=DataSetList,
    dependencies=[needs("read")],
    responses=announced(),
)
def list_data_sets(
    desk: AtDesk,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    after: Annotated[str | None, Query(max_length=80, description="`next` of the page before.")] = None,
    known: Known = "",
) -> Response:
    """The newest first."""
    found = desk.data.list(limit + 1, after)
    items = tuple(DataSetShown(**asdict(each)) for each in found[:limit])
    return json_unless_known(known, DataSetList(items=items, next=items[-1].id if len(found) > limit else None))


@router.get(
    "/datasets/{id}",
    summary="One data set",
    response_model=DataSetShown,
    dependencies=[needs("read")],
    responses=announced(),
)
def get_data_set(id: DataSetId, desk: AtDesk, known: Known = "") -> Response:  # noqa: A002  the contract's name
    """How many texts it has, which columns, and whether there are labels."""
    return json_unless_known(known, DataSetShown(**asdict(desk.data.get(id))))


@router.get(
    "/datasets/{id}/examples",
    summary="Texts of a data set",
    response_model=ExampleList,
    dependencies=[needs("read")],
    responses=announced(),
)
def list_examples(
    id: DataSetId,  # noqa: A002  the contract's name
    desk: AtDesk,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    after: Annotated[int, Query(ge=0, le=1 << 31, description="`next` of the page before.")] = 0,
    known: Known = "",
) -> Response:
    """In the order of the file. A data set never changes: its id is the hash of its content."""
    same = desk.data.get(id).id

    def made() -> Response:
        found = desk.data.examples(same, after, limit + 1)
        items = tuple(ExampleShown(**asdict(each)) for each in found[:limit])
        body = ExampleList(items=items, next=str(items[-1].row) if len(found) > limit else None)
        return Response(body.model_dump_json(), media_type="application/json")

    return unless_known(known, tag(same, limit, after), made)


class _Body:
    """The body of a request for a thread: it asks for each piece when it has used the last one, so none pile up."""

    def __init__(self, request: Request) -> None:
        self._pieces: AsyncIterator[bytes] = request.stream()

    def chunks(self) -> Iterator[bytes]:
        while piece := from_thread.run(self._next):
            yield piece

    async def drain(self) -> None:
        """Reads what is left, up to a bound."""
        size = 0
        try:
            while size < DRAINED and (piece := await self._next()):
                size += len(piece)
        except (ClientDisconnect, Refused):
            return

    async def _next(self) -> bytes:
        """Empty at the end. Raises Refused (408) where nothing comes for PATIENCE seconds."""
        try:
            with anyio.fail_after(PATIENCE):
                async for piece in self._pieces:
                    if piece:
                        return piece
        except TimeoutError as error:
            what = f"nothing of the upload came for {PATIENCE:.0f} seconds"
            raise Refused(408, what, "send it again") from error
        return b""


def _kind(request: Request, named: UploadFormat | None) -> UploadFormat:
    media = request.headers.get("content-type", "").split(";")[0].strip().lower()
    kind = named or MEDIA.get(media)
    if kind is None:
        raise Refused(
            415, f"the content type {media[:80]!r} is no table", f"give ?format=, or one of {', '.join(MEDIA)}"
        )
    return kind


def _limiter(request: Request) -> CapacityLimiter:
    """One a service, made inside its event loop."""
    state = request.app.state
    if not hasattr(state, "upload_threads"):
        state.upload_threads = CapacityLimiter(UPLOADS)
    found: CapacityLimiter = state.upload_threads
    return found
