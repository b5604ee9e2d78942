"""ETags: a client that has the newest version is answered 304, and any change gives another one."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import Response
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.runs.review_queue import Ask
from serving.runs.running import keep, pool_of
from serving.runs.worker import Worker
from serving.service.tags import json_unless_known, stamps, tag, unless_known
from serving.settings import Settings
from tests.support.questions import TASK
from tests.support.review_toys import RAINY, SUNNY
from tests.support.toy_jobs import toy_job, toy_worker

JOB = toy_job("random")
RUN = f"/v1/runs/{JOB.id}"
CSV = {"Content-Type": "text/csv"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    made = Settings(home=tmp_path, cache=tmp_path, engine_url="http://127.0.0.1:9")
    client = TestClient(create_app(made), raise_server_exceptions=False)
    client.app.state.desk.store.begin(JOB.id, JOB.model_dump_json(), str(tmp_path / "out"), "service")
    yield client
    client.app.state.desk.database.dispose()


@pytest.fixture
def worker(client: TestClient, tmp_path: Path) -> Worker:
    """Of the run, with its copy of the texts where the service looks for it."""
    worker = toy_worker(JOB, tmp_path)
    kept = pool_of(JOB.id, client.app.state.desk.settings)
    kept.parent.mkdir(parents=True)
    keep(worker.table, kept)
    return worker


def version(client: TestClient, path: str) -> str:
    """The tag of what is there now, which is not sent again to who has it."""
    found = client.get(path)
    assert found.status_code == 200, found.text
    tagged = found.headers["ETag"]
    same = client.get(path, headers={"If-None-Match": f'"another", {tagged}'})
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tagged)
    assert client.get(path, headers={"If-None-Match": '"another"'}).content == found.content or tagged[0] == "W"
    return tagged


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("", 200),
        ('"b"', 200),
        ('"a"', 304),
        ('W/"a"', 304),
        ('"b", W/"a"', 304),
        ("*", 304),
        ("a", 200),
    ],
)
@pytest.mark.parametrize("tagged", ['"a"', 'W/"a"'])
def test_if_none_match_compares_weakly(given: str, status: int, tagged: str) -> None:
    made: list[Response] = []

    def make() -> Response:
        made.append(Response("body"))
        return made[-1]

    answer = unless_known(given, tagged, make)
    assert (answer.status_code, answer.headers["ETag"], len(made)) == (status, tagged, int(status == 200))


def test_a_tag_is_of_its_values_and_says_whether_bytes_may_differ() -> None:
    assert tag("a", 1) == tag("a", 1) != tag("a", 2)
    assert tag("ab") != tag("a", "b")
    assert tag(weak=True).startswith('W/"')
    assert json_unless_known("", TASK).headers["ETag"] != json_unless_known("", JOB).headers["ETag"]


def test_what_is_uploaded_has_a_tag_and_a_list_gets_another_one(client: TestClient) -> None:
    first = client.post("/v1/datasets", content=b"text\none\ntwo\nthree\n", headers=CSV).json()["id"]
    before = {path: version(client, path) for path in (f"/v1/datasets/{first}", "/v1/datasets")}
    client.post("/v1/datasets", content=b"text\nfour\n", headers=CSV)
    assert version(client, f"/v1/datasets/{first}") == before[f"/v1/datasets/{first}"]
    assert version(client, "/v1/datasets") != before["/v1/datasets"]
    pages = [version(client, f"/v1/datasets/{first}/examples?limit=1&after={n}") for n in range(3)]
    assert len(set(pages)) == 3
    gone = client.get(f"/v1/datasets/{'0' * 64}/examples", headers={"If-None-Match": "*"})
    assert gone.status_code == 404, "what is not there has no version"


def test_a_run_and_lists_of_runs_change_with_its_state_and_history_with_its_steps(
    client: TestClient, worker: Worker
) -> None:
    seen = [(version(client, RUN), version(client, "/v1/runs"), version(client, f"{RUN}/history"))]
    worker.outcome(JOB.main)
    seen.append((version(client, RUN), version(client, "/v1/runs"), version(client, f"{RUN}/history")))
    client.app.state.desk.store.mark(JOB.id, "done", "budget")
    seen.append((version(client, RUN), version(client, "/v1/runs"), version(client, f"{RUN}/history")))
    assert [len(set(tags)) for tags in zip(*seen, strict=True)] == [3, 3, 2]


def test_labels_change_with_steps_and_with_what_people_say(client: TestClient, worker: Worker) -> None:
    desk = client.app.state.desk
    seen = [version(client, f"{RUN}/labels")]
    assert version(client, f"{RUN}/labels?format=csv") not in seen, "each format is an answer of its own"
    worker.outcome(JOB.main)
    seen.append(version(client, f"{RUN}/labels"))
    desk.reviews.put(JOB.id, 5, [Ask(example="new", text="one more")], TASK.names)
    assert version(client, f"{RUN}/labels") == seen[-1], "to be asked is not to have answered"
    desk.reviews.answer(desk.reviews.lease(JOB.id, "ann").token, SUNNY)
    seen.append(version(client, f"{RUN}/labels"))
    desk.reviews.answer(desk.reviews.undo(JOB.id, "ann").token, RAINY)
    seen.append(version(client, f"{RUN}/labels"))
    desk.reviews.undo(JOB.id, "ann")
    seen.append(version(client, f"{RUN}/labels"))
    desk.store.mark(JOB.id, "done", "budget")
    seen.append(version(client, f"{RUN}/labels"))
    assert len(set(seen)) == len(seen)
    assert all(each.startswith("W/") for each in seen)


def test_what_a_run_leaves_has_the_tag_of_its_files(client: TestClient, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "student").mkdir(parents=True)
    files = {"report": "report.html", "report?format=json": "report.json", "record": "run.json"}
    for name in (*files.values(), "student/config.json"):
        (out / name).write_text("{}")
    early = client.get(f"{RUN}/report", headers={"If-None-Match": "*"})
    assert early.status_code == 409
    client.app.state.desk.store.mark(JOB.id, "done", "budget")
    for path, name in {**files, "model": "student/config.json"}.items():
        before = version(client, f"{RUN}/{path}")
        assert before.startswith("W/") == (path == "model")
        (out / name).write_text(json.dumps({"of": "a later time"}))
        changed = version(client, f"{RUN}/{path}")
        assert changed != before
    (out / "run.json").unlink()
    assert client.get(f"{RUN}/record", headers={"If-None-Match": "*"}).status_code == 410


def test_files_are_told_apart_by_when_they_were_written(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    before = stamps(tmp_path)
    os.utime(tmp_path / "a", ns=(1, 1))
    assert stamps(tmp_path) != before
