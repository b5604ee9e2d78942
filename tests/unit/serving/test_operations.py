"""Alive and ready: what is missing is said, also when it goes missing later."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from agent.errors import StoreError
from serving.app import create_app
from serving.settings import Settings
from tests.support.fake_openai import FakeOpenAI
from tests.support.service import connected


def test_it_is_ready_while_database_and_llm_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeOpenAI() as llm:
        app = create_app(Settings(home=tmp_path, engine_url=llm.url, api_key="sesame"))
        with TestClient(app) as client:
            connected(client)
            answer = client.get("/ready")
            assert (answer.status_code, answer.json()["ready"], answer.json()["database"]) == (200, True, "ready")
            assert answer.json()["engine"] == "fake-model"
            assert llm.headers[-1].get("Authorization") == "Bearer sesame"

            def away(*_: object) -> None:
                raise StoreError("the database is away")

            with monkeypatch.context() as patched:
                patched.setattr("serving.routes.operations.reading", away)
                answer = client.get("/ready")
                assert (answer.status_code, answer.json()["database"]) == (503, "the database is away")
                assert client.get("/health").status_code == 200
            client.app.state.desk.stopping.set()
            assert client.get("/ready").status_code == 503
            client.app.state.desk.stopping.clear()
            llm.stop()
            answer = client.get("/ready")
            assert (answer.status_code, answer.json()["ready"]) == (503, False)
            assert "fake-model no longer answers at http" in answer.json()["engine"]
            assert client.get("/health").json() == {"status": "alive"}
