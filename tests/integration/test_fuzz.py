"""Every operation of the OpenAPI document under generated requests: no 5xx, and every answer is one that it announces.

A quick pass by default; `THRESHER_FUZZ=500` generates that many requests for each operation.
"""

import copy
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from agent.domain import Example, Pick
from serving.app import create_app
from serving.settings import Settings
from tests.support.cli import weather_answer, weather_lean
from tests.support.fake_openai import FakeOpenAI
from tests.support.questions import TASK, texts
from tests.support.served import served
from tests.support.service import ready

QUICK = 8
CASES = int(os.environ.get("THRESHER_FUZZ") or QUICK)
"""Requests for each operation."""
NDJSON = "application/x-ndjson"
PROMPT = "annotate/label"
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


@dataclass(frozen=True)
class Service:
    """A service behind a socket, and an administrator's session with it."""

    url: str
    app: FastAPI
    session: requests.Session

    def answered(self, method: str, path: str, **request: Any) -> Any:
        """The JSON of an answer that has to be fine."""
        answer = self.session.request(method, self.url + path, timeout=60, **request)
        assert answer.ok, answer.text
        return answer.json()

    def operations(self) -> list[Any]:
        document = copy.deepcopy(self.app.openapi())
        document["components"].pop("securitySchemes")  # the session holds a key; made-up ones would all be refused
        for methods in document["paths"].values():
            for each in methods.values():
                each.pop("security", None)
        schema = schemathesis.openapi.from_dict(document)
        return [found.ok() for found in schema.get_all_operations()]


@contextmanager
def service(home: Path, llm: str, database: str = "") -> Iterator[Service]:
    made = Settings(home=home, engine_url=llm, model="", rate=0, queued_runs=10_000, database=database)
    app = create_app(made)
    with served(app) as url, requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {app.state.desk.keys.make('fuzz', ['admin'])}"
        session.trust_env = False
        ready(app.state.desk.llm)
        yield Service(url, app, session)


def hammered(service: Service, operation: Any, cases: int, known: Mapping[str, str]) -> tuple[Counter[int], list[str]]:
    """How often each status was answered, and what was wrong, a line each.

    Args:
        known: ids that exist, by the name of the path's parameter; half of the requests take one.
    """
    statuses: Counter[int] = Counter()
    wrong: dict[str, str] = {}

    @given(case=operation.as_strategy(), exists=st.booleans())
    @settings(
        max_examples=cases,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def each(case: Any, exists: bool) -> None:
        if exists:
            case.path_parameters.update({k: v for k, v in known.items() if f"{{{k}}}" in operation.path})
        answer = case.call(base_url=service.url, session=service.session, timeout=60)
        statuses[answer.status_code] += 1
        try:
            case.validate_response(answer, checks=list(CHECKS))
        except FailureGroup as error:
            told = " ".join(f"{answer.status_code} {error.exceptions[0]}".split())
            wrong.setdefault(told[:80], f"{operation.label}: {told[:600]}  {case.as_curl_command()[:1500]}")

    each()
    return statuses, list(wrong.values())


@dataclass(frozen=True)
class Seeds:
    """What there is for requests to be about."""

    data: str
    done: str
    """A run that is over."""
    waiting: str
    """One that waits for people, over labels and over picks."""
    other: str
    """One that may be stopped."""


def seed(service: Service) -> Seeds:
    columns, classes = texts(60, seed=1)
    lines = [
        json.dumps({"id": i, "text": t, "label": TASK.names[c]})
        for i, t, c in zip(columns.ids, columns.texts, classes, strict=True)
    ]
    upload = {"data": "\n".join(lines).encode(), "headers": {"Content-Type": NDJSON}}
    data = service.answered("POST", "/v1/datasets", **upload)["id"]
    runs = [
        service.answered("POST", "/v1/runs", json=wish(data, name=f"run {n}", people=people))["id"]
        for n, people in enumerate(("simulated", "queue", "queue"))
    ]
    for run, wanted in zip(runs, ("done", "waiting", "waiting"), strict=True):
        end = time.monotonic() + 120
        while (state := service.answered("GET", f"/v1/runs/{run}")["state"]) != wanted:
            assert state != "failed", service.answered("GET", f"/v1/runs/{run}")
            assert time.monotonic() < end, state
            time.sleep(0.1)
    example = Example(id="t1-0", text="warm morning")
    service.app.state.desk.picks.put(runs[1], 0, [Pick(example=example, score=1.0, why="unlike the others")])
    return Seeds(data, *runs)


def wish(data: str, **changes: object) -> dict[str, object]:
    """The body of a small run without an LLM's labels."""
    task = TASK.model_dump(mode="json")
    body = {"task": task, "data": data, "budget": 4, "reads": 20, "recipe": "random", "students": ["svm"]}
    return {**body, "people": "simulated", **changes}


def good(service: Service, seeds: Seeds) -> dict[str, Callable[[], dict[str, Any]]]:
    """A request that is fine, for operations that generated ones seldom get right; `ids` go into the path."""
    task = TASK.model_dump(mode="json")
    some = [{"id": "a", "text": "warm bright morning"}, {"id": "b", "text": "cold wet road"}]
    waiting = {"run": seeds.waiting}
    studio = {"project": seeds.waiting}

    def taken(who: str) -> str:
        """The token of a text that this person holds."""
        return service.answered("POST", f"/v1/runs/{seeds.waiting}/review", json={"who": who})["token"]

    def labelled() -> dict[str, Any]:
        return {"ids": waiting, "json": {"token": taken("one"), "label": TASK.names[0]}}

    def waited() -> dict[str, Any]:
        """A task of Label Studio's that the run waits for."""
        found = service.answered("GET", f"/label-studio/{seeds.waiting}/tasks")[-1]
        return {"id": 7, "data": found["data"]}

    def annotated() -> dict[str, Any]:
        region = {"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": [TASK.names[0]]}}
        said = {"id": 5, "task": 7, "result": [region], "updated_at": "2026-01-01T00:00:00Z", "completed_by": 1}
        return {"action": "ANNOTATION_CREATED", "annotation": said, "task": waited(), "project": {"id": 1}}

    return {
        "POST /v1/select": lambda: {"json": {"task": task, "examples": some, "k": 1, "strategy": {"kind": "random"}}},
        "POST /v1/annotate": lambda: {"json": {"task": task, "examples": some}},
        "POST /v1/generate": lambda: {"json": {"task": task, "n": 1, "labels": [TASK.names[0]]}},
        "POST /v1/prompts/{id}/render": lambda: {"json": {"task": task, "variables": {"items": ["warm"]}}},
        "POST /v1/datasets": lambda: {"data": b"id,text\na,one\n", "headers": {"Content-Type": "text/csv"}},
        "POST /v1/plan": lambda: {"json": wish(seeds.data, name="as it is run", asked={"noise": 0.1})},
        "POST /v1/runs": lambda: {"json": wish(seeds.data)},
        "POST /v1/runs/{run}/cancel": lambda: {"ids": {"run": seeds.other}},
        "POST /v1/runs/{run}/resume": lambda: {"ids": {"run": seeds.other}},
        "POST /v1/runs/{run}/labels": labelled,
        "POST /v1/runs/{run}/review": lambda: {"ids": waiting, "json": {"who": "two"}},
        "GET /v1/runs/{run}/review": lambda: {"ids": waiting},
        "POST /v1/runs/{run}/review/undo": lambda: {"ids": waiting, "json": {"who": "one"}},
        "POST /v1/runs/{run}/review/{token}/skip": lambda: {"ids": {**waiting, "token": taken("three")}},
        "POST /v1/runs/{run}/picks": lambda: {"ids": waiting, "json": {"keep": True}},
        "POST /label-studio/{project}/setup": lambda: {"ids": studio, "json": {}},
        "POST /label-studio/{project}/predict": lambda: {"ids": studio, "json": {"tasks": [waited()]}},
        "POST /label-studio/{project}/webhook": lambda: {"ids": studio, "json": annotated()},
        "POST /v1/runs/{run}/picks/{example}": lambda: {"ids": {**waiting, "example": "t1-0"}, "json": {"keep": True}},
    }


@pytest.mark.student
def test_no_request_is_answered_by_a_failure_or_by_what_was_not_announced(tmp_path: Path) -> None:
    wrong: list[str] = []
    never: list[str] = []
    with FakeOpenAI(answer=weather_answer, lean=weather_lean) as llm, service(tmp_path, llm.url) as served:
        seeds = seed(served)
        fine = good(served, seeds)
        for operation in served.operations():
            known = {
                "run": seeds.done,
                "project": seeds.waiting,
                "index": "0",
                "id": seeds.data if "/datasets/" in operation.path else PROMPT,
            }
            if "/review" in operation.path or "/picks" in operation.path:
                known["run"] = seeds.waiting
            statuses, found = hammered(served, operation, CASES, known)
            wrong += found
            request = fine.get(operation.label, dict)()
            url = served.url + operation.path.format_map({**known, **request.pop("ids", {})})
            answer = served.session.request(operation.method, url, timeout=120, **request)
            statuses[answer.status_code] += 1
            if not any(200 <= status < 300 for status in statuses):
                never.append(f"{operation.label}: {dict(statuses)} {answer.text[:300]}")
            if CASES > QUICK:
                sys.stdout.write(f"{operation.label} {dict(statuses)}\n")
    assert not wrong, "\n".join(wrong)
    assert not never, "never answered 2xx: " + "\n".join(never)
