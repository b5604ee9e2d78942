"""What a run leaves, over HTTP: events as they happen, labels, the student, the report."""

import asyncio
import io
import json
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path as Folder
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from serving import problem
from serving.exchange.files import LABEL_MEDIA, LabelFormat, exported, file_name, labels_as
from serving.problem import Refused
from serving.routes.runs import RunId
from serving.runs.late import said_so_far
from serving.runs.running import pool_of
from serving.runs.so_far import rows_of
from serving.runs.store import OPEN
from serving.service.desk import AtDesk, Desk
from serving.service.guard import needs
from serving.service.tags import Known, announced, stamps, tag, unless_known

router = APIRouter(prefix="/v1", tags=["runs"], responses=problem.RESPONSES)
LOOK = 0.5
ALIVE = 15.0
"""Seconds of silence after which a comment is sent, so that nothing on the way gives the connection up."""

_TEXT = {"type": "string"}
EVENT: dict[str, Any] = {"type": "object", "properties": dict.fromkeys(("id", "event", "data"), _TEXT)}
"""One server-sent event; readers of OpenAPI take the schema of such a stream for that of each of its events."""
EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": EVENT}}}}
MODEL: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/gzip": {"schema": {"type": "string", "format": "binary"}}}}
}
REPORT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/html": {"schema": _TEXT}, "application/json": {"schema": {"type": "object"}}}}
}
_KINDS: dict[str, dict[str, Any]] = {media.split(";")[0]: {"type": "string"} for media in LABEL_MEDIA.values()}
_KINDS["application/json"] = {"type": "array", "items": {"type": "object"}}
LABELS: dict[int | str, dict[str, Any]] = {200: {"content": {kind: {"schema": of} for kind, of in _KINDS.items()}}}


@router.get(
    "/runs/{run}/events",
    summary="Follow a run",
    dependencies=[needs("read")],
    response_class=StreamingResponse,
    responses=EVENTS,
)
async def follow(
    run: RunId,
    request: Request,
    desk: AtDesk,
    seen: Annotated[int, Header(alias="Last-Event-ID", ge=0, le=2**53)] = 0,
) -> StreamingResponse:
    """Server-sent events, from the first (or from `Last-Event-ID`) until the run is over. Each has a number."""
    await run_in_threadpool(desk.store.get, run)
    return StreamingResponse(_told(desk, run, seen, request), media_type="text/event-stream")


async def _told(desk: Desk, run: str, seen: int, request: Request) -> AsyncIterator[str]:
    """Who is let go because the service stops comes again, with the number of the last event."""
    store, silent = desk.store, 0.0
    while not desk.stopping.is_set() and not await request.is_disconnected():
        state = (
            await run_in_threadpool(store.get, run)
        ).state  # before the events: the last of them are then all there
        events = await run_in_threadpool(store.events, run, seen)
        for event in events:
            seen = event.seq
            yield f"id: {event.seq}\nevent: {event.kind}\ndata: {json.dumps({**event.data, 'at': event.created})}\n\n"
        if state not in OPEN and not events:
            return
        silent = 0.0 if events else silent + LOOK
        if silent >= ALIVE:
            silent = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(LOOK)


@router.get(
    "/runs/{run}/labels",
    summary="The labels",
    dependencies=[needs("read")],
    response_class=StreamingResponse,
    responses=announced(LABELS),
)
def labels(
    run: RunId,
    desk: AtDesk,
    format: Annotated[LabelFormat, Query(description="Of the answer.")] = "jsonl",  # noqa: A002  the contract's name
    known: Known = "",
) -> Response:
    """Each text with the label that stands, who gave it, and its history; of a run that is not done, those so far.

    What people changed since is in it. The formats of other tools hold the other columns of the upload as well.
    """
    found, pool = desk.store.get(run), pool_of(run, desk.settings)
    # Before anything is read: what comes meanwhile makes the answer newer than its tag, never older.
    version = found.state, found.updated, desk.store.newest_step(run), said_so_far(desk.reviews, run)

    def made() -> Response:
        rows = exported(rows_of(desk.store, found, pool), desk.reviews, run, pool, format)
        disposition = {"Content-Disposition": f'attachment; filename="{file_name(format)}"'}
        return StreamingResponse(labels_as(rows, format), media_type=LABEL_MEDIA[format], headers=disposition)

    return unless_known(known, tag(run, format, *version, weak=True), made)


@router.get(
    "/runs/{run}/model",
    summary="The student",
    dependencies=[needs("read")],
    response_class=StreamingResponse,
    responses=announced(MODEL),
)
def model(run: RunId, desk: AtDesk, known: Known = "") -> Response:
    """Of a finished run: a tar.gz of the folder that `AutoModelForSequenceClassification.from_pretrained` loads."""
    folder = _result(desk, run, "student")
    disposition = {"Content-Disposition": f'attachment; filename="{run}-student.tar.gz"'}

    def made() -> Response:
        return StreamingResponse(_packed(folder), media_type="application/gzip", headers=disposition)

    return unless_known(known, tag(run, *stamps(folder), weak=True), made)  # the archive says when it was packed


@router.get(
    "/runs/{run}/report",
    summary="The report",
    dependencies=[needs("read")],
    response_class=Response,
    responses=announced(REPORT),
)
def report(
    run: RunId,
    desk: AtDesk,
    as_: Annotated[Literal["html", "json"], Query(alias="format", description="Of the answer.")] = "html",
    known: Known = "",
) -> Response:
    """Of a finished run: one page that needs nothing else, or the numbers that it is drawn from."""
    media = {"html": "text/html; charset=utf-8", "json": "application/json"}[as_]
    return _file(_result(desk, run, f"report.{as_}"), media, known)


@router.get(
    "/runs/{run}/record",
    summary="The run record",
    dependencies=[needs("read")],
    response_class=JSONResponse,
    responses=announced(),
)
def record(run: RunId, desk: AtDesk, known: Known = "") -> Response:
    """Of a finished run: enough to see what was done, with what, and to do it again."""
    return _file(_result(desk, run, "run.json"), "application/json", known)


def _file(path: Folder, media: str, known: str) -> Response:
    return unless_known(known, tag(path, *stamps(path)), lambda: Response(path.read_bytes(), media_type=media))


def _result(desk: Desk, run: str, name: str) -> Folder:
    found = desk.store.get(run)
    path = Folder(found.folder) / name
    if found.state != "done" or found.origin != "service":
        raise Refused(409, f"run {run!r} is {found.state} and has no {name} yet", "wait until it is done")
    if not path.exists():
        raise Refused(410, f"the {name} of run {run!r} is gone", "run it again under another name")
    return path


class _Pieces(io.RawIOBase):
    """What an archive is written to, handed on piece by piece."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.pieces.append(bytes(data))
        return len(data)

    def take(self) -> Iterator[bytes]:
        yield from self.pieces
        self.pieces.clear()


def _packed(folder: Folder) -> Iterator[bytes]:
    out = _Pieces()
    with tarfile.open(fileobj=out, mode="w|gz") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.add(path, arcname=f"student/{path.relative_to(folder)}")
                yield from out.take()
    yield from out.take()
