"""A database lives longer than a version: made, upgraded without loss, by several at once, and never downgraded."""

import pkgutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Engine, Float, ForeignKey, Integer, MetaData, String, Table, Text, create_engine, text

import serving
from agent.errors import StoreError
from agent.exchange import ChatReply
from serving.database import open_database, reading
from serving.llm.ledger import Ledger
from serving.migrations.every import metadata
from serving.migrations.upgrade import NEWEST, scripts
from serving.runs.store import Store

first = MetaData()
"""The tables of version 0.1.0, which knew no revisions."""
Table(
    "runs",
    first,
    Column("id", String(80), primary_key=True),
    Column("job", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("why", Text, nullable=False, default=""),
    Column("created", String(32), nullable=False),
)
Table(
    "steps",
    first,
    Column("run", String(80), ForeignKey("runs.id"), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("value", Text, nullable=False),
    Column("created", String(32), nullable=False),
)
Table(
    "calls",
    first,
    Column("key", String(64), primary_key=True),
    Column("model", String, nullable=False),
    Column("request", Text, nullable=False),
    Column("owner", String, nullable=False),
    Column("expires", Float, nullable=False),
    Column("reply", Text),
    Column("calls", Integer),
    Column("tokens_in", Integer),
    Column("cached_tokens", Integer),
    Column("tokens_out", Integer),
    Column("seconds", Float),
    Column("answered_at", Float),
)


def plain(url: str) -> Engine:
    """Without what `open_database` does."""
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"))


def of_the_first_version(url: str) -> None:
    engine = plain(url)
    first.create_all(engine)
    moment = "2026-11-20T10:00:00.000000+00:00"
    runs, steps, calls = (first.tables[name] for name in ("runs", "steps", "calls"))
    with engine.begin() as connection:
        for name in ("one", "two"):
            row = {"id": name, "job": "{}", "folder": f"/{name}", "state": "running", "why": "", "created": moment}
            connection.execute(runs.insert().values(row))
            connection.execute(steps.insert().values(run=name, key="a/0", value="7", created=moment))
        answer = ChatReply(text="yes").model_dump_json()
        row = {"key": "k", "model": "m", "request": "{}", "owner": "o", "expires": 1.0, "reply": answer, "calls": 1}
        connection.execute(calls.insert().values(row))
    engine.dispose()


def differences(engine: Engine) -> list[object]:
    """Between the database and the tables of this program."""
    with engine.connect() as connection:
        defaults = engine.dialect.name == "postgresql"  # SQLite's '' and "" are one to it, two to the comparison
        context = MigrationContext.configure(connection, opts={"compare_server_default": defaults})
        return compare_metadata(context, metadata)


@pytest.fixture
def opened(database: str) -> Iterator[Engine]:
    engine = open_database(database)
    yield engine
    engine.dispose()


def test_an_empty_database_gets_the_newest_tables(opened: Engine) -> None:
    assert differences(opened) == []
    with reading(opened) as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [NEWEST]


def test_the_revisions_lead_to_the_tables_of_this_program(database: str) -> None:
    """Where this fails, a table has changed and no revision in serving/migrations/versions says so."""
    of_the_first_version(database)
    engine = open_database(database)
    assert differences(engine) == []
    engine.dispose()


def test_the_newest_revision_is_the_one_that_is_named() -> None:
    assert scripts().get_heads() == [NEWEST]
    assert scripts().get_bases() == ["0001"]


def test_every_table_of_the_program_is_known_to_the_revisions() -> None:
    """In a fresh process: one module's import shows what another has forgotten."""
    modules = [found.name for found in pkgutil.walk_packages(serving.__path__, "serving.")]
    script = f"""
import importlib
from serving.migrations.every import metadata
known = set(metadata.tables)
for name in {modules!r}:
    importlib.import_module(name)
print(sorted(set(metadata.tables) - known))
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]", "import them in serving/migrations/every.py"


def test_what_the_first_version_wrote_is_all_there(database: str) -> None:
    of_the_first_version(database)
    engine = open_database(database)
    store = Store(engine)
    assert {(run.id, run.state, run.origin, run.fence) for run in store.list()} == {
        ("one", "running", "cli", 0),
        ("two", "running", "cli", 0),
    }
    assert store.journal("two").step("a/0", int, lambda: 8) == 7
    assert Ledger(engine).find(["k"])["k"].text == "yes"
    assert store.claim("one", "me", 30) == 1
    engine.dispose()


@pytest.mark.parametrize("old", [False, True], ids=["empty", "of the first version"])
def test_several_may_open_it_at_once(database: str, old: bool) -> None:
    if old:
        of_the_first_version(database)
    failures: list[BaseException] = []
    together = threading.Barrier(4)

    def work() -> None:
        try:
            together.wait(20)
            engine = open_database(database)
            Store(engine).list()
            engine.dispose()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_database_of_a_newer_version_is_left_alone(database: str, opened: Engine) -> None:
    with opened.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9041'"))
    with pytest.raises(StoreError, match=r"by a newer version of this program \(revision '9041'\); install") as refusal:
        open_database(database)
    assert "\n" not in str(refusal.value)


def test_an_upgrade_that_fails_changes_nothing(database: str) -> None:
    of_the_first_version(database)
    mine = plain(database)
    with mine.begin() as connection:
        connection.execute(text("CREATE TABLE reviews (stars INTEGER)"))
    with pytest.raises(StoreError, match=r"cannot be brought from revision none to .*reviews.*; nothing was changed"):
        open_database(database)
    with mine.connect() as connection:
        tables = MetaData()
        tables.reflect(connection)
    assert set(tables.tables) == {*first.tables, "reviews"}
    mine.dispose()


def test_a_database_that_is_up_to_date_is_only_read(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    open_database(path).dispose()
    before = path.read_bytes()
    open_database(path).dispose()
    assert path.read_bytes() == before
