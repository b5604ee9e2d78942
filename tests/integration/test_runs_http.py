"""Runs over HTTP: a real server process, real run processes, an encoder with real weights, an LLM of fixed answers."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from serving.database import open_database, reading
from serving.runs.schema import runs
from serving.runs.tables import read_table
from tests.support.cli import asked, user_files, weather_answer, weather_lean
from tests.support.fake_openai import FakeOpenAI
from tests.support.questions import TASK
from tests.support.server import Server

pytestmark = pytest.mark.student

UNDER_WAY = 16


@pytest.fixture
def llm() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(answer=weather_answer, lean=weather_lean) as fake:
        yield fake


def uploaded(server: Server, folder: Path) -> dict[str, Any]:
    """The body of a run over the toy texts."""
    _, pool, test = user_files(folder)
    ids: list[str] = []
    for path in (pool, test):
        answer = httpx.post(
            f"{server.url}/v1/datasets", content=path.read_bytes(), headers={"Content-Type": "text/csv"}, timeout=60
        )
        assert answer.status_code == 201, answer.text
        ids.append(answer.json()["id"])
    task = json.loads(TASK.model_dump_json())
    return {"task": task, "data": ids[0], "test": ids[1], "budget": 8, "reads": 40, "students": ["svm"]}


def begun(server: Server, body: dict[str, Any], **headers: str) -> httpx.Response:
    """The LLM is looked for in the background: until it is found, the service asks for patience."""
    end = time.monotonic() + 60
    while True:
        answer = httpx.post(f"{server.url}/v1/runs", json=body, headers=headers, timeout=60)
        if answer.status_code != 503 or time.monotonic() > end:
            return answer
        assert answer.headers["Retry-After"]
        time.sleep(0.2)


def over(server: Server, run: str, *states: str, patience: float = 120) -> dict[str, Any]:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = httpx.get(f"{server.url}/v1/runs/{run}", timeout=30).json()
        if found["state"] in (states or ("done", "failed", "cancelled")):
            return found
        time.sleep(0.2)
    log = server.log.parent / "runs" / run / "worker.log"
    raise AssertionError(f"{found}\n{log.read_text(encoding='utf-8')[-2000:] if log.exists() else ''}")


def test_a_run_is_begun_followed_to_its_end_and_taken_home(llm: FakeOpenAI, tmp_path: Path) -> None:
    with Server(tmp_path / "home", llm.url) as server:
        body = {**uploaded(server, tmp_path / "in"), "people": "simulated"}
        first = begun(server, body, **{"Idempotency-Key": "one"})
        assert first.status_code == 201, first.text
        run = first.json()["id"]
        assert first.headers["Location"] == f"/v1/runs/{run}"
        assert begun(server, body, **{"Idempotency-Key": "one"}).json()["id"] == run
        assert begun(server, body).status_code == 200, "equal runs are one run"
        other = begun(server, {**body, "budget": 4}, **{"Idempotency-Key": "one"})
        assert (other.status_code, other.headers["Content-Type"]) == (409, "application/problem+json")

        told: list[tuple[int, str]] = []
        with httpx.stream("GET", f"{server.url}/v1/runs/{run}/events", timeout=120) as stream:
            for line in stream.iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    told.append((int(value), ""))
                elif name == "event":
                    told[-1] = (told[-1][0], value)
        assert [seq for seq, _ in told] == sorted({seq for seq, _ in told})
        assert {kind for _, kind in told} >= {"state", "step", "cell"}
        again = httpx.get(f"{server.url}/v1/runs/{run}/events", headers={"Last-Event-ID": str(told[-2][0])}, timeout=30)
        assert again.text.count("event:") == 1

        done = over(server, run)
        assert (done["state"], done["human_labels"], done["finished"]) == ("done", 8, 1), done
        assert done["why"]
        rounds = httpx.get(f"{server.url}/v1/runs/{run}/history").json()
        assert rounds["rounds"][-1]["human_labels"] == 8
        assert len(rounds["points"][-1]["predictions"]) == 30

        tag = httpx.get(f"{server.url}/v1/runs/{run}").headers["ETag"]
        assert httpx.get(f"{server.url}/v1/runs/{run}", headers={"If-None-Match": tag}).status_code == 304
        lines = [json.loads(line) for line in httpx.get(f"{server.url}/v1/runs/{run}/labels").text.splitlines()]
        assert Counter(line["provenance"] for line in lines)["human"] == 8
        assert httpx.get(f"{server.url}/v1/runs/{run}/labels?format=csv").text.startswith("id,text,")
        assert httpx.get(f"{server.url}/v1/runs/{run}/labels?format=parquet").content.startswith(b"PAR1")
        assert httpx.get(f"{server.url}/v1/runs/{run}/model").content.startswith(b"\x1f\x8b")
        assert "<html" in httpx.get(f"{server.url}/v1/runs/{run}/report").text
        assert httpx.get(f"{server.url}/v1/runs/none").status_code == 404


def test_a_server_killed_in_the_middle_goes_on_where_it_was(llm: FakeOpenAI, tmp_path: Path) -> None:
    """What the same run comes to without a crash is compared with it."""
    llm.latency = 0.1
    finals: list[list[dict[str, Any]]] = []
    questions: list[Counter[str]] = []
    for place, kills in (("calm", 0), ("killed", 2)):
        llm.bodies.clear()
        under_way = 0
        with Server(tmp_path / place, llm.url) as server:
            body = {**uploaded(server, tmp_path / "in"), "people": "simulated"}
            run = begun(server, body).json()["id"]
            for kill in range(1, kills + 1):
                while len(asked(llm.bodies)) < 30 * kill:
                    assert over(server, run, "queued", "running")
                    time.sleep(0.02)
                server.kill()
                under_way += UNDER_WAY
                server.start()
            assert over(server, run)["state"] == "done"
            lines = httpx.get(f"{server.url}/v1/runs/{run}/labels").text.splitlines()
            finals.append([timeless(json.loads(line)) for line in lines])
        questions.append(Counter(json.dumps(body, sort_keys=True) for body in asked(llm.bodies)))
    assert finals[0] == finals[1]
    assert set(questions[0]) == set(questions[1])
    repeated = (questions[1] - questions[0]).total()
    assert 0 < repeated <= under_way


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: timeless(inner) for key, inner in value.items() if key not in {"seconds", "human_seconds"}}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def test_two_servers_on_one_database_work_on_a_run_once(llm: FakeOpenAI, database: str, tmp_path: Path) -> None:
    """Both would look after it from its first moment on: it is claimed once, by one of them, and stays with it."""
    llm.latency = 0.05
    home, named = tmp_path / "home", {"THRESHER_DATABASE": database}
    with Server(home, llm.url, **named) as one, Server(home, llm.url, **named) as two:
        run = begun(one, {**uploaded(one, tmp_path / "in"), "people": "simulated"}).json()["id"]
        assert over(two, run)["state"] == "done"
        told = httpx.get(f"{two.url}/v1/runs/{run}/events", timeout=60).text
        assert told.count('"state": "running"') == 1
    engine = open_database(database)
    with reading(engine) as connection:
        assert connection.execute(select(runs.c.fence).where(runs.c.id == run)).scalar_one() == 1
    engine.dispose()


def test_a_run_is_cancelled_and_goes_on_when_asked_to(llm: FakeOpenAI, tmp_path: Path) -> None:
    with Server(tmp_path / "home", llm.url) as server:
        run = begun(server, {**uploaded(server, tmp_path / "in"), "people": "queue"}).json()["id"]
        waiting = over(server, run, "waiting", "failed")
        assert (waiting["state"], waiting["human_labels"]) == ("waiting", 0), waiting
        assert waiting["why"] == f"people have given 0 of {waiting['asked']['total']} labels in round 1"
        base = f"{server.url}/v1/runs/{run}"
        assert httpx.get(f"{base}/labels").text == "", "nothing is labelled yet"
        item = httpx.post(f"{base}/review", json={"who": "Ada"}, timeout=30).json()
        httpx.post(f"{base}/labels", json={"token": item["token"], "label": "sunny"}, timeout=30).raise_for_status()
        rows = [json.loads(line) for line in httpx.get(f"{base}/labels", timeout=30).text.splitlines()]
        assert [(row["id"], row["label"], row["provenance"]) for row in rows] == [(item["example"], "sunny", "human")]
        assert httpx.get(f"{base}/report").status_code == 409
        assert httpx.post(f"{server.url}/v1/runs/{run}/cancel").json()["state"] == "cancelled"
        assert httpx.post(f"{server.url}/v1/runs/{run}/resume").json()["state"] == "queued"
        assert over(server, run, "waiting")["state"] == "waiting"
        assert [r["id"] for r in httpx.get(f"{server.url}/v1/runs?state=waiting").json()["items"]] == [run]


def test_a_run_over_data_that_do_not_fit_is_refused_in_one_line(llm: FakeOpenAI, tmp_path: Path) -> None:
    with Server(tmp_path / "home", llm.url) as server:
        body = uploaded(server, tmp_path / "in")
        n = len(read_table(tmp_path / "in" / "pool.csv", TASK).columns)
        wrong = {
            "budget": ({"budget": n + 1}, f"the budget of {n + 1} labels is larger than the pool"),
            "recipe": ({"recipe": "magic"}, "there is no recipe 'magic'"),
            "leak": ({"test": body["data"]}, "stand in"),
            "people": ({"students": ["svm", "bert"]}, "would each ask people"),
            "caps": ({"caps": {"human_labels": 0}}, "a cap of 0 labels of people leaves nothing to spend"),
        }
        for fields, expected in wrong.values():
            answer = begun(server, {**body, **fields})
            assert answer.status_code == 422, answer.text
            assert expected in answer.json()["detail"]
        assert begun(server, {**body, "data": "0" * 64}).status_code == 404
        assert httpx.get(f"{server.url}/v1/runs").json()["items"] == []


@pytest.mark.parametrize("cap", [{"requests": 90}, {"tokens": 12000}], ids=lambda cap: next(iter(cap)))
def test_a_cap_on_the_llm_is_never_exceeded_also_by_a_killed_run(
    llm: FakeOpenAI, tmp_path: Path, cap: dict[str, int]
) -> None:
    """Counted by the LLM's own server; the run ends cleanly with what it has."""
    llm.latency = 0.05
    with Server(tmp_path / "home", llm.url) as server:
        body = {**uploaded(server, tmp_path / "in"), "people": "simulated", "reads": 60, "budget": 16, "caps": cap}
        run = begun(server, body).json()["id"]
        while len(asked(llm.bodies)) < 30:
            state = httpx.get(f"{server.url}/v1/runs/{run}").json()["state"]
            assert state in ("queued", "running"), f"{state} before it could be killed"
            time.sleep(0.02)
        server.kill()
        server.start()
        done = over(server, run)
        assert done["state"] == "done", done
        assert done["why"].startswith("cap: the cap of"), done
        labels = httpx.get(f"{server.url}/v1/runs/{run}/labels").text.splitlines()
        assert labels
        assert httpx.get(f"{server.url}/v1/runs/{run}/model").status_code == 200
    sent = asked(llm.bodies)
    assert len(sent) <= cap.get("requests", len(sent))
    used = sum(llm.chat(each)["usage"]["total_tokens"] for each in sent)
    assert 0 < used <= cap.get("tokens", used)


def test_people_label_over_http_until_the_run_ends(llm: FakeOpenAI, tmp_path: Path) -> None:
    """Two people, a skip, a changed mind, an answer sent twice, and a server that is killed while they work."""
    with Server(tmp_path / "home", llm.url) as server:
        run = begun(server, {**uploaded(server, tmp_path / "in"), "people": "queue"}).json()["id"]
        gold = read_table(tmp_path / "in" / "pool.csv", TASK).gold
        base, given, kills = f"{server.url}/v1/runs/{run}", list[str](), 1
        while over(server, run, "waiting", "queued", "running", "done", "failed")["state"] != "done":
            for who in ("Ada", "Grace"):
                taken = httpx.post(f"{base}/review", json={"who": who}, timeout=30)
                if taken.status_code != 200:
                    time.sleep(0.1)
                    continue
                item = taken.json()
                assert httpx.post(f"{base}/review", json={"who": who}).json()["token"] == item["token"]
                answer = {"token": item["token"], "label": gold[item["example"]], "seconds": 2.0}
                first = httpx.post(f"{base}/labels", json=answer, timeout=30)
                assert first.status_code == 200, first.text
                again = httpx.post(f"{base}/labels", json=answer, timeout=30).json()
                assert (again["repeated"], again["choice"]) == (True, first.json()["choice"])
                given.append(item["example"])
                if kills and len(given) == 3:
                    kills -= 1
                    server.kill()
                    server.start()
        assert len(given) == len(set(given)) == 8
        lines = [json.loads(line) for line in httpx.get(f"{base}/labels").text.splitlines()]
        people = {line["id"]: line for line in lines if line["provenance"] != "machine"}
        assert set(people) == set(given)
        assert {line["by"] for line in people.values()} <= {"human:Ada", "human:Grace"}
        assert all(line["label"] == gold[id_] for id_, line in people.items())
        seconds = httpx.get(base).json()["cost"]["human_seconds"]
        assert 0 < seconds < 16, "nobody can have looked at a text for longer than it was theirs"
