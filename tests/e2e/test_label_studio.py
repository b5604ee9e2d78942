"""A run that people label in a real Label Studio: `make test-labelstudio`. Plain `make test` leaves it out."""

import csv
import itertools
import json
import sys
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
from tests.support.label_studio import LabelStudio
from tests.support.questions import TASK
from tests.support.server import Server

pytestmark = [pytest.mark.labelstudio, pytest.mark.student, pytest.mark.timeout(3600)]

BUDGET = 6
SECONDS = 3.5
"""How long the person says that each label took."""


def say(line: str) -> None:
    """For whoever reads what the test came to; pytest -s shows it."""
    sys.stdout.write(f"{line}\n")


class Thresher:
    """The service with a key of its own, and one run that waits for people."""

    def __init__(self, server: Server, home: Path, folder: Path) -> None:
        self._server = server
        engine = open_database(home / "thresher.db")
        admin = Keys(engine).make("chief", ["admin"])
        self.key = Keys(engine).make("label studio", ["read", "review"])
        engine.dispose()
        self._http = httpx.Client(
            base_url=server.url, headers={"Authorization": f"Bearer {admin}"}, timeout=300, trust_env=False
        )
        _, pool, _ = user_files(folder)
        with pool.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self.gold = {row["id"]: row["label"] for row in rows}
        self.texts = {row["id"]: row["text"] for row in rows}
        data = self.upload(pool.read_bytes(), "csv")
        wish = {"task": TASK.model_dump(mode="json"), "data": data, "budget": BUDGET, "reads": 40, "students": ["svm"]}
        self.run = self._begun({**wish, "asked": {"blind_share": 0.0}})
        self.backend = f"{server.url}/label-studio/{self.run}"

    def upload(self, content: bytes, format_: str) -> str:
        answer = self._http.post(f"/v1/datasets?format={format_}", content=content)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def got(self, path: str) -> httpx.Response:
        answer = self._http.get(path)
        assert answer.status_code == 200, answer.text
        return answer

    def until(self, *states: str, patience: float = 900) -> str:
        end = time.monotonic() + patience
        while (found := self.got(f"/v1/runs/{self.run}").json())["state"] not in states:
            assert found["state"] in ("queued", "running", "waiting"), found
            assert time.monotonic() < end, found
            time.sleep(0.2)
        return found["state"]

    def examples(self, data: str) -> dict[str, Any]:
        found = self.got(f"/v1/datasets/{data}/examples?limit=500").json()["items"]
        return {each["id"]: each for each in found}

    def refused(self) -> list[str]:
        lines = self.got(f"/v1/runs/{self.run}/events").text.splitlines()
        return [json.loads(after[6:])["why"] for line, after in itertools.pairwise(lines) if "refused" in line]

    def _begun(self, body: dict[str, Any]) -> str:
        end = time.monotonic() + 300
        while (answer := self._http.post("/v1/runs", json=body)).status_code == 503:
            assert time.monotonic() < end, answer.text
            time.sleep(0.2)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudio]:
    begun = time.monotonic()
    with LabelStudio(tmp_path_factory.mktemp("studio")) as found:
        say(f"\nLabel Studio is up after {time.monotonic() - begun:.0f} s")
        yield found


@pytest.fixture(scope="module")
def thresher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Thresher]:
    folder = tmp_path_factory.mktemp("thresher")
    with FakeOpenAI(answer=weather_answer, lean=weather_lean) as llm, Server(folder / "home", llm.url) as server:
        yield Thresher(server, folder / "home", folder / "in")


def connected(studio: LabelStudio, thresher: Thresher) -> int:
    """A project with the run as its model, and its events sent to the run."""
    config = thresher.got(f"/label-studio/{thresher.run}/config").text
    project = studio.call("POST", "/api/projects/", json={"title": "weather", "label_config": config})["id"]
    model = {"url": thresher.backend, "project": project, "title": "Thresher"}
    secret = {"auth_method": "BASIC_AUTH", "basic_auth_user": "label studio", "basic_auth_pass": thresher.key}
    backend = studio.call("POST", "/api/ml/", json={**model, **secret})
    assert studio.call("GET", f"/api/ml/{backend['id']}")["readable_state"] == "Connected"
    hook = {"url": f"{thresher.backend}/webhook", "project": project, "send_for_all_actions": True}
    studio.call("POST", "/api/webhooks/", json={**hook, "headers": {"Authorization": f"Bearer {thresher.key}"}})
    return project


def imported(studio: LabelStudio, thresher: Thresher, project: int, *, predictions: bool) -> list[dict[str, Any]]:
    """What the run waits for, as the project's newest tasks, in the order of the run."""
    waiting = thresher.got(f"/label-studio/{thresher.run}/tasks").json()
    if not predictions:  # the model is to be asked for them
        waiting = [{"data": task["data"]} for task in waiting]
    studio.call("POST", f"/api/projects/{project}/import", json=waiting)
    listed = studio.call("GET", f"/api/tasks/?project={project}&page_size=500&fields=all")["tasks"]
    found = {task["data"]["id"]: task for task in sorted(listed, key=lambda task: task["id"])}
    return [found[task["data"]["id"]] for task in waiting]


def annotated(studio: LabelStudio, task: int, label: str | None, **more: Any) -> dict[str, Any]:
    return studio.call("POST", f"/api/tasks/{task}/annotations/", json={**said(label), "lead_time": SECONDS, **more})


def said(label: str | None) -> dict[str, Any]:
    region = {"id": "r", "from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": [label]}}
    return {"result": [] if label is None else [region]}


def test_a_run_is_labelled_in_label_studio(thresher: Thresher, studio: LabelStudio) -> None:
    thresher.until("waiting")
    project = connected(studio, thresher)
    first = imported(studio, thresher, project, predictions=False)
    say(f"the run waits for {len(first)} labels")

    studio.call(
        "POST",
        f"/api/dm/actions?id=retrieve_tasks_predictions&project={project}",
        json={"selectedItems": {"all": True, "excluded": []}},
    )
    predictions = studio.call("GET", f"/api/predictions/?project={project}")
    shown = {p["task"]: p for p in predictions}
    say(f"{len(shown)} of {len(first)} tasks have a prediction, scores {sorted(p['score'] for p in predictions)}")
    assert {task["id"] for task in first} == set(shown)
    assert all(0 <= p["score"] <= 1 and p["result"][0]["value"]["choices"][0] in TASK.names for p in predictions)
    assert {p["model_version"].split("@")[0] for p in predictions} == {thresher.run}

    body = {"tasks": [{"id": task["id"], "data": task["data"]} for task in first]}
    begun = time.monotonic()
    answer = httpx.post(f"{thresher.backend}/predict", json=body, auth=("anybody", thresher.key), trust_env=False)
    assert len(answer.json()["results"]) == len(first)
    say(f"/predict of {len(first)} tasks takes {time.monotonic() - begun:.3f} s")

    # A skip, a label that is given, changed and given up, and one for a text that nobody asked for.
    skipped = annotated(studio, first[0]["id"], None, was_cancelled=True)
    other = annotated(studio, first[1]["id"], TASK.names[0])
    studio.call("PATCH", f"/api/annotations/{other['id']}/", json=said(TASK.names[1]))
    assert progress(thresher) == (1, len(first))
    studio.call("DELETE", f"/api/annotations/{other['id']}/")
    assert progress(thresher) == (0, len(first))
    studio.call("PATCH", f"/api/annotations/{skipped['id']}/", json={**said(None), "was_cancelled": True})
    # A text that nobody asked for: it is refused aloud, and neither Label Studio nor the run minds.
    asked = {task["data"]["id"] for task in first}
    unasked = next(id_ for id_ in thresher.texts if id_ not in asked)
    task = {"data": {"id": unasked, "text": thresher.texts[unasked]}}
    studio.call("POST", f"/api/projects/{project}/import", json=[task])
    stray = studio.call("GET", f"/api/tasks/?project={project}&page_size=500&fields=all")["tasks"]
    annotated(studio, next(t["id"] for t in stray if t["data"]["id"] == unasked), TASK.names[0])
    assert progress(thresher) == (0, len(first))

    rounds = 0
    while thresher.until("waiting", "done") == "waiting":
        rounds += 1
        for task in first if rounds == 1 else imported(studio, thresher, project, predictions=True):
            annotated(studio, task["id"], thresher.gold[task["data"]["id"]])
        settled(thresher)
    rows = [json.loads(line) for line in thresher.got(f"/v1/runs/{thresher.run}/labels").text.splitlines()]
    human = {row["id"]: row for row in rows if row["by"].startswith("human:label-studio:")}
    say(f"{rounds} rounds, {len(human)} labels of people, {len(rows) - len(human)} of the machine")
    assert len(human) == BUDGET
    assert {id_: row["label"] for id_, row in human.items()} == {id_: thresher.gold[id_] for id_ in human}
    assert {row["history"][-1]["cost"]["human_seconds"] for row in human.values()} == {SECONDS}
    assert [unasked in why for why in thresher.refused()] == [True]

    # What Label Studio exports comes in as a data set.
    exported = studio.call("GET", f"/api/projects/{project}/export?exportType=JSON&download_all_tasks=true")
    kept = [task for task in exported if task["data"]["id"] != unasked]
    back = thresher.examples(thresher.upload(json.dumps(kept).encode(), "label-studio"))
    assert {id_: each["label"] for id_, each in back.items()} == {
        id_: row["label"] for id_, row in human.items() if id_ != unasked
    }


def progress(thresher: Thresher) -> tuple[int, int]:
    found = thresher.got(f"/v1/runs/{thresher.run}/review").json()
    return found["done"], found["total"]


def settled(thresher: Thresher, patience: float = 300) -> None:
    """Every label that the run waited for has arrived."""
    end = time.monotonic() + patience
    while (done := progress(thresher))[0] < done[1]:
        assert time.monotonic() < end, done
        time.sleep(0.2)


def test_labels_go_through_a_project_and_come_back(thresher: Thresher, studio: LabelStudio) -> None:
    """A finished run's labels are imported, exported, and uploaded: nothing is lost on the way."""
    thresher.until("done")
    config = thresher.got(f"/label-studio/{thresher.run}/config").text
    project = studio.call("POST", "/api/projects/", json={"title": "all of it", "label_config": config})["id"]
    labels = thresher.got(f"/v1/runs/{thresher.run}/labels?format=label-studio").content
    studio.call("POST", f"/api/projects/{project}/import", json=json.loads(labels))
    exported = studio.call("GET", f"/api/projects/{project}/export?exportType=JSON&download_all_tasks=true")
    direct = thresher.examples(thresher.upload(labels, "label-studio"))
    through = thresher.examples(thresher.upload(json.dumps(exported).encode(), "label-studio"))
    assert {id_: (e["text"], e["label"], e["meta"]) for id_, e in through.items()} == {
        id_: (e["text"], e["label"], e["meta"]) for id_, e in direct.items()
    }
    say(f"{len(through)} texts with their histories went through Label Studio and came back")
