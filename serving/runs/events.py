"""What happened to a run, in order: appended in the transaction that made it happen, read by who follows along."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, func, select

from serving.database import reading
from serving.runs.schema import events, runs

HOLD = select(runs.c.id).where(runs.c.id == bindparam("run")).with_for_update(key_share=True)
"""Not the full lock: that would stop whoever writes a row that refers to the run."""


@dataclass(frozen=True)
class Event:
    """`seq` grows over all runs; within one run it tells the order."""

    seq: int
    kind: str
    """`state`, `step`, or what a part of the service has to say."""
    data: dict[str, Any]
    created: str


def append(connection: Connection, run: str, kind: str, data: dict[str, Any]) -> None:
    """Holds the run's row until commit: else a later number could be seen first, and its reader never see the other."""
    connection.execute(HOLD, {"run": run})
    connection.execute(events.insert(), {"run": run, "kind": kind, "data": json.dumps(data), "created": now()})


def replace(connection: Connection, run: str, kind: str, data: dict[str, Any]) -> None:
    """Appends an event whose earlier ones of this kind say nothing any more, and takes those away."""
    append(connection, run, kind, data)
    newest = select(func.max(events.c.seq)).where(events.c.run == run, events.c.kind == kind).scalar_subquery()
    connection.execute(delete(events).where(events.c.run == run, events.c.kind == kind, events.c.seq < newest))


def latest(engine: Engine, run: str, kind: str) -> Event | None:
    """The last event of a run of this kind."""
    query = select(events).where(events.c.run == run, events.c.kind == kind).order_by(events.c.seq.desc()).limit(1)
    with reading(engine) as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else Event(row.seq, row.kind, json.loads(row.data), row.created)


def after(engine: Engine, run: str, seq: int = 0, limit: int = 500) -> list[Event]:
    """The events of a run behind `seq`, oldest first."""
    query = select(events).where(events.c.run == run, events.c.seq > seq).order_by(events.c.seq).limit(limit)
    with reading(engine) as connection:
        return [Event(row.seq, row.kind, json.loads(row.data), row.created) for row in connection.execute(query)]


def now() -> str:
    """UTC, to the microsecond; sorts as text."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
