"""The demonstration as a client of the service, and the service in the background that it starts."""

import json
import socket
from pathlib import Path

import pytest

from evaluation.records import Comparison
from serving.client import Client
from serving.database import open_database
from serving.runs.demo import Follower, Prepared, begin, take_home, told
from serving.runs.results import FILES
from serving.service.keys import Keys, passing
from tests.support.cli import thresher, user_files, weather_answer, weather_lean
from tests.support.fake_openai import FakeOpenAI
from tests.support.questions import TASK
from tests.support.server import Server

WISH = {
    "task": json.loads(TASK.model_dump_json()),
    "budget": 8,
    "compare": True,
    "students": ["svm"],
    "people": "simulated",
    "reads": 40,
    "data_card": "rotten_tomatoes",
}


@pytest.mark.student
def test_it_uploads_begins_follows_and_takes_home(tmp_path: Path) -> None:
    prepared = Prepared(*user_files(tmp_path / "in"), wish=WISH)
    lines: list[str] = []
    shares: list[float] = []
    with (
        FakeOpenAI(answer=weather_answer, lean=weather_lean) as llm,
        Server(tmp_path / "home", llm.url) as server,
        Client(server.url) as client,
    ):
        run = begin(client, prepared)
        Follower(client, run, lines.append, lambda share, _left, _doing: shares.append(share)).follow()
        report = take_home(client, run, tmp_path / "out")
        assert begin(client, prepared) == run, "asked for again, it is the same run"
        again: list[str] = []
        Follower(client, run, again.append, lambda _share, _left, _doing: None).follow()
    assert lines[0].startswith("2 texts chosen by kmeans then llm"), "the first quarter of the budget"
    cells = [line for line in lines if line.startswith("[")]
    assert cells[-1].startswith("[6/6]")
    assert again == lines, "who comes later is told the same"
    assert shares == sorted(shares)
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(FILES)
    assert isinstance(report, Comparison)
    assert (tmp_path / "out" / "student" / "student.json").is_file()
    said = told(report, tmp_path / "out")
    assert "random people + LLM labels" in said
    assert report.data is not None


def test_a_key_passes_only_where_keys_are_needed(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "db")
    with passing(engine, "demo") as secret:
        assert secret is None
    Keys(engine).make("ann", ["read"])
    with passing(engine, "demo") as secret:
        assert secret is not None
        found = Keys(engine).find(secret)
        assert found is not None
        assert found.name == "demo"
    assert Keys(engine).find(secret) is None
    engine.dispose()


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_a_service_in_the_background_is_started_found_and_stopped(tmp_path: Path) -> None:
    named = {
        "THRESHER_HOME": str(tmp_path / "home"),
        "THRESHER_SERVICE_PORT": free_port(),
        "THRESHER_ENGINE_URL": "http://127.0.0.1:9",
    }
    assert thresher("service", "status", cwd=tmp_path, **named).returncode == 1
    first = thresher("service", "up", cwd=tmp_path, **named)
    try:
        assert first.returncode == 0, first.stderr
        assert first.stdout.strip() == f"http://127.0.0.1:{named['THRESHER_SERVICE_PORT']}"
        second = thresher("service", "up", cwd=tmp_path, **named)
        assert second.stdout == first.stdout
        assert "starting" not in second.stderr
        assert thresher("service", "status", cwd=tmp_path, **named).stdout.startswith(f"up: {first.stdout.strip()}")
        assert "serving at" in thresher("service", "logs", cwd=tmp_path, **named).stdout
    finally:
        ended = thresher("service", "down", cwd=tmp_path, **named)
    assert ended.stdout == f"stopped the service at {first.stdout}"
    assert thresher("service", "status", cwd=tmp_path, **named).returncode == 1
    assert thresher("service", "down", cwd=tmp_path, **named).stdout.startswith("no service of ours")


def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        named = {"THRESHER_HOME": str(tmp_path / "home"), "THRESHER_SERVICE_PORT": port}
        refused = thresher("service", "up", cwd=tmp_path, **named)
    assert refused.returncode == 2
    assert f"port {port} cannot be listened on" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
