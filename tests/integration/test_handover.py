"""A service that is told to stop hands its runs over: nothing is asked twice, whoever comes next goes on at once."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from serving.database import open_database, reading
from serving.llm.ledger import calls
from serving.runs.schema import runs
from tests.support.cli import asked, user_files, weather_answer, weather_lean
from tests.support.fake_openai import FakeOpenAI
from tests.support.questions import TASK
from tests.support.server import Server

pytestmark = pytest.mark.student


@pytest.fixture
def llm() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(answer=weather_answer, lean=weather_lean, latency=0.2) as fake:
        yield fake


def patiently(server: Server, method: str, path: str, good: tuple[int, ...], **request: Any) -> dict[str, Any]:
    end = time.monotonic() + 60
    while True:
        answer = httpx.request(method, server.url + path, timeout=60, **request)
        if answer.status_code in good:
            return answer.json()
        assert answer.status_code == 503, answer.text
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_stop_in_the_middle_of_a_run_asks_nothing_twice(llm: FakeOpenAI, tmp_path: Path) -> None:
    _, pool, _ = user_files(tmp_path / "in")
    home = tmp_path / "home"
    with Server(home, llm.url) as server:
        csv = {"Content-Type": "text/csv"}
        data = patiently(server, "POST", "/v1/datasets", (201,), content=pool.read_bytes(), headers=csv)["id"]
        task = json.loads(TASK.model_dump_json())
        wish = {"task": task, "data": data, "budget": 8, "reads": 40, "students": ["svm"], "people": "simulated"}
        run = patiently(server, "POST", "/v1/runs", (201,), json=wish)["id"]
        end = time.monotonic() + 60
        while len(asked(llm.bodies)) < 20 or not llm.under_way:
            assert time.monotonic() < end
            time.sleep(0.005)
        server.stop()
        database = open_database(home / "thresher.db")
        with reading(database) as connection:
            row = connection.execute(select(runs.c.owner, runs.c.state).where(runs.c.id == run)).one()
            unanswered = connection.execute(select(func.count()).where(calls.c.reply.is_(None))).scalar_one()
        database.dispose()
        assert (row.owner, row.state, unanswered) == ("", "running", 0)
        seen = len(asked(llm.bodies))
        server.start()
        end = time.monotonic() + 120
        while (state := patiently(server, "GET", f"/v1/runs/{run}", (200,))["state"]) != "done":
            assert state in ("queued", "running")
            assert time.monotonic() < end
            time.sleep(0.1)
    questions = Counter(json.dumps(body, sort_keys=True) for body in asked(llm.bodies))
    assert len(questions) > seen, "there was something left to ask"
    assert questions.most_common(1)[0][1] == 1
    log = server.log.read_text(encoding="utf-8")
    assert "level=error" not in log
    assert "Traceback" not in log
