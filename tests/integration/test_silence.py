"""A secret and the text of an item are sent through every operation, and through a run; then the logs are searched."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.database import open_database
from serving.service.keys import Keys
from tests.support.cli import user_files, weather_answer, weather_lean
from tests.support.fake_openai import FakeOpenAI
from tests.support.questions import TASK
from tests.support.server import Server

pytestmark = pytest.mark.student

MARK = "quagga"
TEXT = f"the {MARK} was seen in the warm sun"
ENGINE_KEY = "sesame-open-sesame"
GUESS = "thresher_0123456789abcdef_" + "g" * 43


@pytest.fixture(scope="module")
def llm() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(answer=weather_answer, lean=weather_lean) as fake:
        yield fake


def operations(server: Server) -> list[tuple[str, str]]:
    paths = httpx.get(f"{server.url}/openapi.json", timeout=60).json()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def hammered(server: Server, headers: dict[str, str]) -> None:
    """Every operation, with the text in its path, query and body."""
    examples = [{"id": f"{MARK}-{n}", "text": TEXT} for n in range(3)]
    task = json.loads(TASK.model_dump_json())
    body = {"task": task, "examples": examples, "text": TEXT, "who": MARK, "label": TEXT, "token": TEXT, "k": 1, "n": 1}
    for method, path in operations(server):
        url = server.url + re.sub(r"\{\w+\}", MARK, path)
        for content in (json.dumps(body), f'{{"text": "{TEXT}"'):
            given = {"Content-Type": "application/json", **headers}
            request = httpx.Request(method, url, params={"name": TEXT, "after": MARK}, headers=given, content=content)
            with httpx.Client(timeout=60) as client:
                assert client.send(request).status_code < 500 or path == "/ready"


def answered(server: Server, method: str, path: str, headers: dict[str, str], **request: Any) -> httpx.Response:
    end = time.monotonic() + 60
    while True:
        answer = httpx.request(method, server.url + path, headers=headers, timeout=60, **request)
        if answer.status_code != 503 or time.monotonic() > end:
            assert answer.is_success, answer.text
            return answer
        time.sleep(0.2)


def worked(server: Server, headers: dict[str, str], folder: Path) -> str:
    """A run over texts that all hold the mark, from upload to its end, and the roles."""
    _, pool, _ = user_files(folder, pool=40)
    marked = re.sub(r"(?m)^([^,]+,)", rf"\1{MARK} ", pool.read_text(encoding="utf-8"))
    marked = marked.replace(f"id,{MARK} text", "id,text")
    uploaded = {**headers, "Content-Type": "text/csv"}
    data = answered(server, "POST", "/v1/datasets", uploaded, content=marked.encode()).json()["id"]
    task = json.loads(TASK.model_dump_json())
    wish = {"task": task, "data": data, "budget": 4, "reads": 20, "students": ["svm"], "people": "simulated"}
    run = answered(server, "POST", "/v1/runs", headers, json=wish).json()["id"]
    examples = [{"id": "a", "text": TEXT}, {"id": "b", "text": f"{TEXT}, cold and grey"}]
    answered(server, "POST", "/v1/annotate", headers, json={"task": task, "examples": examples})
    end = time.monotonic() + 120
    while (state := answered(server, "GET", f"/v1/runs/{run}", headers).json()["state"]) != "done":
        assert state in ("queued", "running")
        assert time.monotonic() < end
        time.sleep(0.1)
    assert MARK in answered(server, "GET", f"/v1/runs/{run}/labels", headers).text
    return run


def test_logs_hold_ids_and_numbers_and_neither_texts_nor_secrets(llm: FakeOpenAI, tmp_path: Path) -> None:
    home = tmp_path / "home"
    named = {"THRESHER_LOG_FORMAT": "json", "THRESHER_LOG_LEVEL": "debug", "THRESHER_API_KEY": ENGINE_KEY}
    with Server(home, llm.url, **named) as server:
        engine = open_database(home / "thresher.db")
        secret = Keys(engine).make("Ada", ["admin"])
        engine.dispose()
        headers = {"Authorization": f"Bearer {secret}"}
        run = worked(server, headers, tmp_path / "in")
        hammered(server, headers)
        hammered(server, {"Authorization": f"Bearer {GUESS}", "X-Request-ID": TEXT, "User-Agent": TEXT})
        hammered(server, {"Cookie": f"thresher_key={secret}", "Sec-Fetch-Site": "same-origin", "Referer": TEXT})
    logs = {path.relative_to(home).as_posix(): path.read_text(encoding="utf-8") for path in home.rglob("*.log")}
    assert set(logs) >= {"server.log", f"runs/{run}/worker.log"}
    for name, log in logs.items():
        for kept_out in (MARK, secret, secret[-20:], GUESS, GUESS[-20:], ENGINE_KEY):
            assert kept_out not in log, (name, [line for line in log.splitlines() if kept_out in line][:2])
    said = [json.loads(line) for line in logs["server.log"].splitlines() if line.startswith("{")]
    seen = {(line["method"], line["route"]) for line in said if line["message"] == "request"}
    assert {("POST", "/v1/runs"), ("POST", "/v1/annotate"), ("GET", "/v1/runs/{run}/labels")} <= seen
    assert {line["run"] for line in said if "run" in line} == {run}
    work = [json.loads(line) for line in logs[f"runs/{run}/worker.log"].splitlines()]
    asked = [line for line in work if line["message"] == "the LLM has answered"]
    assert asked
    assert all(line["run"] == run and len(line["call"]) == 12 for line in asked)
    assert "0" in {line.get("round") for line in asked}
