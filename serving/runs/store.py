"""Runs: what each is to do, where it stands, and who works on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import time
from typing import Any, Literal

from sqlalchemy import Connection, Engine, Select, case, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from agent.errors import StoreError
from serving.database import reading, writing
from serving.runs.events import Event, after, append, latest, now, replace
from serving.runs.journal import StoredJournal, demand
from serving.runs.schema import runs, steps
from serving.system.owner import is_dead

State = Literal["queued", "running", "waiting", "done", "failed", "cancelled"]
Origin = Literal["cli", "service", "study"]
"""Who works on it. A study holds the cells of many jobs, and is none itself."""
OPEN: tuple[State, ...] = ("queued", "running", "waiting")
"""States that a run may leave."""


class NoRun(StoreError):
    """There is no run of that id."""


@dataclass(frozen=True)
class StoredRun:
    id: str
    job: str
    folder: str
    state: State
    why: str
    created: str
    updated: str = ""
    origin: Origin = "cli"
    fence: int = 0


class Store:
    """Runs by id. Any number of processes may hold one."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time) -> None:
        self.engine, self._clock = engine, clock

    def begin(self, id_: str, job: str, folder: str, origin: Origin = "cli") -> StoredRun:
        """Records a run before anything runs; the run that is there already under this id where there is one."""
        state: State = "queued" if origin == "service" else "running"
        moment = now()
        run = StoredRun(id_, job, folder, state, "", moment, moment, origin)
        try:
            with writing(self.engine) as connection:
                connection.execute(runs.insert().values(**vars(run)))
                append(connection, id_, "state", {"state": state, "why": ""})
        except IntegrityError:
            return self.get(id_, origin)
        return run

    def get(self, id_: str, origin: Origin | None = None) -> StoredRun:
        """Raises NoRun, with the newest runs, where there is none of this id. A study is found by its origin."""
        ours = runs.c.origin != "study"
        with reading(self.engine) as connection:
            row = connection.execute(_columns().where(runs.c.id == id_)).one_or_none()
            if row is not None and (row.origin == origin or row.origin != "study"):
                return _run(row)
            last = select(runs.c.id).where(ours).order_by(runs.c.created.desc()).limit(5)
            newest = connection.execute(last).scalars().all()
        raise NoRun(f"there is no run {id_!r}", f"known: {', '.join(newest)}" if newest else "there are none yet")

    def find(self, name: str, folder: str) -> StoredRun:
        """The run of this id, else the newest one with these results. Raises NoRun where there is neither."""
        with reading(self.engine) as connection:
            newest = _columns().where(runs.c.folder == folder).order_by(runs.c.created.desc()).limit(1)
            row = connection.execute(_columns().where(runs.c.id == name)).one_or_none()
            row = row or connection.execute(newest).one_or_none()
        return self.get(name) if row is None else _run(row)

    def list(self, limit: int = 1000, after: str | None = None, state: State | None = None) -> list[StoredRun]:
        """The newest first; `after` is the last id of the page before. Raises NoRun where that one is unknown."""
        ours = _columns().where(runs.c.origin != "study")
        query = ours.order_by(runs.c.created.desc(), runs.c.id.desc()).limit(limit)
        if state is not None:
            query = query.where(runs.c.state == state)
        if after is not None:
            query = query.where(tuple_(runs.c.created, runs.c.id) < tuple_(self.get(after).created, after))
        with reading(self.engine) as connection:
            return [_run(row) for row in connection.execute(query)]

    def mark(self, id_: str, state: State, why: str = "", fence: int | None = None) -> None:
        """Raises LostLease where a fence is given and somebody else works on the run by now.

        A run that would wait for people who have answered meanwhile is queued instead.
        """
        with writing(self.engine) as connection:
            if fence is not None:
                demand(connection, id_, fence)
            wish = select(runs.c.wish).where(runs.c.id == id_).with_for_update()
            again = state == "waiting" and connection.execute(wish).scalar_one_or_none() == "again"
            _move(connection, id_, "queued" if again else state, "" if again else why)

    def move(self, id_: str, of: Sequence[State], to: State, why: str = "") -> bool:
        """From outside of the run's process; False where the run is in none of the states `of`.

        A cancelled run's process is shut out: what it still writes is refused.
        """
        with writing(self.engine) as connection:
            query = select(runs.c.state).where(runs.c.id == id_).with_for_update()
            if connection.execute(query).scalar_one_or_none() not in of:
                return False
            if to == "cancelled":
                shut = {"fence": runs.c.fence + 1, "owner": "", "expires": 0.0}
                connection.execute(update(runs).where(runs.c.id == id_).values(shut))
            _move(connection, id_, to, why)
        return True

    def claim(self, id_: str, owner: str, seconds: float) -> int | None:
        """A fencing number for whoever works on the run from now on; None while somebody else does.

        The claim of a process that is seen to be dead can be taken over at once, any other when it has expired.
        """
        with writing(self.engine) as connection:
            row = connection.execute(select(runs).where(runs.c.id == id_).with_for_update()).one_or_none()
            if row is None or (row.owner and row.expires > self._clock() and not is_dead(row.owner)):
                return None
            fence = int(row.fence) + 1
            held = {"owner": owner, "expires": self._clock() + seconds, "fence": fence, "wish": ""}
            connection.execute(update(runs).where(runs.c.id == id_).values(**held))
            return fence

    def renew(self, id_: str, fence: int, seconds: float) -> bool:
        """False where the claim is no longer ours."""
        with writing(self.engine) as connection:
            ours = (runs.c.id == id_, runs.c.fence == fence)
            query = update(runs).where(*ours).values(expires=self._clock() + seconds)
            return bool(connection.execute(query).rowcount)

    def release(self, id_: str, fence: int) -> None:
        """Gives the claim back; nothing happens where it is no longer ours."""
        with writing(self.engine) as connection:
            ours = (runs.c.id == id_, runs.c.fence == fence)
            connection.execute(update(runs).where(*ours).values(owner="", expires=0.0))

    def claimable(self, limit: int = 100) -> tuple[str, ...]:
        """Runs of a service that nobody works on though somebody should: those first that were begun before.

        Their people, or their earlier work, wait for them; among equals the oldest comes first.
        """
        query = select(runs.c.id, runs.c.owner, runs.c.expires).where(
            runs.c.state.in_(("queued", "running")), runs.c.origin == "service"
        )
        with reading(self.engine) as connection:
            begun = case((runs.c.fence > 0, 0), else_=1)
            rows = connection.execute(query.order_by(begun, runs.c.created).limit(limit)).all()
        free = (row.id for row in rows if not row.owner or row.expires <= self._clock() or is_dead(row.owner))
        return tuple(free)

    def events(self, run: str, seq: int = 0, limit: int = 500) -> tuple[Event, ...]:
        """What happened behind `seq`, oldest first."""
        return tuple(after(self.engine, run, seq, limit))

    def tell(self, run: str, kind: str, data: dict[str, Any], fence: int | None = None) -> None:
        """How a run is getting on. Of `progress` only the latest is kept: a run of weeks does not fill the table.

        Raises LostLease where somebody else works on the run by now.
        """
        with writing(self.engine) as connection:
            if fence is not None:
                demand(connection, run, fence)
            (replace if kind == "progress" else append)(connection, run, kind, data)

    def told(self, run: str) -> dict[str, Any] | None:
        """How far the run was when it last said so; None where it never did."""
        found = latest(self.engine, run, "progress")
        return None if found is None else found.data

    def newest_step(self, run: str) -> int:
        """A number that grows with each step that a run records; 0 before the first."""
        found = latest(self.engine, run, "step")
        return 0 if found is None else found.seq

    def recorded(self, run: str, start: str, end: str) -> dict[str, str]:
        """Values of the steps whose keys start and end so, as JSON."""
        within = (steps.c.key.startswith(start, autoescape=True), steps.c.key.endswith(end, autoescape=True))
        with reading(self.engine) as connection:
            rows = connection.execute(select(steps.c.key, steps.c.value).where(steps.c.run == run, *within))
            return {row.key: row.value for row in rows}

    def progress(self, ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """By run and key: its recorded rounds as JSON, and its finished cells, whose values are left out."""
        round_, cell = (steps.c.key.endswith(end) for end in ("/round", "/cell"))
        value = case((round_, steps.c.value), else_="").label("value")
        query = select(steps.c.run, steps.c.key, value).where(steps.c.run.in_(ids), or_(round_, cell))
        found: dict[str, dict[str, str]] = {id_: {} for id_ in ids}
        with reading(self.engine) as connection:
            for row in connection.execute(query):
                found[row.run][row.key] = row.value
        return found

    def journal(self, run: str, prefix: str = "", fence: int | None = None) -> StoredJournal:
        return StoredJournal(self.engine, run, prefix, fence)


def waiting_over(connection: Connection, run: str) -> None:
    """People have answered all that was asked: the run goes on. Belongs into the transaction of the last answer."""
    state = connection.execute(select(runs.c.state).where(runs.c.id == run).with_for_update()).scalar_one_or_none()
    if state == "waiting":
        _move(connection, run, "queued", "")
    elif state == "running":  # it has seen that something was missing, and not yet said that it waits
        connection.execute(update(runs).where(runs.c.id == run).values(wish="again"))


def _move(connection: Connection, run: str, state: State, why: str) -> None:
    connection.execute(update(runs).where(runs.c.id == run).values(state=state, why=why, wish="", updated=now()))
    append(connection, run, "state", {"state": state, "why": why})


_SHOWN = tuple(StoredRun.__dataclass_fields__)


def _columns() -> Select[Any]:
    return select(*(runs.c[name] for name in _SHOWN))


def _run(row: Any) -> StoredRun:
    return StoredRun(**{name: getattr(row, name) for name in _SHOWN})
