"""One database file for threads and processes, and one line where it cannot be."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, Text, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from agent.errors import BadInput, StoreError
from serving.database import Away, open_database, reading, writing
from tests.support.databases import NoPostgres, Postgres


@pytest.fixture
def counted() -> Table:
    return Table("counted", MetaData(), Column("n", Integer, primary_key=True))


def make(engine: Engine, table: Table) -> None:
    with writing(engine) as connection:
        table.metadata.create_all(connection)


def test_a_file_is_made_with_its_folders_and_set_up(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "deep" / "er" / "x.db")
    with reading(engine) as connection:
        found = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert found == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 60_000}


def test_a_url_and_a_path_are_the_same_file(tmp_path: Path, counted: Table) -> None:
    one, other = open_database(tmp_path / "x.db"), open_database(f"sqlite:///{tmp_path / 'x.db'}")
    make(one, counted)
    with writing(one) as connection:
        connection.execute(insert(counted).values(n=1))
    with reading(other) as connection:
        assert connection.execute(select(counted.c.n)).scalars().all() == [1]
    one.dispose()
    other.dispose()


def test_writers_in_many_threads_wait_for_one_another(tmp_path: Path, counted: Table) -> None:
    """Each reads and then writes: with deferred transactions this fails at once, however long the busy time-out."""
    engine = open_database(tmp_path / "x.db")
    make(engine, counted)

    def work() -> None:
        for _ in range(10):
            with writing(engine) as connection:
                n = len(connection.execute(select(counted.c.n)).all())
                connection.execute(insert(counted).values(n=n))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(engine) as connection:
        assert connection.execute(select(counted.c.n)).scalars().all() == list(range(80))
    engine.dispose()


def test_a_failed_transaction_leaves_nothing(tmp_path: Path, counted: Table) -> None:
    engine = open_database(tmp_path / "x.db")
    make(engine, counted)

    def fail() -> None:
        with writing(engine) as connection:
            connection.execute(insert(counted).values(n=1))
            connection.execute(insert(counted).values(n=1))

    with pytest.raises(IntegrityError):
        fail()
    with reading(engine) as connection:
        assert connection.execute(select(counted)).all() == []
    engine.dispose()


@pytest.mark.parametrize(
    "place", [":memory:", "", "sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"]
)
def test_a_database_in_memory_is_refused(place: str) -> None:
    with pytest.raises(StoreError, match="file"):
        open_database(place)


@pytest.mark.parametrize(
    ("url", "what"),
    [("nonsense://x/y", "no driver"), ("://", "no database URL"), ("http//x://", "no database URL")],
)
def test_an_address_that_is_none_is_named(url: str, what: str) -> None:
    with pytest.raises(StoreError, match=what):
        open_database(url)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, " * 100)
    with pytest.raises(StoreError, match=r"notes\.txt"):
        open_database(path)
    assert path.read_text().startswith("these are my notes")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        open_database(tmp_path / "file" / "x.db")


def test_a_read_sees_one_moment(database: str, counted: Table) -> None:
    engine = open_database(database)
    make(engine, counted)
    with reading(engine) as connection:
        before = connection.execute(select(counted.c.n)).all()
        with writing(engine) as other:
            other.execute(insert(counted).values(n=1))
        assert connection.execute(select(counted.c.n)).all() == before == []
    with reading(engine) as connection:
        assert connection.execute(select(counted.c.n)).scalars().all() == [1]
    engine.dispose()


def test_two_that_decide_about_one_row_do_so_one_after_the_other(database: str) -> None:
    """On PostgreSQL by the lock on that row, on SQLite because it has one writer."""
    engine = open_database(database)
    numbers = Table("numbers", MetaData(), Column("id", Integer, primary_key=True), Column("n", Integer))
    make(engine, numbers)
    with writing(engine) as connection:
        connection.execute(insert(numbers).values(id=1, n=0))

    def work() -> None:
        for _ in range(10):
            with writing(engine) as connection:
                n = connection.execute(select(numbers.c.n).where(numbers.c.id == 1).with_for_update()).scalar_one()
                connection.execute(update(numbers).where(numbers.c.id == 1).values(n=n + 1))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(engine) as connection:
        assert connection.execute(select(numbers.c.n)).scalar_one() == 60
    engine.dispose()


def test_a_value_that_no_column_can_hold_is_the_senders_mistake(database: str) -> None:
    engine = open_database(database)
    kept = Table("kept", MetaData(), Column("id", Integer, primary_key=True), Column("text", Text))
    make(engine, kept)
    impossible: list[dict[str, object]] = [{"id": 2**70}]
    if engine.dialect.name == "postgresql":
        impossible.append({"text": "a\0b"})
    for value in impossible:
        with pytest.raises(BadInput, match="cannot be stored"), writing(engine) as connection:
            connection.execute(insert(kept).values(value))
    engine.dispose()


def halted_between(server: Postgres, engine: Engine, counted: Table) -> None:
    with writing(engine) as connection:
        connection.execute(insert(counted).values(n=2))
        server.halt()
        connection.execute(insert(counted).values(n=3))


def test_a_server_that_restarts_is_away_for_a_moment_and_nothing_committed_is_lost(counted: Table) -> None:
    server = Postgres()
    try:
        engine = open_database(server.start().create())
        make(engine, counted)
        with writing(engine) as connection:
            connection.execute(insert(counted).values(n=1))
        server.halt()
        with pytest.raises(Away, match=r"does not answer: .*; try again in a moment") as refusal, reading(engine):
            pass
        assert refusal.value.retryable
        assert "\n" not in str(refusal.value)
        server.run()
        with reading(engine) as connection:
            assert connection.execute(select(counted.c.n)).scalars().all() == [1]
        with pytest.raises(Away):
            halted_between(server, engine, counted)
        server.run()
        with reading(engine) as connection:
            assert connection.execute(select(counted.c.n)).scalars().all() == [1]
        engine.dispose()
    except NoPostgres as error:
        pytest.skip(str(error))
    finally:
        server.remove()


def test_a_password_is_never_told() -> None:
    with pytest.raises(StoreError) as refusal:
        open_database("postgresql://someone:hunter2@127.0.0.1:1/thresher")
    assert "someone" in str(refusal.value)
    assert "hunter2" not in str(refusal.value)
