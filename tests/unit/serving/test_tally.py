"""What processes count is added up in the database; the page of numbers says it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from agent.errors import StoreError
from agent.exchange import ChatReply, ChatRequest, Cost
from prompts.messages import Message
from serving.app import create_app
from serving.database import open_database, writing
from serving.llm.meter import Meter
from serving.runs.review_tables import rounds
from serving.runs.store import Store
from serving.service import tally
from serving.service.tally import Tally, add, totals
from serving.settings import Settings

REQUEST = ChatRequest(messages=(Message(role="user", content="?"),))
COST = Cost(calls=1, tokens_in=10, cached_tokens=4, tokens_out=2, seconds=0.5)


@pytest.fixture
def opened(database: str) -> Iterator[Engine]:
    engine = open_database(database)
    yield engine
    engine.dispose()


def used(meter: Meter) -> Meter:
    with meter.sending(REQUEST):
        meter.paid(COST)
    meter.failed("timeout")
    meter.hit(ChatReply(text="", cost=COST))
    for mass in (0.005, 0.97, 0.98, 1.0, 1.0000001):
        meter.read(mass)
    return meter


def test_what_two_processes_counted_is_added_and_nothing_twice(opened: Engine) -> None:
    first, second = used(Meter()), used(Meter())
    one, two = Tally(opened, lambda: first), Tally(opened, lambda: second)
    one.write()
    one.write()
    two.write()
    used(second)
    two.write()
    found = totals(opened)
    assert (found["requests"], found["hits"], found["prompt_tokens"]) == (3, 3, 30)
    assert (found["cached_tokens"], found["generated_tokens"], found["seconds"]) == (12, 6, 1.5)
    assert (found["failures/timeout"], found["mass/0.01"], found["mass/0.99"], found["mass/1"]) == (3, 3, 6, 6)
    assert found["mass_sum"] == pytest.approx(3 * 3.955, abs=1e-3)
    assert "retries" not in found


def test_a_context_writes_what_is_left_at_its_end(opened: Engine) -> None:
    with Tally(opened, lambda: None, every=60):
        pass
    assert totals(opened) == {}
    meter = Meter()
    with Tally(opened, lambda: meter, every=60):
        used(meter)
    assert totals(opened)["requests"] == 1


def test_what_could_not_be_written_is_written_the_next_time(opened: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = used(Meter())
    counter = Tally(opened, lambda: meter)

    def away(*_: object) -> None:
        raise StoreError("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr(tally, "add", away)
        counter.write()
    assert totals(opened) == {}
    counter.write()
    assert totals(opened)["requests"] == 1


def numbers(client: TestClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = client.get("/metrics").text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}


def test_the_page_of_numbers_tells_totals_queues_and_requests(database: str, tmp_path: Path) -> None:
    made = Settings(home=tmp_path, engine_url="http://127.0.0.1:9", database=database)
    client = TestClient(create_app(made))
    desk = client.app.state.desk
    assert numbers(client)["thresher_queue_age_seconds", (("queue", "runs"),)] == 0
    add(desk.database, {"requests": 7, "hits": 3, "failures/busy": 2, "mass/0.5": 1, "mass/1": 4, "mass_sum": 4.4})
    store: Store = desk.store
    for name in ("one", "two", "three"):
        store.begin(name, "{}", f"/{name}", "service")
    store.mark("two", "waiting", "for people")
    store.mark("three", "done")
    old = {
        "kind": "labels",
        "names": "[]",
        "blind": 0.2,
        "closed": False,
        "created": "2026-01-01T00:00:00.000000+00:00",
    }
    with writing(desk.database) as connection:
        connection.execute(rounds.insert().values(run="two", round=0, total=10, done=10, **old))
        connection.execute(rounds.insert().values(run="two", round=1, total=10, done=4, **old))
        connection.execute(rounds.insert().values(run="three", round=0, total=10, done=0, **old))
    client.get("/v1/runs/nothing-of-this-id")
    client.request("BREW", "/v1/runs")
    found = numbers(client)
    assert found["thresher_database_up", ()] == 1
    assert [found["thresher_runs", (("state", state),)] for state in ("queued", "waiting", "done")] == [1, 1, 1]
    assert found["thresher_queue_length", (("queue", "people"),)] == 6
    assert found["thresher_queue_age_seconds", (("queue", "people"),)] > 86_400
    assert found["thresher_queue_length", (("queue", "runs"),)] == 1
    assert 0 <= found["thresher_queue_age_seconds", (("queue", "runs"),)] < 3_600
    assert (found["thresher_llm_requests_total", ()], found["thresher_llm_hits_total", ()]) == (7, 3)
    assert found["thresher_llm_failures_total", (("kind", "busy"),)] == 2
    assert found["thresher_label_mass_bucket", (("le", "0.75"),)] == 1
    assert found["thresher_label_mass_bucket", (("le", "+Inf"),)] == found["thresher_label_mass_count", ()] == 5
    assert found["thresher_label_mass_sum", ()] == 4.4
    known = (("method", "GET"), ("route", "/v1/runs/{run}"), ("status", "404"))
    assert found["thresher_requests_total", known] == 1
    assert found["thresher_requests_total", (("method", "other"), ("route", "/v1/runs"), ("status", "405"))] == 1
    desk.database.dispose()


def test_without_a_database_the_numbers_of_the_process_are_still_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = TestClient(create_app(Settings(home=tmp_path, engine_url="http://127.0.0.1:9")))
    client.get("/health")

    def away(*_: object) -> None:
        raise StoreError("the database is away")

    monkeypatch.setattr("serving.service.metrics.reading", away)
    found = numbers(client)
    assert found["thresher_database_up", ()] == 0
    assert found["thresher_requests_total", (("method", "GET"), ("route", "/health"), ("status", "200"))] == 1
