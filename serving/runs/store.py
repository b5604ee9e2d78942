"""Runs and their journals: what happened, step by step, in the one database.

A step is written once and never changed. Writing is one transaction, so that a kill leaves it whole or absent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Column, Engine, ForeignKey, String, Table, Text, select
from sqlalchemy.exc import IntegrityError

from agent.errors import StoreError
from serving.database import create_tables, metadata, reading, writing

T = TypeVar("T")
State = Literal["running", "waiting", "done", "failed"]

runs = Table(
    "runs",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("job", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("why", Text, nullable=False, default=""),
    Column("created", String(32), nullable=False),
)
steps = Table(
    "steps",
    metadata,
    Column("run", String(80), ForeignKey("runs.id"), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("value", Text, nullable=False),
    Column("created", String(32), nullable=False),
)


@dataclass(frozen=True)
class StoredRun:
    id: str
    job: str
    folder: str
    state: State
    why: str
    created: str


class Store:
    """Runs by id. Any number of processes may hold one."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        create_tables(engine, runs, steps)

    def begin(self, id_: str, job: str, folder: str) -> StoredRun:
        """Records a run before anything runs; the run that is there already under this id where there is one."""
        row = {"id": id_, "job": job, "folder": folder, "state": "running", "why": "", "created": _now()}
        try:
            with writing(self.engine) as connection:
                connection.execute(runs.insert().values(row))
        except IntegrityError:
            return self.get(id_)
        return StoredRun(id_, job, folder, "running", "", row["created"])

    def get(self, id_: str) -> StoredRun:
        """Raises StoreError, with the newest runs, where there is none of this id."""
        with reading(self.engine) as connection:
            row = connection.execute(select(runs).where(runs.c.id == id_)).one_or_none()
            if row is not None:
                return _run(row)
            newest = connection.execute(select(runs.c.id).order_by(runs.c.created.desc()).limit(5)).scalars().all()
        raise StoreError(f"there is no run {id_!r}", f"known: {', '.join(newest)}" if newest else "there are none yet")

    def find(self, name: str, folder: str) -> StoredRun:
        """The run of this id, else the newest one with these results. Raises StoreError where there is neither."""
        with reading(self.engine) as connection:
            newest = select(runs).where(runs.c.folder == folder).order_by(runs.c.created.desc()).limit(1)
            row = connection.execute(select(runs).where(runs.c.id == name)).one_or_none()
            row = row or connection.execute(newest).one_or_none()
        return self.get(name) if row is None else _run(row)

    def list(self) -> list[StoredRun]:
        """All runs, newest first."""
        with reading(self.engine) as connection:
            return [_run(row) for row in connection.execute(select(runs).order_by(runs.c.created.desc()))]

    def mark(self, id_: str, state: State, why: str = "") -> None:
        with writing(self.engine) as connection:
            connection.execute(runs.update().where(runs.c.id == id_).values(state=state, why=why))

    def journal(self, run: str, prefix: str = "") -> "StoredJournal":
        return StoredJournal(self.engine, run, prefix)


class StoredJournal:
    """The steps of one run, or of the part of it whose keys start with `prefix`."""

    def __init__(self, engine: Engine, run: str, prefix: str = "") -> None:
        self._engine, self._run, self._prefix = engine, run, prefix

    def step(self, key: str, kind: type[T], compute: Callable[[], T]) -> T:
        """The recorded value of a step, or what `compute` returns, recorded before it is returned."""
        key, adapter = self._prefix + key, TypeAdapter(kind)
        if (text := self._read(key)) is None:
            text = self._write(key, adapter.dump_json(compute()).decode())
        try:
            # Read back even what was just computed: a first pass and a resumed one then see the very same value.
            return adapter.validate_json(text)
        except ValidationError as error:
            raise StoreError(
                f"step {key!r} of run {self._run!r} was recorded in another form ({error.error_count()} differences)",
                "continue it with the version that began it, or run it again under another name",
            ) from error

    def keys(self) -> dict[str, str]:
        """When each step of this part was recorded, by key, oldest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(steps.c.key, steps.c.created)
                .where(steps.c.run == self._run, steps.c.key.startswith(self._prefix, autoescape=True))
                .order_by(steps.c.created)
            )
            return {row.key: row.created for row in rows}

    def _read(self, key: str) -> str | None:
        with reading(self._engine) as connection:
            query = select(steps.c.value).where(steps.c.run == self._run, steps.c.key == key)
            return connection.execute(query).scalar_one_or_none()

    def _write(self, key: str, value: str) -> str:
        try:
            with writing(self._engine) as connection:
                row = {"run": self._run, "key": key, "value": value, "created": _now()}
                connection.execute(steps.insert().values(row))
            return value
        except IntegrityError:  # another process was first: its value stands
            recorded = self._read(key)
            if recorded is None:
                raise
            return recorded


def _run(row: Any) -> StoredRun:
    return StoredRun(row.id, row.job, row.folder, row.state, row.why, row.created)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
