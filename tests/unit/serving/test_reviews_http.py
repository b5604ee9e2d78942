"""People over HTTP: whose text it is, what is told back, picks of the LLM, agreement."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from agent.domain import Batch, Example, Pick
from serving.app import create_app
from serving.database import writing
from serving.runs.review_tables import rounds
from serving.settings import Settings
from tests.support.review_toys import NAMES, RUN, Clock, asks

RUNS = f"/v1/runs/{RUN}"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    made = Settings(home=tmp_path / "home", cache=tmp_path / "cache", engine_url="http://127.0.0.1:9")
    client = TestClient(create_app(made), raise_server_exceptions=False)
    desk = client.app.state.desk
    desk.store.begin(RUN, "{}", str(tmp_path / "out"), "service")
    desk.store.mark(RUN, "waiting", "people")
    yield client
    desk.database.dispose()


def put(client: TestClient, n: int, machine: str | None = None, overlap: int = 1, blind: float = 0.0) -> None:
    client.app.state.desk.reviews.put(RUN, 0, asks(n, machine), NAMES, overlap=overlap, blind=blind)


def taken(client: TestClient, who: str, **headers: str) -> dict[str, Any]:
    answer = client.post(f"{RUNS}/review", json={"who": who}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def labelled(client: TestClient, who: str, label: str) -> dict[str, Any]:
    body = {"token": taken(client, who)["token"], "label": label, "seconds": 1.0}
    answer = client.post(f"{RUNS}/labels", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_text_is_taken_skipped_labelled_and_labelled_anew(client: TestClient) -> None:
    put(client, 2, machine="sunny")
    first = taken(client, "ann")
    assert first["suggestion"] == {"label": "sunny", "confidence": 0.7, "reason": "", "by": "llm:toy"}
    assert client.post(f"{RUNS}/review/{first['token']}/skip").status_code == 204
    assert labelled(client, "ann", "sunny")["confirmed"]
    second = labelled(client, "ann", "rainy")
    assert (second["example"], second["done"], second["total"]) == ("x0", 2, 2)
    assert client.post(f"{RUNS}/review", json={"who": "ann"}).status_code == 204
    assert client.get(RUNS + "/review", params={"who": "ann"}).json()["mine"] == 2
    assert client.app.state.desk.store.get(RUN).state == "queued"
    item = client.post(f"{RUNS}/review/undo", json={"who": "ann", "example": "x1"}).json()
    assert (item["example"], item["chosen"]) == ("x1", {"verdict": "label", "label": "sunny"})
    answer = client.post(f"{RUNS}/labels", json={"token": item["token"], "verdict": "bad_text"}).json()
    assert answer["choice"] == {"verdict": "bad_text", "label": None}
    assert client.post(f"{RUNS}/review/undo", json={"who": "bob"}).status_code == 204


def test_why_a_text_was_chosen_is_told_after_the_answer(client: TestClient) -> None:
    put(client, 2)
    chosen = Batch(picks=(Pick(example=Example(id="x0", text="text 0"), why="praise and doubt"),), by="llm:toy")
    client.app.state.desk.store.journal(RUN, "agent/0/0/").step("0/query", Batch, lambda: chosen)
    assert "praise" not in json.dumps(taken(client, "ann"))
    assert [labelled(client, "ann", "sunny")["why"] for _ in range(2)] == ["praise and doubt", ""]


def test_an_answer_that_comes_too_late_is_told_back(client: TestClient) -> None:
    put(client, 1)
    reviews, clock = client.app.state.desk.reviews, Clock()
    reviews.clock = clock
    lost = taken(client, "ann")
    clock.turn(1e5)
    taken(client, "bob")
    answer = client.post(f"{RUNS}/labels", json={"token": lost["token"], "label": "rainy"})
    assert answer.status_code == 409
    assert answer.json()["detail"] == "this text went to somebody else; the answer was the label 'rainy'"
    assert reviews.progress(RUN).done == 0, "it is not stored"
    assert client.post(f"{RUNS}/review/{lost['token']}/skip").status_code == 204, "there is nothing to put back"
    assert taken(client, "bob")["example"] == "x0"
    unknown = client.post(f"{RUNS}/labels", json={"token": "nothing", "label": "rainy"})
    assert (unknown.status_code, "'nothing'" in unknown.json()["detail"]) == (404, True)


def test_a_token_that_was_never_given_out_is_not_found_whatever_its_text_is_doing(client: TestClient) -> None:
    """A late one is: whoever had it is told what became of their text."""
    put(client, 2)
    token = taken(client, "ann")["token"]
    number, _, mark = token.split("-")
    forged = (f"{number}-{'0' * 32}-{mark}", f"{number}-abc", number, token[:-1], token + "0", f"{number}-ä-{mark}")
    answered = labelled(client, "ann", "sunny")
    assert answered["example"] == "x0"
    for wrong in forged:
        said = client.post(f"{RUNS}/labels", json={"token": wrong, "label": "rainy"})
        assert (said.status_code, said.headers["Content-Type"]) == (404, "application/problem+json"), wrong
        assert "no text with the token" in said.json()["detail"]
        assert client.post(f"{RUNS}/review/{wrong}/skip").status_code == 404
    assert client.post(f"{RUNS}/labels", json={"token": token, "label": "sunny"}).json()["repeated"]
    other = taken(client, "ann")["token"]
    assert client.post(f"{RUNS}/review/{other}/skip").status_code == 204
    late = client.post(f"{RUNS}/labels", json={"token": other, "label": "rainy"})
    assert (late.status_code, "put back for others" in late.json()["detail"]) == (409, True)
    assert client.post(f"{RUNS}/review/{other}/skip").status_code == 204, "it has been put back"


def test_a_round_of_an_older_version_knows_no_marks(client: TestClient) -> None:
    """Nobody can tell whether such a token was given out: its text is somebody else's, in any case."""
    put(client, 1)
    token = taken(client, "ann")["token"]
    with writing(client.app.state.desk.database) as connection:
        connection.execute(rounds.update().values(secret=""))
    forged = client.post(f"{RUNS}/labels", json={"token": f"{token[:-1]}x", "label": "rainy"})
    assert forged.status_code == 409
    assert client.post(f"{RUNS}/labels", json={"token": token, "label": "rainy"}).status_code == 200


def test_a_key_can_answer_for_nobody_else(client: TestClient) -> None:
    put(client, 3)
    keys = client.app.state.desk.keys
    ann, bob = ({"Authorization": f"Bearer {keys.make(name, ['review', 'read'])}"} for name in ("ann", "bob"))
    token = taken(client, "somebody else", **ann)["token"]
    assert client.app.state.desk.reviews.holder(token) == (RUN, "ann"), "the key says who it is"
    body = {"token": token, "label": "sunny"}
    assert client.post(f"{RUNS}/labels", json=body, headers=bob).status_code == 404
    assert client.post(f"{RUNS}/review/{token}/skip", headers=bob).status_code == 404
    assert client.post(f"{RUNS}/labels", json=body, headers=ann).status_code == 200


def test_agreement_is_counted_and_null_where_nothing_can_be_said(client: TestClient) -> None:
    put(client, 4, machine="sunny", overlap=2, blind=0.5)
    empty = client.get(f"{RUNS}/agreement").json()
    assert (empty["answers"], empty["raw"], empty["fleiss_kappa"], empty["pairs"]) == (0, None, None, [])
    assert empty["anchoring"]["difference"] is None
    for i in range(4):
        labelled(client, "ann", NAMES[i % 2])
    for i in range(4):
        labelled(client, "bob", NAMES[i % 2] if i < 3 else NAMES[0])
    found = client.get(f"{RUNS}/agreement").json()
    assert (found["answers"], found["raw"]) == (8, 0.75)
    assert found["pairs"] == [{"people": ["ann", "bob"], "texts": 4, "raw": 0.75, "cohen_kappa": 0.5}]
    anchoring = found["anchoring"]
    assert anchoring["shown"] + anchoring["blind"] == 8
    assert anchoring["shown_agreed"] + anchoring["blind_agreed"] == 5
    json.dumps(found, allow_nan=False)


def picks(*ids: str) -> list[Pick]:
    return [Pick(example=Example(id=id_, text=f"text {id_}"), why="odd", shown=i) for i, id_ in enumerate(ids)]


def test_experts_keep_and_strike_out_picks_until_the_run_reads_them(client: TestClient) -> None:
    desk = client.app.state.desk
    desk.picks.put(RUN, 1, picks("a", "b/c", "d", "e"))
    desk.picks.put(RUN, 1, picks("a", "b/c", "d", "e"))
    assert desk.picks.decided(RUN, 1) is None
    listed = client.get(f"{RUNS}/picks", params={"limit": 3}).json()
    assert [(item["example"], item["kept"]) for item in listed["items"]] == [("a", None), ("b/c", None), ("d", None)]
    rest = client.get(f"{RUNS}/picks", params={"after": listed["next"]}).json()
    assert ([item["example"] for item in rest["items"]], rest["next"]) == (["e"], None)
    struck = {"keep": False, "reason": "two films", "who": "eve"}
    assert client.post(f"{RUNS}/picks/b%2Fc", json=struck).json() == {"left": 3}
    assert client.post(f"{RUNS}/picks/a", json=struck).json() == {"left": 2}
    assert client.post(f"{RUNS}/picks/a", json={"keep": True}).json() == {"left": 2}, "a mind may change"
    assert desk.picks.missing(RUN, 1) == ("d", "e")
    assert desk.store.get(RUN).state == "waiting"
    assert client.post(f"{RUNS}/picks", json={"keep": True}).json() == {"left": 0}
    assert desk.store.get(RUN).state == "queued"
    assert desk.picks.decided(RUN, 1) == {"b/c": "two films"}
    late = client.post(f"{RUNS}/picks/a", json=struck)
    assert (late.status_code, late.json()["detail"]) == (409, "the picks of round 1 have gone to labelling")
    assert desk.picks.decided(RUN, 1) == {"b/c": "two films"}


def test_picks_that_are_none_are_refused(client: TestClient) -> None:
    answer = client.post(f"{RUNS}/picks/a", json={"keep": True})
    assert (answer.status_code, answer.json()["detail"]) == (422, f"run '{RUN}' asks no expert about picks")
    client.app.state.desk.picks.put(RUN, 0, picks("a"))
    answer = client.post(f"{RUNS}/picks/zzz", json={"keep": True})
    assert (answer.status_code, answer.json()["detail"]) == (404, "'zzz' is no pick of round 0")
    answer = client.get(f"{RUNS}/picks?after=zzz")
    assert (answer.status_code, answer.json()["detail"]) == (404, "'zzz' is no pick of round 0"), "no end of a list"
    assert client.get("/v1/runs/unknown/picks").status_code == 404
