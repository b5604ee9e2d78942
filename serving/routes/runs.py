"""Runs: begin one, see where it stands, stop it, let it go on."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Header, Path, Query, Request, Response

from serving import problem
from serving.problem import Refused
from serving.routes.means import AtThreads
from serving.routes.wishes import EXAMPLE, RunRequest, wish_of
from serving.runs.store import OPEN, StoredRun
from serving.runs.view import History, chosen, history, shown, shown_all
from serving.service.commission import commission
from serving.service.desk import AtDesk, Desk
from serving.service.guard import Calling, needs
from serving.service.tags import Known, announced, json_unless_known, tag, unless_known
from serving.shapes_runs import RoundShown, RunList, RunShown, State

router = APIRouter(prefix="/v1", tags=["runs"], responses=problem.RESPONSES)
RunId = Annotated[str, Path(max_length=80, description="As the creation answered it.")]


@router.post(
    "/runs",
    summary="Begin a run",
    status_code=201,
    dependencies=[needs("run")],
    responses={200: {"model": RunShown, "description": "The same run is there already"}},
)
async def begin(
    body: Annotated[RunRequest, Body(examples=[EXAMPLE])],
    request: Request,
    response: Response,
    desk: AtDesk,
    who: Calling,
    threads: AtThreads,
    key: Annotated[str, Header(alias="Idempotency-Key", max_length=200)] = "",
) -> RunShown:
    """Recorded before anything is started; a process of its own then works on it.

    Equal runs are one run: asked for again, it is answered as it stands. With an `Idempotency-Key`, sending the same
    request again answers with the same run, and another request under that key is refused with 409.
    """
    raw = await request.body()

    def work() -> tuple[RunShown, bool]:
        known = desk.idempotency.find(who.name, key, raw) if key else None
        if known is not None:
            return shown(desk.store, desk.store.get(known)), False
        made = commission(wish_of(body, desk), desk)
        if key:
            desk.idempotency.keep(who.name, key, raw, made.run.id)
        return shown(desk.store, made.run), made.new

    found, new = await threads.run(work)
    response.status_code = 201 if new else 200
    response.headers["Location"] = f"/v1/runs/{found.id}"
    return found


@router.get("/runs", summary="List runs", response_model=RunList, dependencies=[needs("read")], responses=announced())
def list_runs(
    desk: AtDesk,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(max_length=80, description="`next` of the page before.")] = None,
    state: Annotated[State | None, Query(description="Only runs in this state.")] = None,
    known: Known = "",
) -> Response:
    """The newest first."""
    found = desk.store.list(limit + 1, after, state)
    items = shown_all(desk.store, found[:limit])
    return json_unless_known(known, RunList(items=items, next=items[-1].id if len(found) > limit else None))


@router.get(
    "/runs/{run}",
    summary="Where a run stands",
    response_model=RunShown,
    dependencies=[needs("read")],
    responses=announced(),
)
def get_run(run: RunId, desk: AtDesk, known: Known = "") -> Response:
    """With an ETag: given back as `If-None-Match`, an unchanged run is answered with 304 and no body."""
    return json_unless_known(known, shown(desk.store, desk.store.get(run)))


@router.get(
    "/runs/{run}/history",
    summary="What its rounds came to",
    response_model=History,
    dependencies=[needs("read")],
    responses=announced(),
)
def get_history(run: RunId, desk: AtDesk, known: Known = "") -> Response:
    """Rounds and learning curve of the user's own cell so far."""
    found = desk.store.get(run)

    def made() -> Response:
        return Response(history(desk.store, found).model_dump_json(), media_type="application/json")

    return unless_known(known, tag(run, desk.store.newest_step(run)), made)


@router.get("/runs/{run}/rounds/{index}", summary="What a round chose", dependencies=[needs("read")])
def get_round(run: RunId, index: Annotated[int, Path(ge=0, le=1_000_000)], desk: AtDesk) -> RoundShown:
    """The texts that a round of the user's own cell chose, in order, and why; 404 while it has chosen none."""
    return chosen(desk.store, desk.store.get(run), index)


@router.post("/runs/{run}/cancel", summary="Stop a run", dependencies=[needs("run")])
def cancel(run: RunId, desk: AtDesk) -> RunShown:
    """What it has recorded is kept, and `resume` lets it go on from there."""
    return _moved(desk, run, OPEN, "cancelled", "by request")


@router.post("/runs/{run}/resume", summary="Let a run go on", dependencies=[needs("run")])
def resume(run: RunId, desk: AtDesk) -> RunShown:
    """One that failed or was cancelled; nothing is asked or paid for twice."""
    return _moved(desk, run, ("failed", "cancelled"), "queued", "")


def _moved(desk: Desk, id_: str, of: tuple[State, ...], to: Literal["cancelled", "queued"], why: str) -> RunShown:
    run = desk.store.get(id_)
    _ours(run)
    if run.state != to:
        if not desk.store.move(id_, of, to, why):
            raise Refused(409, f"run {id_!r} is {desk.store.get(id_).state}", f"it would have to be {' or '.join(of)}")
        if to == "cancelled":
            desk.supervisor.stop(id_)
    return shown(desk.store, desk.store.get(id_))


def _ours(run: StoredRun) -> None:
    if run.origin != "service":
        raise Refused(409, f"run {run.id!r} belongs to a command line", "stop or resume it there: thresher resume")
