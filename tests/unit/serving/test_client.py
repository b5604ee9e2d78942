"""The client: what it sends again and what not, problems as exceptions, pages, events, files that appear whole."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.bodies import told
from serving.calls import ATTEMPTS
from serving.client import (
    Busy,
    Client,
    Conflict,
    Denied,
    Invalid,
    NotThere,
    ServerFault,
    ServiceError,
    Unreachable,
)
from serving.problem import Problem
from serving.settings import Settings

Answer = httpx.Response | Exception
RUN = {
    "id": "r1",
    "title": "films",
    "task": "films",
    "recipe": "agent",
    "state": "running",
    "why": "",
    "created": "2026-01-01T00:00:00.000000+00:00",
    "updated": "2026-01-01T00:00:00.000000+00:00",
    "origin": "service",
    "budget": 32,
    "cells": 1,
    "finished": 0,
    "human_labels": 3,
    "machine_labels": 0,
    "cost": {"calls": 7},
    "asked": {"kind": "labels", "round": 0, "done": 3, "total": 8},
    "news": "of a later version",
}
ITEM = {
    "token": "t/1",
    "example": "a",
    "text": "a film",
    "text_b": None,
    "round": 0,
    "position": 0,
    "suggestion": None,
    "blind": False,
    "expires": 1.0,
    "chosen": None,
}
RECEIPT = {
    "example": "a",
    "choice": {"verdict": "label", "label": "positive"},
    "confirmed": False,
    "repeated": False,
    "done": 1,
    "total": 2,
}


def problem(status: int, detail: str = "no", hint: str = "do this", **headers: str) -> httpx.Response:
    body = Problem(title="x", status=status, detail=detail, hint=hint).model_dump()
    return httpx.Response(status, json=body, headers={"content-type": "application/problem+json", **headers})


class Script:
    """A service that answers one thing after the other, and the client that talks to it."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.seen = list(answers), list[httpx.Request]()
        transport = httpx.MockTransport(self.answer)
        self.client = Client("", http=httpx.Client(transport=transport, base_url="http://service"), again=0.0)

    def answer(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.seen.append(request)
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Denied),
        (403, Denied),
        (404, NotThere),
        (409, Conflict),
        (413, Invalid),
        (422, Invalid),
        (500, ServerFault),
    ],
)
def test_problems_are_exceptions(status: int, kind: type[ServiceError]) -> None:
    script = Script(problem(status, "the run is gone", "ask for another"))
    with pytest.raises(kind) as caught:
        script.client.runs.get("r1")
    assert (caught.value.status, caught.value.what, caught.value.hint) == (status, "the run is gone", "ask for another")
    assert type(caught.value) is kind


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"{"])
def test_an_answer_that_is_no_problem_document(body: bytes) -> None:
    script = Script(httpx.Response(500, content=body, headers={"content-type": "application/json"}))
    with pytest.raises(ServerFault, match="HTTP 500 from http://service/v1/runs/r1"):
        script.client.runs.get("r1")


AGAIN: list[Answer] = [
    httpx.ConnectError("refused"),
    httpx.ReadError("reset"),
    problem(503),
    problem(429, **{"retry-after": "0"}),
]


@pytest.mark.parametrize("first", AGAIN)
def test_a_look_is_sent_again(first: Answer) -> None:
    script = Script(first, httpx.Response(200, json=RUN))
    run = script.client.runs.get("r1")
    assert (run.id, run.state, run.over) == ("r1", "running", False)
    assert (run.budget, run.cost.calls, run.asked and run.asked.done) == (32, 7, 3)
    assert (run.model_extra or {})["news"] == "of a later version"
    assert len(script.seen) == 2


def test_it_is_given_up_in_the_end() -> None:
    script = Script(*[problem(503, "starting") for _ in range(ATTEMPTS)])
    with pytest.raises(Busy, match="starting"):
        script.client.runs.get("r1")
    assert len(script.seen) == ATTEMPTS
    script = Script(*[httpx.ReadTimeout("slow") for _ in range(ATTEMPTS)])
    with pytest.raises(Unreachable, match=r"no answer from http://service.*slow; start it"):
        script.client.runs.get("r1")


@pytest.mark.parametrize("first", [httpx.ReadError("reset"), problem(503)])
def test_a_lease_is_not_asked_for_twice_where_the_first_may_have_been_given(first: Answer) -> None:
    script = Script(first)
    with pytest.raises(ServiceError):
        script.client.review.next("r1", "ann")
    assert len(script.seen) == 1


@pytest.mark.parametrize("first", [httpx.ConnectError("refused"), problem(429)])
def test_a_lease_is_asked_for_again_where_nothing_can_have_happened(first: Answer) -> None:
    script = Script(first, httpx.Response(204))
    assert script.client.review.next("r1", "ann") is None
    assert len(script.seen) == 2


def test_a_run_is_created_again_under_the_same_key() -> None:
    script = Script(httpx.ReadError("reset"), httpx.Response(201, json=RUN), httpx.Response(200, json=RUN))
    script.client.runs.create({"data": "d"})
    script.client.runs.create({"data": "d"}, key="mine")
    first, second, third = [request.headers["idempotency-key"] for request in script.seen]
    assert first == second != third == "mine"
    assert json.loads(script.seen[1].content) == {"data": "d"}


def test_answers() -> None:
    progress = {"round": 0, "total": 3, "done": 2, "held": 0, "mine": 2, "seconds_per_label": None}
    script = Script(
        httpx.Response(200, json=ITEM),
        httpx.Response(200, json=RECEIPT),
        httpx.Response(200, json={**RECEIPT, "done": 2, "why": "odd"}),
        httpx.Response(204),
        httpx.Response(200, json=ITEM),
        httpx.Response(200, json=progress),
    )
    review = script.client.review
    found = review.next("r1", "ann")
    assert found is not None
    assert (found.token, found.text) == ("t/1", "a film")
    assert review.answer("r1", found.token, "positive", seconds=2.5).done == 1
    assert review.answer("r1", found.token, verdict="bad_text").why == "odd"
    review.skip("r1", found.token)
    assert review.undo("r1", "ann", "a") == found
    assert review.progress("r1", "ann").mine == 2
    assert [(r.method, r.url.raw_path.decode()) for r in script.seen] == [
        ("POST", "/v1/runs/r1/review"),
        ("POST", "/v1/runs/r1/labels"),
        ("POST", "/v1/runs/r1/labels"),
        ("POST", "/v1/runs/r1/review/t%2F1/skip"),
        ("POST", "/v1/runs/r1/review/undo"),
        ("GET", "/v1/runs/r1/review?who=ann"),
    ]
    assert json.loads(script.seen[4].content) == {"who": "ann", "example": "a"}
    assert [json.loads(r.content) for r in script.seen[1:3]] == [
        {"token": "t/1", "label": "positive", "seconds": 2.5},
        {"token": "t/1", "verdict": "bad_text"},
    ]


def test_picks() -> None:
    pick = {
        "example": "b/c",
        "text": "x",
        "text_b": None,
        "why": "odd",
        "round": 1,
        "kept": None,
        "reason": "",
        "who": "",
    }
    page = {"items": [pick], "next": None}
    left = [httpx.Response(200, json={"left": n}) for n in (2, 1, 0)]
    script = Script(httpx.Response(200, json=page), *left)
    picks = script.client.picks
    assert [(each.example, each.kept) for each in picks.list("r1")] == [("b/c", None)]
    assert [picks.keep("r1", "b/c"), picks.strike("r1", "b/c", "two films", "eve"), picks.keep_rest("r1")] == [2, 1, 0]
    assert [request.url.raw_path.decode() for request in script.seen[1:]] == [
        "/v1/runs/r1/picks/b%2Fc",
        "/v1/runs/r1/picks/b%2Fc",
        "/v1/runs/r1/picks",
    ]
    assert json.loads(script.seen[2].content) == {"keep": False, "reason": "two films", "who": "eve"}


def test_a_run_is_waited_for() -> None:
    states = ["queued", "running", "waiting", "done"]
    script = Script(*[httpx.Response(200, json={**RUN, "state": state}) for state in states])
    assert script.client.runs.wait("r1", poll=0, people=True).state == "waiting"
    assert script.client.runs.wait("r1", poll=0).over
    script = Script(httpx.Response(200, json=RUN))
    with pytest.raises(TimeoutError, match="run r1 is running after 0 seconds"):
        script.client.runs.wait("r1", timeout=0, poll=0.01)


def test_who_waits_is_not_sent_the_same_run_again() -> None:
    old, new = ({"ETag": f'"{name}"'} for name in ("old", "new"))
    script = Script(
        httpx.Response(200, json=RUN, headers=old),
        httpx.Response(304, headers=old),
        httpx.Response(200, json={**RUN, "state": "done"}, headers=new),
    )
    assert script.client.runs.wait("r1", poll=0).state == "done"
    assert [request.headers.get("if-none-match") for request in script.seen] == [None, '"old"', '"old"']


def stream(*events: str) -> httpx.Response:
    return httpx.Response(200, content="".join(events).encode(), headers={"content-type": "text/event-stream"})


def event(seq: int, kind: str, data: str) -> str:
    return f"id: {seq}\nevent: {kind}\ndata: {data}\n\n"


def test_events_go_on_where_they_broke_off() -> None:
    script = Script(
        stream(": hello\n\n", event(3, "state", '{"state": "running"}')),
        httpx.Response(200, json=RUN),
        httpx.ReadError("reset"),
        stream(event(7, "state", '{"state": "done"}')),
        httpx.Response(200, json={**RUN, "state": "done"}),
    )
    found = list(script.client.runs.events("r1"))
    assert [(each.seq, each.kind, each.data["state"]) for each in found] == [
        (3, "state", "running"),
        (7, "state", "done"),
    ]
    asked = [request.headers.get("last-event-id") for request in script.seen if request.url.path.endswith("events")]
    assert asked == [None, "3", "3"]


def test_events_of_a_run_that_is_not_there() -> None:
    with pytest.raises(NotThere):
        list(Script(problem(404)).client.runs.events("r1"))


def test_lines_of_server_sent_events() -> None:
    lines = [
        "retry: 5",
        ": ping",
        "",
        "data: {",
        'data: "a": 1}',
        "",
        "id: x",
        "event: odd",
        "data: plain",
        "",
        "data: x",
    ]
    found = list(told(lines))
    assert [(each.seq, each.kind, each.data) for each in found] == [
        (0, "message", {"a": 1}),
        (0, "odd", {"value": "plain"}),
    ]


def test_files_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise httpx.ReadError("reset")

    script = Script(
        httpx.Response(200, content=b"whole"), httpx.Response(200, content=broken()), problem(409, "not yet")
    )
    assert script.client.runs.model("r1", tmp_path / "model.tar.gz").read_bytes() == b"whole"
    with pytest.raises(Unreachable):
        script.client.runs.save_labels("r1", tmp_path / "labels.csv")
    with pytest.raises(Conflict, match="not yet"):
        script.client.runs.model("r1", tmp_path / "other.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["model.tar.gz"]
    assert script.seen[1].url.params["format"] == "csv"


def test_labels_one_by_one() -> None:
    rows = [{"id": "a", "label": "x"}, {"id": "b", "label": None}]
    script = Script(httpx.Response(200, content="".join(json.dumps(row) + "\n" for row in rows).encode()))
    assert list(script.client.runs.labels("r1")) == rows


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a service in this process."""
    home = tmp_path_factory.mktemp("service")
    with TestClient(create_app(Settings(home=home, cache=home, engine_url="http://127.0.0.1:9"))) as http:
        yield Client("", http=http)


def test_data_sets(service: Client, tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_text("id,body,label\na,one,pos\nb,two,\n")
    found = service.datasets.upload(path, text="body")
    assert (found.name, found.rows, found.labelled) == ("films", 2, 1)
    rows = [{"id": "a", "text": "one", "label": "pos"}, {"id": "b", "text": "two"}]
    assert service.datasets.upload(rows, "films").id == found.id
    assert service.datasets.upload(iter(rows), "films").id == found.id
    assert service.datasets.get(found.id) == found
    many = service.datasets.upload(({"text": f"sentence {n}"} for n in range(1200)), "many")
    assert [each.text for each in service.datasets.examples(many.id)] == [f"sentence {n}" for n in range(1200)]
    assert {each.id for each in service.datasets.list()} >= {found.id, many.id}


def test_files_of_other_tools_go_both_ways(service: Client, tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps([{"data": {"id": "a", "text": "one"}}]))
    assert service.datasets.upload(path, format="label-studio").rows == 1
    with pytest.raises(Invalid, match="is no table"):
        service.datasets.upload(path)
    script = Script(httpx.Response(200, content=b"[]"))
    assert script.client.runs.save_labels("r1", tmp_path / "back.json", "argilla").read_bytes() == b"[]"
    assert script.seen[0].url.params["format"] == "argilla"


def test_refused_uploads(service: Client, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="the upload row 2: column 'text' is '', no text"):
        service.datasets.upload([{"text": "a"}, {"text": ""}])
    with pytest.raises(Invalid, match=r"ends in '.xlsx'; give a file that ends in .csv"):
        service.datasets.upload(tmp_path / "x.xlsx")
    with pytest.raises(NotThere, match="no data set"):
        service.datasets.get("none")


def test_a_file_is_sent_again_from_its_start_and_used_up_rows_are_not(tmp_path: Path) -> None:
    shown = {
        "id": "d",
        "name": "x",
        "rows": 1,
        "pairs": False,
        "labelled": 0,
        "columns": ["text"],
        "bytes": 1,
        "created": "now",
    }
    path = tmp_path / "x.csv"
    path.write_text("text\na\n")
    script = Script(httpx.ReadError("reset"), httpx.Response(201, json=shown))
    assert script.client.datasets.upload(path).id == "d"
    assert [request.content for request in script.seen] == [b"text\na\n"] * 2
    script = Script(httpx.ReadError("reset"))
    with pytest.raises(Unreachable):
        script.client.datasets.upload(iter([{"text": "a"}]))


def test_a_role(service: Client) -> None:
    request = {
        "task": {"name": "t", "labels": [{"name": "a"}, {"name": "b"}]},
        "k": 1,
        "strategy": {"kind": "random"},
        "examples": [{"id": "x", "text": "one"}, {"id": "y", "text": "two"}],
    }
    found = service.select(request)
    assert len(found.picks) == 1
    with pytest.raises(Invalid):
        service.select({**request, "k": 0})


def test_the_key_is_sent() -> None:
    client: Any = Client("http://service/", key="secret")
    assert client._calls._http.headers["authorization"] == "Bearer secret"
    assert str(client._calls._http.base_url) == "http://service"


def test_importing_it_is_light() -> None:
    code = "import sys, serving.client; print([m for m in sys.argv[1:] if m in sys.modules])"
    heavy = ["torch", "transformers", "sqlalchemy", "fastapi", "numpy", "pyarrow", "sklearn", "langchain_core"]
    found = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
