"""What every test is given: a home of its own, so that none reads or writes the user's runs. The cache stays shared."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import NoPostgres, Postgres

# Before numpy is imported: matrices here are tiny, and threads that wait for each other take longer than the sums.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _own_home(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    monkeypatch.setenv("THRESHER_HOME", str(tmp_path_factory.getbasetemp() / "homes" / name))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for all tests of this session; where none can be started, those that need one are skipped."""
    server = Postgres()
    try:
        server.start()
        yield server
    except NoPostgres as error:
        pytest.skip(f"no PostgreSQL can be started here: {error}")
    finally:
        server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once in a file and once on a server. Close its engine before the test ends."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'thresher.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create()
    yield url
    server.drop(url)
