"""What the LLM was asked and what it cost, added up over all processes of the service and kept in the database.

The ledger could tell most of it, but only by reading all of its answers; and what it saved is written nowhere.
"""

import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from sqlalchemy import Column, Engine, Float, String, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from agent.errors import StoreError
from serving.database import metadata, reading, writing
from serving.llm.meter import Meter

EVERY = 5.0
"""Seconds between two looks at a meter: what a process that is killed has not written down yet."""

counts = Table(
    "counts",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("value", Float, nullable=False),
)


class Tally:
    """As a context: adds what a meter counts to the database, every few seconds and at the end.

    Args:
        meter: of this process; None while it has none yet.
    """

    def __init__(self, engine: Engine, meter: Callable[[], Meter | None], every: float = EVERY) -> None:
        self._engine, self._meter, self._every = engine, meter, every
        self._written: dict[str, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="tally", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self.write()

    def write(self) -> None:
        """Adds what has come since the last time. Where the database is away, it is added the next time."""
        meter = self._meter()
        now = {} if meter is None else counted(meter)
        new = {name: value - self._written.get(name, 0.0) for name, value in now.items()}
        new = {name: value for name, value in sorted(new.items()) if value > 0}
        if not new:
            return
        try:
            add(self._engine, new)
        except StoreError:
            return
        self._written = now

    def _look(self) -> None:
        while not self._over.wait(self._every):
            self.write()


def counted(meter: Meter) -> dict[str, float]:
    """What a meter says, by name."""
    spent = meter.spent()
    paid = spent.paid
    said: dict[str, float] = {
        "requests": spent.requests,
        "retries": spent.retries,
        "hits": spent.hits,
        "prompt_tokens": paid.tokens_in,
        "cached_tokens": paid.cached_tokens,
        "generated_tokens": paid.tokens_out,
        "seconds": paid.seconds,
    }
    failures = {f"failures/{kind}": float(n) for kind, n in spent.failures.items()}
    masses, total = meter.masses()
    return {**said, **failures, **{f"mass/{bound:g}": float(n) for bound, n in masses.items()}, "mass_sum": total}


def add(engine: Engine, values: Mapping[str, float]) -> None:
    """To what stands there, in one transaction; names in order, so that two who do this do not hold each other up."""
    insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
    with writing(engine) as connection:
        for name, value in sorted(values.items()):
            new = insert(counts).values(name=name, value=value)
            summed = {"value": counts.c.value + new.excluded.value}
            connection.execute(new.on_conflict_do_update(index_elements=["name"], set_=summed))


def totals(engine: Engine) -> dict[str, float]:
    """All that was ever counted, by name."""
    with reading(engine) as connection:
        return {row.name: row.value for row in connection.execute(select(counts))}
