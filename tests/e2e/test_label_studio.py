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

BUDGET, PEOPLE = 8, 2
"""Labels in all, and for each text: one from Label Studio, one from the run's own queue."""
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
        self.run = self._begun({**wish, "asked": {"blind_share": 0.0, "overlap": PEOPLE}})
        self.backend = f"{server.url}/label-studio/{self.run}"

    def close(self) -> None:
        self._http.close()

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

    def answer_all(self, who: str) -> None:
        """The other person of each text answers on the run's own queue, until nothing is left for them."""
        at = f"/v1/runs/{self.run}"
        while (item := self._http.post(f"{at}/review", json={"who": who})).status_code == 200:
            found = item.json()
            body = {"token": found["token"], "label": self.gold[found["example"]], "seconds": 1.0}
            assert self._http.post(f"{at}/labels", json=body).status_code == 200

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
        found = Thresher(server, folder / "home", folder / "in")
        yield found
        found.close()


def connected(studio: LabelStudio, thresher: Thresher) -> int:
    """A project with the run as its model, and its events sent to the run."""
    config = thresher.got(f"/label-studio/{thresher.run}/config").text
    project = studio.call("POST", "/api/projects/", json={"title": "weather", "label_config": config})["id"]
    model = {"url": thresher.backend, "project": project, "title": "Thresher"}
    secret = {"auth_method": "BASIC_AUTH", "basic_auth_user": "label studio", "basic_auth_pass": thresher.key}
    backend = studio.call("POST", "/api/ml/", json={**model, **secret})
    assert studio.call("GET", f"/api/ml/{backend['id']}")["readable_state"] == "Connected"
    (hook,) = studio.call("GET", f"/api/webhooks/?project={project}")
    assert hook["url"] == f"{thresher.backend}/webhook", (
        "Label Studio makes it with the model, and without its password"
    )
    headers = {"Authorization": f"Bearer {thresher.key}"}
    studio.call("PATCH", f"/api/webhooks/{hook['id']}/", json={"headers": headers})
    return project


def imported(studio: LabelStudio, thresher: Thresher, project: int) -> list[dict[str, Any]]:
    """What the run waits for, as the project's newest tasks, in the order of the run; the model has been asked."""
    waiting = thresher.got(f"/label-studio/{thresher.run}/tasks").json()
    studio.call("POST", f"/api/projects/{project}/import", json=[{"data": task["data"]} for task in waiting])
    listed = studio.call("GET", f"/api/tasks/?project={project}&page_size=500&fields=all")["tasks"]
    found = {task["data"]["id"]: task for task in sorted(listed, key=lambda task: task["id"])}
    tasks = [found[task["data"]["id"]] for task in waiting]
    everything = {"selectedItems": {"all": True, "excluded": []}}
    studio.call("POST", f"/api/dm/actions?id=retrieve_tasks_predictions&project={project}", json=everything)
    kept = ("model_version", "score", "result")
    shown = {p["task"]: {k: p[k] for k in kept} for p in studio.call("GET", f"/api/predictions/?project={project}")}
    expected = {task["id"]: each["predictions"] for task, each in zip(tasks, waiting, strict=True)}
    assert {id_: [shown[id_]] if id_ in shown else [] for id_ in expected} == expected
    scores = [shown[task["id"]]["score"] for task in tasks if task["id"] in shown]
    say(f"{len(tasks)} texts wait; Label Studio has a prediction of {len(scores)}, with the scores {scores}")
    return tasks


def annotated(studio: LabelStudio, task: int, label: str | None, **more: Any) -> dict[str, Any]:
    return studio.call("POST", f"/api/tasks/{task}/annotations/", json={**said(label), "lead_time": SECONDS, **more})


def said(label: str | None) -> dict[str, Any]:
    region = {"id": "r", "from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": [label]}}
    return {"result": [] if label is None else [region]}


def test_a_run_is_labelled_in_label_studio(thresher: Thresher, studio: LabelStudio) -> None:
    thresher.until("waiting")
    project = connected(studio, thresher)
    first = imported(studio, thresher, project)
    body = {"tasks": [{"id": task["id"], "data": task["data"]} for task in first]}
    begun = time.monotonic()
    answer = httpx.post(f"{thresher.backend}/predict", json=body, auth=("anybody", thresher.key), trust_env=False)
    assert len(answer.json()["results"]) == len(first)
    say(f"/predict of {len(first)} tasks takes {time.monotonic() - begun:.3f} s")

    # A skip, a label that is given, changed and given up; nobody else has answered, so that the run reads none of them.
    total = len(first) * PEOPLE
    annotated(studio, first[0]["id"], None, was_cancelled=True)
    assert progress(thresher) == (0, total)
    other = annotated(studio, first[0]["id"], TASK.names[0])
    studio.call("PATCH", f"/api/annotations/{other['id']}/", json=said(TASK.names[1]))
    assert progress(thresher) == (1, total)
    studio.call("DELETE", f"/api/annotations/{other['id']}/")
    assert progress(thresher) == (0, total)

    # A text that nobody asked for: it is refused aloud, and neither Label Studio nor the run minds.
    asked = {task["data"]["id"] for task in first}
    unasked = next(id_ for id_ in thresher.texts if id_ not in asked)
    task = {"data": {"id": unasked, "text": thresher.texts[unasked]}}
    studio.call("POST", f"/api/projects/{project}/import", json=[task])
    stray = studio.call("GET", f"/api/tasks/?project={project}&page_size=500&fields=all")["tasks"]
    annotated(studio, next(t["id"] for t in stray if t["data"]["id"] == unasked), TASK.names[0])
    assert progress(thresher) == (0, total)

    rounds = 0
    while thresher.until("waiting", "done") == "waiting":
        rounds += 1
        for task in first if rounds == 1 else imported(studio, thresher, project):
            annotated(studio, task["id"], thresher.gold[task["data"]["id"]])
        thresher.answer_all("bob")
    rows = [json.loads(line) for line in thresher.got(f"/v1/runs/{thresher.run}/labels").text.splitlines()]
    human = {row["id"]: row for row in rows if row["provenance"] != "machine"}
    say(f"{rounds} rounds, {len(human)} texts labelled by people, {len(rows) - len(human)} by the machine")
    assert {id_: row["label"] for id_, row in human.items()} == {id_: thresher.gold[id_] for id_ in human}
    given = [e for row in human.values() for e in row["history"] if e["by"].startswith("human:label-studio:")]
    assert (len(given), len(human)) == (BUDGET // PEOPLE, BUDGET // PEOPLE)
    assert {e["cost"]["human_seconds"] for e in given} == {SECONDS}
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
