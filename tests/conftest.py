"""What every test is given: a home of its own, so that none reads or writes the user's runs. The cache stays shared."""

import hashlib
import os

import pytest

# Before numpy is imported: matrices here are tiny, and threads that wait for each other take longer than the sums.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _own_home(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    monkeypatch.setenv("THRESHER_HOME", str(tmp_path_factory.getbasetemp() / "homes" / name))
