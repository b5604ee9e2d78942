"""The tables of runs, their steps and their events."""

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, String, Table, Text

from serving.database import metadata

runs = Table(
    "runs",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("job", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("why", Text, nullable=False, default=""),
    Column("created", String(32), nullable=False),
    Column("updated", String(32), nullable=False, server_default=""),
    # Who began it: a command line works on its own runs, a service on its own.
    Column("origin", String(10), nullable=False, server_default="cli"),
    Column("owner", String, nullable=False, server_default=""),
    Column("expires", Float, nullable=False, server_default="0"),
    # Counts the claims; a worker writes with the number of its own, and is refused once there is a later one.
    Column("fence", Integer, nullable=False, server_default="0"),
    # What was asked of a run while a worker had it: "" | "again" (people have answered).
    Column("wish", String(10), nullable=False, server_default=""),
    Index("runs_by_state", "state", "created"),
    Index("runs_by_creation", "created", "id"),
)
steps = Table(
    "steps",
    metadata,
    Column("run", String(80), ForeignKey("runs.id"), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("value", Text, nullable=False),
    Column("created", String(32), nullable=False),
)
events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("run", String(80), ForeignKey("runs.id"), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("data", Text, nullable=False),
    Column("created", String(32), nullable=False),
    Index("events_of_run", "run", "seq"),
)
