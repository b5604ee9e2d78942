import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.errors import EngineError
from serving.connect import Setting
from serving.engine import server
from serving.engine.options import Options
from serving.engine.server import Launch
from serving.settings import Settings
from tests.support.fake_openai import MODEL, FakeOpenAI
from tests.unit.serving.test_engine import free_port


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def fake() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as server:
        yield server


def setting(said: list[str], tmp_path: Path, **fields: Any) -> Setting:
    return Setting(Settings(cache=tmp_path, **fields), said.append)


def test_a_given_server_is_probed_and_nothing_is_started(fake: FakeOpenAI, said: list[str], tmp_path: Path) -> None:
    served = setting(said, tmp_path, engine_url=fake.url).connect()
    assert (served.urls, served.model) == ((f"{fake.url}/v1",), MODEL)
    assert (served.variant, served.source, served.hash, served.dtype) == (None, None, None, None)
    assert served.honours.reads
    assert "weights unknown" in said[0]
    assert [line for line in said if line.startswith("note:")], "it answers no pattern, which has to be said"
    assert list(tmp_path.iterdir()) == []


def test_replicas_that_honour_different_things_are_refused(fake: FakeOpenAI, said: list[str], tmp_path: Path) -> None:
    with FakeOpenAI(token_ids=False) as other:
        urls = f"{fake.url},{other.url}"
        with pytest.raises(EngineError, match=f"replicas differ in what they honour: {fake.url}/v1 and {other.url}/v1"):
            setting(said, tmp_path, engine_url=urls).connect()


def test_a_given_server_that_is_away_is_an_error(said: list[str], tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no OpenAI-compatible server answers"):
        setting(said, tmp_path, engine_url=f"http://127.0.0.1:{free_port()}").connect()


def test_an_engine_is_probed_once_in_its_life(said: list[str], tmp_path: Path, fake: FakeOpenAI) -> None:
    """Our own engine here is a server that answers, found on its port under the name that the weights give it."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"dtype": "float32"}), encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"weights")
    made = setting(said, tmp_path / "cache", port=free_port())
    model = made.models().resolve(str(folder))
    script = Path(__file__).parents[2] / "support" / "fake_engine.py"
    launch = Launch(
        command=(sys.executable, str(script)),
        options=Options(choices=(), arguments=("--answers", fake.url), environment={}),
    )
    server.up(model, made.place, lambda: launch, say=said.append)
    try:
        first = made.connect(str(folder))
        count = len(fake.bodies)
        assert count > 0
        assert made.connect(str(folder)) == first
        assert len(fake.bodies) == count
        assert (first.hash, first.source, first.model) == (model.hash, "local", model.served)
        made.place.probed.write_text("{}", encoding="utf-8")
        assert made.connect(str(folder)) == first
        assert len(fake.bodies) > count
    finally:
        server.down(made.place, said.append)
    assert not made.place.probed.exists()
