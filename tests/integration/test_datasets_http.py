"""Uploads over HTTP: every format, refusals with their place, nothing left of what breaks off, nobody kept waiting."""

import io
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from serving.app import create_app
from serving.database import reading
from serving.problem import MEDIA
from serving.routes import datasets as route
from serving.runs.data_tables import datasets
from serving.settings import Settings
from tests.support.served import served

CSV = b"id,text,label\na,A warm film.,positive\nb,Four hours.,negative\n"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    home = tmp_path_factory.mktemp("service")
    settings = Settings(home=home, cache=home, engine_url="http://127.0.0.1:9", items=3000)
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def address(client: TestClient) -> Iterator[str]:
    """The same service behind a socket."""
    with served(client.app, lifespan="off") as url:
        yield url


def put(client: TestClient | httpx.Client, content: Any, media: str = "text/csv", **query: str) -> httpx.Response:
    return client.post("/v1/datasets", params=query, content=content, headers={"content-type": media})


def parquet() -> bytes:
    sink = io.BytesIO()
    rows = [
        {"id": "a", "text": "A warm film.", "label": "positive"},
        {"id": "b", "text": "Four hours.", "label": "negative"},
    ]
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


LINES = b"".join(
    json.dumps(row).encode() + b"\n"
    for row in (
        {"id": "a", "text": "A warm film.", "label": "positive"},
        {"id": "b", "text": "Four hours.", "label": "negative"},
    )
)


@pytest.mark.parametrize(
    ("media", "content"),
    [
        ("text/csv; charset=utf-8", CSV),
        ("text/tab-separated-values", CSV.replace(b",", b"\t")),
        ("application/x-ndjson", LINES),
        ("application/vnd.apache.parquet", parquet()),
    ],
)
def test_every_format_is_the_same_data_set(client: TestClient, media: str, content: bytes) -> None:
    response = put(client, content, media, name="films")
    assert response.status_code == 201, response.text
    found = response.json()
    assert (found["name"], found["rows"], found["labelled"]) == ("films", 2, 2)
    assert response.headers["location"] == f"/v1/datasets/{found['id']}"
    assert client.get(response.headers["location"]).json() == found
    assert found in client.get("/v1/datasets").json()["items"]
    rows = client.get(f"/v1/datasets/{found['id']}/examples").json()
    assert rows == {
        "items": [
            {"row": 1, "id": "a", "text": "A warm film.", "text_b": None, "label": "positive", "meta": {}},
            {"row": 2, "id": "b", "text": "Four hours.", "text_b": None, "label": "negative", "meta": {}},
        ],
        "next": None,
    }
    assert put(client, CSV, "text/csv").json()["id"] == found["id"]


def test_the_format_can_be_named(client: TestClient) -> None:
    assert put(client, CSV, "application/octet-stream", format="csv").status_code == 201


@pytest.mark.parametrize(
    ("status", "said", "headers", "query"),
    [
        (415, "the content type 'application/pdf' is no table", {"content-type": "application/pdf"}, {}),
        (415, "a compressed body is not read", {"content-type": "text/csv", "content-encoding": "gzip"}, {}),
        (422, "the upload has no column 'body'", {"content-type": "text/csv"}, {"text": "body"}),
        (422, "query.format: Input should be", {"content-type": "text/csv"}, {"format": "xls"}),
        (422, "query.name: String should match", {"content-type": "text/csv"}, {"name": "a\0"}),
    ],
)
def test_refusals(client: TestClient, status: int, said: str, headers: dict[str, str], query: dict[str, str]) -> None:
    response = client.post("/v1/datasets", params=query, content=CSV, headers=headers)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == MEDIA
    assert said in response.json()["detail"]
    assert response.json()["hint"]


def test_an_unknown_data_set(client: TestClient) -> None:
    for path in ("none", "none/examples", "%00", "a%ed%a0%80"):
        response = client.get(f"/v1/datasets/{path}")
        assert response.status_code == 404, response.text
        assert response.headers["content-type"] == MEDIA
    assert client.get("/v1/datasets?after=none").status_code == 404


def test_pages(client: TestClient) -> None:
    content = b"text\n" + b"".join(b"sentence %d\n" % i for i in range(5))
    id_ = put(client, content).json()["id"]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = client.get(f"/v1/datasets/{id_}/examples", params=query).json()
        seen += [each["text"] for each in page["items"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert seen == [f"sentence {i}" for i in range(5)]
    first = client.get("/v1/datasets?limit=1").json()
    assert first["items"][0]["id"] == id_
    second = client.get("/v1/datasets", params={"limit": 1, "after": first["next"]}).json()
    assert second["items"][0]["id"] != id_


def unfinished(client: TestClient) -> int:
    with reading(client.app.state.desk.database) as connection:
        return connection.execute(select(func.count()).where(datasets.c.id.startswith("~"))).scalar_one()


def until_none_is_under_way(client: TestClient) -> None:
    end = time.monotonic() + 20
    while unfinished(client):
        assert time.monotonic() < end
        time.sleep(0.02)


def sentences(n: int) -> Iterator[bytes]:
    yield b"id,text\n"
    for start in range(0, n, 100):
        yield b"".join(b"r%d,sentence %d\n" % (i, i) for i in range(start, start + 100))


def test_too_many_rows_are_refused_and_the_sender_hears_it_to_the_end(client: TestClient, address: str) -> None:
    with httpx.Client(base_url=address) as sender:
        response = put(sender, sentences(100_000))
    assert response.status_code == 422
    assert response.json()["detail"] == "the upload has more than 3,000 rows"
    assert unfinished(client) == 0


def test_an_upload_that_is_cut_leaves_nothing(client: TestClient, address: str) -> None:
    before = client.get("/v1/datasets").json()
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = (
            f"POST /v1/datasets HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/csv\r\nContent-Length: 9999999\r\n\r\n"
        )
        connection.sendall(head.encode() + b"".join(sentences(2500)))
        end = time.monotonic() + 20
        while not unfinished(client):  # its first rows are stored
            assert time.monotonic() < end
            time.sleep(0.02)
    until_none_is_under_way(client)
    assert client.get("/v1/datasets").json() == before


def test_an_upload_that_stalls_is_given_up(client: TestClient, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "PATIENCE", 0.3)
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = (
            f"POST /v1/datasets HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/csv\r\nContent-Length: 9999999\r\n\r\n"
        )
        connection.sendall(head.encode() + b"id,text\n")
        connection.settimeout(20)
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408")
    until_none_is_under_way(client)


def test_slow_uploads_keep_no_other_request_waiting(client: TestClient, address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    head = f"POST /v1/datasets HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/csv\r\nContent-Length: 9999999\r\n\r\n"
    slow = [socket.create_connection((host, int(port))) for _ in range(50)]  # more than there are threads
    try:
        for connection in slow:
            connection.sendall(head.encode() + b"id,text\n")
        assert httpx.get(f"{address}/v1/datasets", timeout=20).status_code == 200
    finally:
        for connection in slow:
            connection.close()
    until_none_is_under_way(client)
