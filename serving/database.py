"""One database for everything that must survive: the ledger's and the store's tables hang on one `metadata`.

SQLite (a file) is the default; any other database that SQLAlchemy knows is reached by its URL.
"""

import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from agent.errors import BadInput, StoreError

metadata = MetaData()
BUSY_SECONDS = 60
_CONNECTIONS = 64
_POSTGRESQL = ("postgresql", "postgres")


def open_database(path_or_url: str | Path) -> Engine:
    """An engine over the newest tables, ready for several threads and processes at once.

    An empty database gets the tables, an older one is upgraded (`serving.migrations`).

    SQLite: write-ahead log, `synchronous=NORMAL` (nothing committed is lost when the process dies; the last moments may
    be when the machine does), foreign keys on, 60 s busy time-out. Missing folders of a file are made.

    PostgreSQL: connections are tried before they are used, so that a server that was restarted is found again.

    Raises:
        StoreError: the place cannot be opened, is no database, is an in-memory one, or was written by a newer version.
    """
    from serving.migrations.upgrade import bring_up

    url = _url(path_or_url)
    engine = _open_sqlite(url) if url.get_backend_name() == "sqlite" else _open_server(url)
    try:
        bring_up(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


class Away(StoreError):
    """The database does not answer for now: its server restarts, or all connections are taken."""

    retryable = True


@contextmanager
def reading(engine: Engine) -> Generator[Connection]:
    """A connection for looking only; one consistent snapshot.

    Raises:
        StoreError: the database cannot be read.
        Away: not at the moment.
        BadInput: it cannot hold a value that was asked for.
    """
    with _explained(engine), engine.connect() as connection:
        if engine.dialect.name == "postgresql":  # whose default shows each statement what others have committed since
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


@contextmanager
def writing(engine: Engine) -> Generator[Connection]:
    """A transaction that is committed at the end, rolled back on an exception.

    SQLite: the only one at its time, from its start. PostgreSQL: others write beside it, so what is read to decide what
    is written must be held, `select(…).with_for_update()`; a row that is not there yet is guarded by its unique key.

    Raises:
        StoreError: the database cannot be written: locked for longer than the busy time-out, read-only, disk full.
        Away: not at the moment.
        BadInput: a value cannot be stored.
    """
    with _explained(engine), engine.connect() as connection:
        connection = connection.execution_options(immediate=True)
        with connection.begin():
            yield connection


def _url(path_or_url: str | Path) -> URL:
    text = str(path_or_url)
    if isinstance(path_or_url, Path) or "://" not in text:
        if text in ("", ":memory:"):
            raise StoreError(f"{text!r} is no file for a database", "give a path: memory is not shared by threads")
        return URL.create("sqlite", database=str(Path(text).expanduser()))
    try:
        url = make_url(text)
        # Whatever driver SQLAlchemy would take by itself, the one that this program is tested with.
        return url.set(drivername="postgresql+psycopg") if url.drivername in _POSTGRESQL else url
    except ArgumentError as error:
        raise StoreError(f"{text!r} is no database URL", "write it as sqlite:///path or postgresql://…") from error


def _open_sqlite(url: URL) -> Engine:
    if not url.database or ":memory:" in url.database or url.query.get("mode") == "memory":
        raise StoreError("an in-memory database is not shared by threads", "give a file")
    path = Path(url.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the folder {path.parent} cannot be made ({error.strerror})", "choose another") from error
    # Each thread of a batch may hold a connection; past the pool's size SQLAlchemy makes them wait for one another.
    engine = create_engine(
        url, pool_size=_CONNECTIONS, max_overflow=_CONNECTIONS, connect_args={"timeout": BUSY_SECONDS}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    with reading(engine) as connection:
        mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar())
    if mode != "wal":
        engine.dispose()
        raise StoreError(f"{path} cannot keep a write-ahead log (mode {mode!r})", "put it on a local disk")
    return engine


def _open_server(url: URL) -> Engine:
    try:
        # What a server allows (100 connections by default) is shared by all processes of the service.
        waits = {"connect_timeout": 10} if url.get_backend_name() == "postgresql" else {}
        return create_engine(
            url, connect_args=waits, pool_pre_ping=True, pool_size=8, max_overflow=16, pool_timeout=BUSY_SECONDS
        )
    except (NoSuchModuleError, ImportError) as error:
        what = f"no driver for the database {shown(url)} ({error})"
        raise StoreError(what, "install it: pip install 'thresher[postgres]'") from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transaction handling begins too late (at the first write) and only ever deferred.
    connection.isolation_level = None
    for pragma in (f"busy_timeout={BUSY_SECONDS * 1000}", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    _write_ahead(connection)


def _write_ahead(connection: Any) -> None:
    """The mode is the file's; while several change it at once, SQLite refuses some of them whatever the time-out."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that upgrades to a write fails at once, whatever the busy time-out.
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextmanager
def _explained(engine: Engine) -> Generator[None]:
    try:
        yield
    except (DataError, OverflowError) as error:
        cause = error.orig if isinstance(error, DataError) else error
        raise BadInput(
            f"a value cannot be stored: {_line(cause)}", "shorten it, or leave out what is no text"
        ) from error
    except (IntegrityError, ProgrammingError):
        raise  # about one statement, not about the database
    except (DatabaseError, PoolTimeout) as error:
        cause = _line(error.orig if isinstance(error, DatabaseError) else error)
        if _passes(engine, error):
            raise Away(f"the database {shown(engine.url)} does not answer: {cause}", "try again in a moment") from error
        hint = "check that it is a database of this program, writable, on a disk with room, and not held by another"
        raise StoreError(f"the database {shown(engine.url)} cannot be used: {cause}", hint) from error


def _passes(engine: Engine, error: DatabaseError | PoolTimeout) -> bool:
    """Whether it can work at the next attempt: a server that is away, a deadlock; a file is there or it is not."""
    return isinstance(error, PoolTimeout | OperationalError) and engine.dialect.name != "sqlite"


def _line(cause: object) -> str:
    return " ".join(str(cause).split())


def shown(url: URL) -> str:
    """As it may be told: without a password."""
    return url.database or "" if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
