"""The OpenAPI document: keys, an example of every body, examples of answers that are ones; the page shows them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from jsonschema_rs import validator_for

from prompts.template import catalogue
from serving.app import create_app
from serving.service.examples import ANSWERS, OTHERS
from serving.settings import Settings


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    home: Path = tmp_path_factory.mktemp("home")
    made = create_app(Settings(home=home, cache=home, engine_url="http://127.0.0.1:9"))
    yield made
    made.state.desk.database.dispose()


def operations(app: FastAPI) -> dict[str, dict[str, Any]]:
    return {f"{m.upper()} {p}": each for p, ms in app.openapi()["paths"].items() for m, each in ms.items()}


def exemplary(content: dict[str, Any]) -> bool:
    """Whether each form of a body that is text has an example."""
    return all(
        "example" in each or each["schema"].get("examples") or each["schema"].get("format") == "binary"
        for each in content.values()
    )


def test_every_body_has_an_example_and_every_operation_but_three_says_how_a_key_is_given(app: FastAPI) -> None:
    found = operations(app)
    bodies = {name: each["requestBody"]["content"] for name, each in found.items() if "requestBody" in each}
    assert len(bodies) >= 10
    assert [name for name, content in bodies.items() if not exemplary(content)] == []
    schemes = app.openapi()["components"]["securitySchemes"]
    assert (schemes["key"]["scheme"], schemes["session"]["name"]) == ("bearer", "thresher_key")
    studio = {str(each) for name, each in found.items() if "/label-studio/" in name for each in each["security"]}
    assert "{'password': []}" in studio
    assert {"password": []} not in found["GET /v1/runs"]["security"]
    assert {name for name, each in found.items() if "security" not in each} == {
        "GET /health",
        "GET /ready",
        "GET /metrics",
    }


def test_every_operation_has_an_example_of_what_it_takes_or_answers(app: FastAPI) -> None:
    without = set(operations(app))
    for name, each in operations(app).items():
        answers = [answer for status, answer in each["responses"].items() if status[0] == "2"]
        answered = any("example" in content for answer in answers for content in answer.get("content", {}).values())
        without -= {name} if answered else set()
    assert without == {"GET /v1/runs/{run}/model", "POST /v1/runs/{run}/review/{token}/skip"}, "bytes, and nothing"


def test_examples_name_prompts_that_there_are(app: FastAPI) -> None:
    named = re.findall(r"\b([a-z]+/[a-z]+)@1#", json.dumps([ANSWERS, OTHERS]))
    assert len(named) >= 4
    assert set(named) <= {prompt.id for prompt in catalogue()}


def test_examples_of_answers_are_such_answers(app: FastAPI) -> None:
    components, found = app.openapi()["components"], operations(app)
    assert set(ANSWERS) | set(OTHERS) <= set(found)
    for name in ANSWERS:
        answer = next(each for status, each in found[name]["responses"].items() if status[0] == "2")
        content = answer["content"]["application/json"]
        schema = {**content["schema"], "components": components}
        assert content["example"] == ANSWERS[name]
        assert [error.message for error in validator_for(schema).iter_errors(content["example"])] == [], name
    for name, (media, example) in OTHERS.items():
        assert found[name]["responses"]["200"]["content"][media]["example"] == example


def test_the_page_of_operations_shows_fields_and_examples(app: FastAPI) -> None:
    page = TestClient(app).get("/docs").text
    assert "How long it took; measured where absent." in page
    assert "two films in one text" in page
    assert "people have given 3 of 10 labels in round 1" in page
    assert page.count("<details") == len(operations(app))


def test_reads_that_are_polled_or_downloaded_announce_their_tag(app: FastAPI) -> None:
    tagged = {name: each for name, each in operations(app).items() if "304" in each["responses"]}
    assert set(tagged) == {
        "GET /v1/datasets",
        "GET /v1/datasets/{id}",
        "GET /v1/datasets/{id}/examples",
        "GET /v1/runs",
        "GET /v1/runs/{run}",
        "GET /v1/runs/{run}/history",
        "GET /v1/runs/{run}/labels",
        "GET /v1/runs/{run}/model",
        "GET /v1/runs/{run}/record",
        "GET /v1/runs/{run}/report",
    }
    for each in tagged.values():
        assert "ETag" in each["responses"]["200"]["headers"]
        assert each["responses"]["200"]["content"]
        assert "If-None-Match" in {parameter["name"] for parameter in each["parameters"]}
