"""Label Studio's protocol, spoken as it speaks it: its health, set-up, predictions and webhook, over a waiting run."""

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from agent.domain import Annotation, ClassAnswer
from agent.lab import Labels
from serving.app import create_app
from serving.runs.entries import Entry
from serving.runs.review_queue import Ask, Suggestion
from serving.runs.running import keep, pool_of
from serving.runs.tables import table_of
from serving.settings import Settings
from tests.support.questions import TASK
from tests.support.review_toys import Clock
from tests.support.toy_jobs import toy_job

JOB = toy_job(people="queue")
RUN = JOB.id
BACK = f"/label-studio/{RUN}"
SAYS = Suggestion(label="sunny", confidence=0.7, by="llm:toy")
ASKS = tuple(Ask(example=f"x{i}", text=f"text {i}", suggestion=SAYS) for i in range(3))
POOL = tuple(Entry(f"x{i}", f"text {i}", None, "", json.dumps({"source": i})) for i in range(6))


@pytest.fixture
def client(database: str, tmp_path: Path) -> Iterator[TestClient]:
    made = Settings(
        home=tmp_path / "home", cache=tmp_path / "cache", engine_url="http://127.0.0.1:9", database=database
    )
    client = TestClient(create_app(made), raise_server_exceptions=False)
    desk = client.app.state.desk
    desk.store.begin(RUN, JOB.model_dump_json(), str(tmp_path / "out"), "service")
    desk.store.mark(RUN, "waiting", "people")
    pool_of(RUN, made).parent.mkdir(parents=True)
    keep(table_of(POOL, Path("pool")), pool_of(RUN, made))
    machine = Annotation(
        id="0/label/x4",
        example="x4",
        answer=ClassAnswer(label="rainy"),
        confidence=0.6,
        by="llm:toy",
        provenance="machine",
    )
    steps = desk.store.journal(RUN, f"{JOB.main.key()}/")
    steps.step("0/annotate", Labels, lambda: Labels(annotations=(machine,)))
    yield client
    desk.database.dispose()


def put(
    client: TestClient, asks: Sequence[Ask] = ASKS, *, overlap: int = 1, blind: float = 0.0, index: int = 0
) -> None:
    client.app.state.desk.reviews.put(RUN, index, asks, TASK.names, overlap=overlap, blind=blind)


def task(n: int, **data: Any) -> dict[str, Any]:
    return {"id": 100 + n, "data": {"id": f"x{n}", "text": f"text {n}", **data}}


def region(label: str, control: str = "label") -> dict[str, Any]:
    return {"id": "r", "from_name": control, "to_name": "text", "type": "choices", "value": {"choices": [label]}}


def event(
    n: int, label: str | None, annotation: int = 1, at: int = 1, action: str = "ANNOTATION_CREATED", **more: Any
) -> dict[str, Any]:
    """What Label Studio sends when text `n` is annotated, in minute `at`."""
    said = {
        "id": annotation,
        "task": 100 + n,
        "result": [] if label is None else [region(label)],
        "completed_by": 1,
        "lead_time": 4.0,
        "updated_at": f"2026-11-25T10:{at:02d}:00.123456Z",
        "was_cancelled": False,
        "unique_id": "u",
        **more,
    }
    return {"action": action, "annotation": said, "task": task(n), "project": {"id": 3, "title": "weather"}}


def deletion(*ids: int) -> dict[str, Any]:
    return {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": id_} for id_ in ids], "project": {"id": 3}}


def sent(client: TestClient, body: dict[str, Any], status: int = 201) -> Any:
    answer = client.post(f"{BACK}/webhook", json=body)
    assert answer.status_code == status, answer.text
    return answer.json() if status >= 400 else answer.json()["result"]


def standing(client: TestClient) -> list[tuple[str, str, str | None, float, bool]]:
    """The answers that are there: text, person, label or verdict, seconds, whether it confirms the machine."""
    return [
        (g.example, g.who, g.choice.label or g.choice.verdict, g.seconds, g.confirmed)
        for g in client.app.state.desk.reviews.late(RUN)
    ]


def refusals(client: TestClient) -> list[str]:
    return [e.data["why"] for e in client.app.state.desk.store.events(RUN) if e.kind == "refused"]


def test_it_is_up_and_takes_configurations_of_the_task(client: TestClient) -> None:
    for path in (f"{BACK}/health", f"{BACK}/", BACK):
        assert client.get(path).json() == {"status": "UP", "model_class": "Thresher"}
    assert client.get(f"{BACK}/metrics").json() == {}
    assert client.get("/label-studio/unknown/health").status_code == 404
    config = client.get(f"{BACK}/config").text
    body = {"project": "3.1", "schema": config, "hostname": "http://x", "access_token": "t", "extra_params": None}
    first = client.post(f"{BACK}/setup", json=body).json()["model_version"]
    put(client)
    second = client.post(f"{BACK}/setup", json=body).json()["model_version"]
    assert first.startswith(f"{RUN}@")
    assert first != second, "Label Studio asks again for predictions where the version is another one"
    other = client.post(f"{BACK}/setup", json={**body, "schema": config.replace("rainy", "hail")})
    assert (other.status_code, "'hail', no label of the task" in other.json()["detail"]) == (422, True)


def test_predictions_are_what_is_stored(client: TestClient) -> None:
    put(client)
    found = client.post(f"{BACK}/predict", json={"tasks": [task(0), task(4), task(5)], "project": "3.1"}).json()
    waiting, labelled, nothing = found["results"]
    assert (waiting["score"], waiting["result"][0]["value"]["choices"]) == (0.7, ["sunny"])
    assert (labelled["score"], labelled["result"][0]["value"]["choices"]) == (0.6, ["rainy"])
    assert nothing == [], "the machine has said nothing of it"
    assert (
        waiting["model_version"]
        == found["model_version"]
        == client.post(f"{BACK}/setup", json={}).json()["model_version"]
    )
    choices = '<Choice value="sunny"/><Choice value="rainy"/>'
    named = f'<View><Text name="t" value="$text"/><Choices name="mood" toName="t">{choices}</Choices></View>'
    (own,) = client.post(f"{BACK}/predict", json={"tasks": [task(0)], "label_config": named}).json()["results"]
    assert (own["result"][0]["from_name"], own["result"][0]["to_name"]) == ("mood", "t")


def test_the_blind_share_shows_a_score_and_no_label(client: TestClient) -> None:
    put(client, blind=1.0)
    (found,) = client.post(f"{BACK}/predict", json={"tasks": [task(0)]}).json()["results"]
    assert (found["score"], found["result"]) == (0.7, [])
    sent(client, event(0, "sunny", prediction={"id": 1}, parent_prediction=1))
    assert standing(client)[0][-1] is False, "nobody can have confirmed what nobody saw"


@pytest.mark.parametrize(
    ("tasks", "status", "said"),
    [
        ([task(77)], 404, "has no text 'x77'"),
        ([{"id": 1, "data": {"text": "text 0"}}], 422, "task 1 has the id None in its data"),
        ([task(0, text="another")], 422, "its text is not the one that run"),
        ([task(5, text="another")], 422, "its text is not the one that run"),
        ([{"id": 1, "data": {"id": "\0"}}], 404, "has no text '\\x00'"),
        ([{"id": 1, "data": {"id": "\ud800"}}], 404, "has no text '\\ud800'"),
    ],
)
def test_tasks_of_another_project_are_refused(client: TestClient, tasks: list[Any], status: int, said: str) -> None:
    put(client)
    body = json.dumps({"tasks": [task(0), *tasks]})  # which spells half characters, as a client may
    answer = client.post(f"{BACK}/predict", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text


def test_what_waits_is_exported_in_order_until_it_is_labelled(client: TestClient) -> None:
    put(client)
    sent(client, event(1, "rainy"))
    found = client.get(f"{BACK}/tasks").json()
    assert [each["data"] for each in found] == [task(0)["data"], task(2)["data"]]
    assert found[0]["predictions"][0]["score"] == 0.7


def test_what_nobody_waits_for_any_more_is_no_task(client: TestClient) -> None:
    client.app.state.desk.reviews.put(RUN, 0, ASKS, TASK.names, most=1.0)
    sent(client, event(1, "rainy"))
    assert client.get(f"{BACK}/tasks").json() == [], "people's time is spent, and what was left was taken back"


def test_an_annotation_is_a_label_of_a_person_and_the_run_goes_on_with_the_last(client: TestClient) -> None:
    put(client)
    assert sent(client, event(0, "sunny", 1, parent_prediction=8)) == {"1": "answer"}
    assert sent(client, event(1, "sunny", 2)) == {"2": "answer"}
    assert client.app.state.desk.store.get(RUN).state == "waiting"
    assert sent(client, event(2, None, 3, result=[region("bad text", "verdict")], completed_by=2)) == {"3": "answer"}
    assert client.app.state.desk.store.get(RUN).state == "queued"
    assert standing(client) == [
        ("x0", "label-studio:1", "sunny", 4.0, True),
        ("x1", "label-studio:1", "sunny", 4.0, False),
        ("x2", "label-studio:2", "bad_text", 4.0, False),
    ]


def test_deliveries_again_and_late_ones_change_nothing_and_newer_ones_supersede(client: TestClient) -> None:
    put(client)
    sent(client, event(0, "sunny", at=5))
    for _ in range(2):
        assert sent(client, event(0, "sunny", at=5)) == {"1": "known"}
    assert sent(client, event(0, "rainy", at=4, action="ANNOTATION_UPDATED")) == {"1": "known"}
    assert [s[2] for s in standing(client)] == ["sunny"]
    assert sent(client, event(0, "rainy", at=6, action="ANNOTATION_UPDATED")) == {"1": "answer"}
    assert sent(client, event(0, None, at=7, action="ANNOTATION_UPDATED")) == {"1": "answer"}
    assert [s[2] for s in standing(client)] == ["undecided"]
    assert client.app.state.desk.reviews.progress(RUN).done == 1


def test_a_deletion_takes_back_what_the_run_has_not_read_and_is_final(client: TestClient) -> None:
    put(client)
    sent(client, event(0, "sunny", at=5))
    assert sent(client, deletion(1, 9)) == {"1": "deleted", "9": "unknown"}
    assert standing(client) == []
    assert sent(client, event(0, "rainy", at=9)) == {"1": "known"}, "it was on its way when the annotation was deleted"
    assert sent(client, event(1, "rainy", 9)) == {"9": "known"}
    assert sent(client, deletion(1)) == {"1": "known"}
    assert sent(client, event(0, "rainy", 2)) == {"2": "answer"}, "the text was open again"
    assert sent(client, event(1, "rainy", 3)) == {"3": "answer"}
    assert sent(client, event(2, "rainy", 4)) == {"4": "answer"}
    assert client.app.state.desk.reviews.answered(RUN, 0) is not None, "the run reads them"
    assert sent(client, deletion(2)) == {"2": "stands"}
    assert "read this label already" in refusals(client)[-1]
    assert [s[2] for s in standing(client)] == []
    assert sent(client, event(1, "sunny", 3, at=9, action="ANNOTATION_UPDATED")) == {"3": "answer"}
    assert standing(client) == [("x1", "label-studio:1", "sunny", 4.0, False)], "a correction, read with the next round"


def test_a_skip_costs_nothing_and_leaves_the_text_to_others(client: TestClient) -> None:
    put(client, ASKS[:1])
    assert sent(client, event(0, "sunny", was_cancelled=True)) == {"1": "skip"}
    assert standing(client) == []
    assert sent(client, event(0, "sunny", at=2, action="ANNOTATION_UPDATED")) == {"1": "answer"}
    assert sent(client, event(0, "sunny", at=3, was_cancelled=True)) == {"1": "skip"}
    assert (standing(client), client.app.state.desk.reviews.progress(RUN).done) == ([], 0)
    assert sent(client, event(0, "rainy", 2, completed_by=2)) == {"2": "answer"}
    client.app.state.desk.reviews.answered(RUN, 0)
    assert sent(client, event(0, "rainy", 2, at=5, completed_by=2, was_cancelled=True)) == {"2": "stands"}


def test_several_people_answer_one_text_and_no_more_than_were_asked(client: TestClient) -> None:
    put(client, ASKS[:1], overlap=2)
    sent(client, event(0, "sunny", 1))
    sent(client, event(0, "rainy", 2, completed_by=2))
    refused = sent(client, event(0, "rainy", 3, completed_by=3), 409)
    assert "2 people labelled the text 'x0' before, as many as were asked" in refused["detail"]
    assert len(refusals(client)) == 1
    assert sent(client, event(0, "rainy", 4, at=9)) == {"4": "answer"}, "who labels it twice changes the answer"
    assert [s[1:3] for s in standing(client)] == [("label-studio:2", "rainy"), ("label-studio:1", "rainy")]


def test_an_answer_that_is_there_goes_before_a_lease(client: TestClient) -> None:
    put(client, ASKS[:2])
    reviews = client.app.state.desk.reviews
    reviews.clock = Clock()
    held = reviews.lease(RUN, "ann")
    assert held is not None
    sent(client, event(0, "rainy"))
    late = client.post(f"/v1/runs/{RUN}/labels", json={"token": held.token, "label": "sunny"})
    assert (late.status_code, "the answer was the label 'sunny'" in late.json()["detail"]) == (409, True)
    following = reviews.lease(RUN, "ann")
    assert following is not None
    assert following.ask.example == "x1"


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (event(0, "hail"), 422, "'hail' is no label of the task"),
        (event(4, "sunny"), 409, "has not asked people about the text 'x4'"),
        (event(77, "sunny"), 404, "has no text 'x77'"),
        (event(0, "sunny", result=[{**region("sunny"), "type": "labels", "value": {}}]), 422, "no choice of a label"),
        (event(0, "sunny", result=[region("sunny"), region("rainy")]), 422, "2 labels are chosen"),
        ({**event(0, "sunny"), "task": {**task(0), "id": 5}, "annotation": None}, 422, "without annotation and task"),
        ({"action": "ANNOTATION_CREATED"}, 422, "without its project"),
    ],
)
def test_what_cannot_be_taken_is_refused_and_told(client: TestClient, body: Any, status: int, said: str) -> None:
    put(client)
    refused = sent(client, body, status)
    assert said in refused["detail"]
    assert standing(client) == []
    if body.get("annotation"):
        assert said in refusals(client)[-1]


def test_many_at_once_are_taken_one_by_one(client: TestClient) -> None:
    put(client)
    first, second = event(0, "sunny", 1), event(1, "hail", 2)
    both = {
        "action": "ANNOTATIONS_CREATED",
        "annotation": [second["annotation"], first["annotation"]],
        "task": [first["task"], second["task"]],
        "project": {"id": 3, "label_config": client.get(f"{BACK}/config").text},
    }
    assert "1 of 2 annotations were refused: 'hail'" in sent(client, both, 422)["detail"]
    assert [s[0] for s in standing(client)] == ["x0"]


def test_what_is_of_no_concern_is_said_to_be(client: TestClient) -> None:
    answer = client.post(f"{BACK}/webhook", json={"action": "TASKS_CREATED", "tasks": [], "project": {"id": 3}})
    assert (answer.status_code, answer.json()["status"]) == (200, "Unknown event")
    assert "trains by itself" in sent(client, {"action": "START_TRAINING", "project": {"id": 3}})["note"]


def test_a_key_comes_as_the_password(client: TestClient) -> None:
    put(client)
    keys = client.app.state.desk.keys
    secret, reader = keys.make("label studio", ["read", "review"]), keys.make("looks", ["read"])

    def basic(password: str, user: str = "anybody") -> dict[str, str]:
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}

    assert client.get(f"{BACK}/health").status_code == 401
    assert client.get(f"{BACK}/health", headers=basic("guess")).status_code == 401
    assert client.get(f"{BACK}/health", headers={"Authorization": "Basic !"}).status_code == 401
    assert client.get(f"{BACK}/health", headers=basic(secret)).status_code == 200
    assert client.get(f"{BACK}/health", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    assert client.post(f"{BACK}/webhook", json=event(0, "sunny"), headers=basic(reader)).status_code == 403
    assert client.post(f"{BACK}/webhook", json=event(0, "sunny"), headers=basic(secret)).status_code == 201
    assert standing(client)[0][1] == "label-studio:1", "the label is the person's, not the key's"
    assert client.get("/v1/runs", headers=basic(secret)).status_code == 401, "nowhere else"


def test_a_finished_run_goes_out_as_both_formats_and_comes_in_as_a_data_set(client: TestClient, tmp_path: Path) -> None:
    desk = client.app.state.desk
    put(client)
    sent(client, event(0, "rainy", lead_time=6.5))
    (tmp_path / "out").mkdir()
    machine = {"id": "m", "example": "x4", "answer": {"label": "sunny"}, "by": "llm:toy", "provenance": "machine"}
    stands = {"label": "sunny", "confidence": 0.6, "provenance": "machine", "by": "llm:toy", "origin": "pool"}
    row = {"id": "x4", "text": "text 4", **stands, "history": [machine]}
    (tmp_path / "out" / "labels.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    desk.store.mark(RUN, "done")
    for format_ in ("label-studio", "argilla"):
        answer = client.get(f"/v1/runs/{RUN}/labels?format={format_}")
        assert answer.headers["content-type"] == "application/json"
        data = client.post(f"/v1/datasets?format={format_}&name=again", content=answer.content)
        assert data.status_code == 201, data.text
        assert (data.json()["rows"], data.json()["labelled"]) == (2, 1)
        found = client.get(f"/v1/datasets/{data.json()['id']}/examples").json()["items"]
        assert [(e["id"], e["text"], e["label"]) for e in found] == [("x4", "text 4", ""), ("x0", "text 0", "rainy")]
        assert [e["meta"]["source"] for e in found] == [4, 0]
        assert found[0]["meta"]["thresher"]["history"] == [machine]
        assert found[1]["meta"]["thresher"]["history"][0]["cost"]["human_seconds"] == 6.5
    for path in ("datasets", f"runs/{RUN}/labels"):  # every format that there is is named
        unknown = client.request("POST" if path == "datasets" else "GET", f"/v1/{path}?format=xml").json()["detail"]
        assert "'label-studio' or 'argilla' (given: xml)" in unknown
    refused = client.post("/v1/datasets?format=label-studio", content=b'[{"data": {"text": 3}}]')
    assert (refused.status_code, "row 1: column 'text' is 3" in refused.json()["detail"]) == (422, True)
    assert client.post("/v1/datasets", content=b"[]", headers={"Content-Type": "application/json"}).status_code == 415
