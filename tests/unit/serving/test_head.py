"""HEAD answers what GET would, without the body; where there is no GET it is refused like any other method."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.service.guard import KNOWN
from serving.service.head import Head
from serving.settings import Settings
from tests.support.served import served
from tests.support.toy_jobs import toy_job

RUN = "toy-1"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    made = Settings(home=tmp_path / "home", cache=tmp_path / "cache", engine_url="http://127.0.0.1:9")
    client = TestClient(create_app(made), raise_server_exceptions=False)
    store = client.app.state.desk.store
    store.begin(RUN, toy_job("random").model_dump_json(), str(tmp_path / "out"), "service")
    yield client
    client.app.state.desk.database.dispose()


@pytest.mark.parametrize("path", ["/", "/health", "/openapi.json", "/v1/runs", f"/v1/runs/{RUN}", "/v1/runs/none"])
def test_headers_are_those_of_get_and_there_is_no_body(client: TestClient, path: str) -> None:
    full, bare = client.get(path), client.head(path)
    assert (bare.status_code, bare.content) == (full.status_code, b"")
    own = {"x-request-id"}
    assert {k: v for k, v in bare.headers.items() if k not in own} == {
        k: v for k, v in full.headers.items() if k not in own
    }
    assert int(bare.headers["Content-Length"]) == len(full.content) > 0


def test_a_stream_that_would_not_end_ends_with_its_headers(client: TestClient) -> None:
    """Behind a socket, where an answer is over when its server says so."""
    with served(client.app, lifespan="off") as url:
        answer = httpx.head(f"{url}/v1/runs/{RUN}/events", timeout=20, trust_env=False)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Type"].startswith("text/event-stream")


def test_405_names_every_method_that_the_address_knows(client: TestClient) -> None:
    for path, methods in (("/v1/runs", "GET, POST, HEAD"), (f"/v1/runs/{RUN}", "GET, HEAD"), ("/v1/select", "POST")):
        refused = client.delete(path)
        assert (refused.status_code, refused.headers["Allow"]) == (405, methods)
        assert refused.headers["Content-Type"] == "application/problem+json"
    bare = client.head("/v1/select")
    assert (bare.status_code, bare.headers["Allow"], bare.content) == (405, "POST", b"")


def test_a_key_is_asked_for_as_ever_and_the_document_knows_no_head(client: TestClient) -> None:
    keys = client.app.state.desk.keys
    held = {"Authorization": f"Bearer {keys.make('reader', ['read'])}"}
    assert client.head("/v1/runs").status_code == 401
    assert client.head("/v1/runs", headers=held).status_code == 200
    assert not [path for path, each in client.app.openapi()["paths"].items() if "head" in each]


def test_what_stands_before_it_still_sees_the_method_the_route_and_the_caller() -> None:
    async def app(scope: dict[str, object], _receive: object, send: object) -> None:
        assert scope["method"] == "GET"
        scope.update({"route": "a route", KNOWN: "ann"})
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"long"})

    scope: dict[str, object] = {"type": "http", "method": "HEAD"}
    told: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        assert scope["method"] == "HEAD", "the server leaves bodies out by the method that it knows"
        told.append(message)

    asyncio.run(Head(app)(scope, None, send))
    assert scope == {"type": "http", "method": "HEAD", "route": "a route", KNOWN: "ann"}
    assert [message.get("body") for message in told] == [None, b""]
