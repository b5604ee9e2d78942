"""The edge of the service: keys, bounds, origins; every refusal is a problem document."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.settings import Settings


@pytest.fixture
def make(tmp_path: Path) -> Iterator[object]:
    def made(**fields: object) -> TestClient:
        given = {"home": tmp_path / "home", "cache": tmp_path / "cache", "engine_url": "http://127.0.0.1:9", **fields}
        return TestClient(create_app(Settings.model_validate(given)), raise_server_exceptions=False)

    return made


def problem(answer: object, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["title"]
    return f"{body['detail']}; {body['hint']}"


def test_without_keys_this_machine_may_do_everything_and_with_one_nobody_comes_in_without(make) -> None:
    client = make()
    assert client.get("/v1/runs").status_code == 200
    keys = client.app.state.desk.keys
    reader = {"Authorization": f"Bearer {keys.make('reader', ['read'])}"}
    assert "thresher keys make" in problem(client.get("/v1/runs"), 401)
    assert client.get("/v1/runs", headers=reader).status_code == 200
    assert "may not run" in problem(client.post("/v1/runs/x/cancel", headers=reader), 403)
    admin = {"Authorization": f"Bearer {keys.make('chief', ['admin'])}"}
    problem(client.post("/v1/runs/x/cancel", headers=admin), 404)
    wrong = {"Authorization": "Bearer thresher_0000000000000000_" + "a" * 43}
    assert "not known" in problem(client.get("/v1/runs", headers=wrong), 401)
    assert "not known" in problem(client.get("/v1/runs", headers={"Authorization": "Basic YTpi"}), 401)
    assert client.get("/health").json() == {"status": "alive"}


def test_a_body_beyond_its_bound_is_refused_declared_or_not(make) -> None:
    client = make(body_bytes=64 * 1024)
    assert "65,536" in problem(
        client.post("/v1/datasets", content=b"x" * 70_000, headers={"Content-Type": "text/csv"}), 413
    )
    assert "4,096" in problem(client.post("/v1/runs", content=b"x" * 5_000), 413)

    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            yield b"x" * 1000

    assert "4,096" in problem(client.post("/v1/runs", content=pieces(), headers={"Content-Type": "text/json"}), 413)
    gzipped = {"Content-Encoding": "gzip"}
    assert "compressed" in problem(client.post("/v1/runs", content=b"x", headers=gzipped), 415)


def test_who_asks_too_fast_is_told_when_to_come_again(make) -> None:
    client = make(rate=2.0)
    codes = [client.get("/health").status_code for _ in range(8)]
    assert codes[:4] == [200] * 4
    assert 429 in codes
    refused = client.get("/health")
    while refused.status_code != 429:
        refused = client.get("/health")
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["retryable"] is True


def test_a_website_in_a_browser_of_this_machine_changes_nothing_and_reaches_nothing_by_another_name(make) -> None:
    client = make()
    foreign = {"Origin": "https://evil.example"}
    assert "may change nothing" in problem(client.post("/v1/runs/x/cancel", headers=foreign), 403)
    problem(client.post("/v1/runs/x/cancel", headers={"Origin": "http://testserver"}), 404)
    assert "evil.example" in problem(client.get("/v1/runs", headers={"Host": "evil.example"}), 421)


def test_every_answer_forbids_sniffing_and_framing(make) -> None:
    client = make()
    for path in ("/health", "/v1/runs", "/v1/runs/none"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


def test_what_is_not_there_is_a_problem_too(make) -> None:
    client = make()
    problem(client.get("/nowhere"), 404)
    problem(client.put("/v1/runs"), 405)
    assert "none" in problem(client.get("/v1/runs/none"), 404)
    assert "body.task" in problem(client.post("/v1/runs", json={"data": "x"}), 422)


def test_what_nobody_foresaw_is_a_problem_without_a_trace(make, monkeypatch: pytest.MonkeyPatch) -> None:
    client = make()

    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(client.app.state.desk.store, "list", broken)
    said = problem(client.get("/v1/runs"), 500)
    assert "secret detail" not in said
    assert "Traceback" not in said


def test_readiness_says_what_is_missing_and_numbers_are_counted_by_operation(make) -> None:
    client = make()
    answer = client.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["database"] == "ready"
    assert "LLM is not ready" in answer.json()["engine"]
    client.get("/v1/runs/some-id")
    text = client.get("/metrics").text
    assert 'thresher_requests_total{method="GET",route="/v1/runs/{run}",status="404"} 1.0' in text
    assert 'thresher_runs{state="running"} 0.0' in text
    assert "some-id" not in text
