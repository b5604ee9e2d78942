"""A run's journal in the database: a step is written once, in one transaction with its event, and never changed."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import ValidationError
from sqlalchemy import Connection, Engine, bindparam, select
from sqlalchemy.exc import IntegrityError

from agent.errors import StoreError
from agent.journal import adapter_of
from serving.database import reading, writing
from serving.runs.events import append, now
from serving.runs.schema import runs, steps
from serving.system.context import about

T = TypeVar("T")
VALUE = select(steps.c.value).where(steps.c.run == bindparam("run"), steps.c.key == bindparam("key"))
FENCE = select(runs.c.fence).where(runs.c.id == bindparam("run")).with_for_update()
"""Made once, their values apart: making a statement takes longer than reading a step."""


class LostLease(StoreError):
    """Somebody else works on the run by now: what this process computed is not written."""


class StoredJournal:
    """The steps of one run, or of the part of it whose keys start with `prefix`.

    Args:
        fence: the number of the claim under which this process works; None where nobody claims runs.
    """

    def __init__(self, engine: Engine, run: str, prefix: str = "", fence: int | None = None) -> None:
        self._engine, self._run, self._prefix, self._fence = engine, run, prefix, fence

    def step(self, key: str, kind: type[T], compute: Callable[[], T]) -> T:
        """The recorded value of a step, or what `compute` returns, recorded before it is returned.

        Raises:
            LostLease: somebody else has claimed the run since.
            StoreError: the recorded value is of another form, or the database cannot be used.
        """
        key, adapter = self._prefix + key, adapter_of(kind)
        if (text := self._read(key)) is None:
            with about(step=key, **_round(key)):
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
            return connection.execute(VALUE, {"run": self._run, "key": key}).scalar_one_or_none()

    def _write(self, key: str, value: str) -> str:
        try:
            with writing(self._engine) as connection:
                if self._fence is not None:
                    demand(connection, self._run, self._fence)
                row = {"run": self._run, "key": key, "value": value, "created": now()}
                connection.execute(steps.insert(), row)
                append(connection, self._run, "step", {"key": key})
            return value
        except IntegrityError:  # another process was first: its value stands
            recorded = self._read(key)
            if recorded is None:
                raise
            return recorded


def _round(key: str) -> dict[str, str]:
    """Those of round 3 are called `ARM/STUDENT/SEED/3/query` and so on; others belong to no round."""
    parts = key.split("/")
    return {"round": parts[3]} if len(parts) > 4 and parts[3].isdecimal() else {}


def demand(connection: Connection, run: str, fence: int) -> None:
    """Raises LostLease where the claim with this number is no longer the latest. Holds the run's row until commit."""
    latest = connection.execute(FENCE, {"run": run}).scalar_one_or_none()
    if latest != fence:
        raise LostLease(f"another process works on run {run!r} by now", "this one ends; nothing that it wrote is lost")
