"""Brings a database to the newest revision: an empty one at once, an older one step by step, a newer one not at all."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, func, inspect, select
from sqlalchemy.exc import DatabaseError

from agent.errors import StoreError
from serving.database import reading, shown, writing

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

NEWEST = "0007"
"""The revision that `database.metadata` describes."""
_LOCK = 7105
_FIRST = {"runs", "steps", "calls"}
"""What version 0.1.0 made, without revisions."""
_version = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


def bring_up(engine: Engine) -> None:
    """Leaves a database at the newest revision; any number of processes may do this at once.

    An older database is upgraded in one transaction: where that fails, it is as it was.

    Raises:
        StoreError: it was written by a newer version of this program, or cannot be upgraded.
    """
    with reading(engine) as connection:
        if _revision(connection) == NEWEST:
            return
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":  # SQLite lets one in at a time anyway
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        found = _revision(connection)
        if found == "" and not _FIRST & set(inspect(connection).get_table_names()):
            _make(connection)
        elif found != NEWEST:
            _upgrade(connection, found)


def scripts() -> "ScriptDirectory":
    """The revisions of this program."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(Path(__file__).parent))


def _revision(connection: Connection) -> str:
    """Empty where there is none: the database is empty, or of version 0.1.0."""
    if not inspect(connection).has_table(_version.name):
        return ""
    return connection.execute(select(_version.c.version_num)).scalar_one_or_none() or ""


def _make(connection: Connection) -> None:
    from serving.migrations.every import metadata

    metadata.create_all(connection)
    _version.create(connection, checkfirst=True)
    connection.execute(_version.insert().values(version_num=NEWEST))


def _upgrade(connection: Connection, found: str) -> None:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext, MigrationStep

    known = scripts()
    where = shown(connection.engine.url)
    if found and found not in {script.revision for script in known.walk_revisions()}:
        what = f"the database {where} was written by a newer version of this program (revision {found!r})"
        raise StoreError(what, "install that version, or give another database: THRESHER_DATABASE")
    steps: list[MigrationStep] = [
        MigrationStep.upgrade_from_script(known.revision_map, script)
        for script in known.iterate_revisions(NEWEST, found or "base")
    ]
    steps.reverse()

    def forward(*_: object) -> list[MigrationStep]:
        return steps

    context = MigrationContext.configure(connection, opts={"fn": forward})
    try:
        with Operations.context(context):
            context.run_migrations()
    except DatabaseError as error:
        what = f"the database {where} cannot be brought from revision {found or 'none'} to {NEWEST}: {error.orig}"
        raise StoreError(what, "nothing was changed; continue it with the version that wrote it") from error
