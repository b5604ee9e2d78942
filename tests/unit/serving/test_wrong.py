"""A request that cannot be read is told in one line: the field, why, and the value as text."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from agent.errors import BadInput
from serving.app import create_app
from serving.roles.annotate import AnnotateHead
from serving.roles.given import Text
from serving.roles.lines import parsed
from serving.roles.select import SelectHead
from serving.settings import Settings
from serving.wrong import LONGEST, shown
from tests.support.questions import TASK

JSON = {"Content-Type": "application/json"}
STEP: dict[str, Any] = {"query": {"kind": "random"}, "size": 4}
RECIPE: dict[str, Any] = {
    "name": "mine",
    "steps": [STEP],
    "stop": {"kind": "budget", "labels": 4},
    "learner": {"kind": "svm"},
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    home: Path = tmp_path_factory.mktemp("home")
    made = Settings(home=home, cache=home, engine_url="http://127.0.0.1:9")
    return TestClient(create_app(made), raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"not json\n", "not json"),
        (b"\xff\xfe{", "\ufffd\ufffd{"),
        ("two\nlines\tand \x1b[31mred\ud800", "two lines and \ufffd[31mred\ufffd"),
        ("", '""'),
        (None, "null"),
        ({"a": [True, "ä"]}, '{"a": [true, "ä"]}'),
        ("x" * LONGEST, "x" * LONGEST),
        ("x" * (LONGEST + 1), "x" * (LONGEST - 1) + "…"),
        (b"x" * 10_000_000, "x" * (LONGEST - 1) + "…"),
        (" " * 10_000, "…"),
    ],
)
def test_a_value_is_shown_as_text_on_one_short_line(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (5, "body.recipe: Give a ready recipe's name, or a recipe as JSON (given: 5)"),
        ({}, "body.recipe.name: Field required (given: {})"),
        ({**RECIPE, "steps": []}, "body.recipe.steps: Tuple should have at least 1 item"),
        ({**RECIPE, "budget": 4}, "body.recipe.budget: Extra inputs are not permitted (given: 4)"),
        ({**RECIPE, "learner": {"kind": "svm", "c": "no"}}, "body.recipe.learner.c: Input should be a valid number"),
        ({**RECIPE, "learner": {"kind": "gpt"}}, "body.recipe.learner: Input tag 'gpt' found using 'kind'"),
        (
            {**RECIPE, "steps": [STEP, {**STEP, "size": 0}]},
            "body.recipe.steps.1.size: Input should be greater than or equal to 1 (given: 0)",
        ),
        (
            {**RECIPE, "steps": [{**STEP, "query": {"kind": "llm", "prompts": "x"}}]},
            "body.recipe.steps.0.query.prompts: Extra inputs are not permitted (given: x)",
        ),
        (
            {**RECIPE, "steps": [{**STEP, "annotate": {"kind": "simulated", "noise": 7}}]},
            "body.recipe.steps.0.annotate.noise: Input should be less than or equal to 1 (given: 7)",
        ),
    ],
)
@pytest.mark.parametrize("path", ["/v1/runs", "/v1/plan"])
def test_what_is_wrong_inside_a_recipe_is_named(client: TestClient, path: str, recipe: object, said: str) -> None:
    body = {"task": TASK.model_dump(mode="json"), "data": "x", "recipe": recipe}
    answer = client.post(path, json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"].startswith(said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"task": ', 'body: no JSON: Expecting value at character 9 (given: {"task":)'),
        (b'{"task": "\\ud800"}', "body.task: Input should be a valid dictionary"),
        (b"[1]", "body: Input should be a valid dictionary or object to extract fields from (given: [1])"),
    ],
)
def test_a_body_that_is_no_json_is_shown_as_text(client: TestClient, content: bytes, said: str) -> None:
    answer = client.post("/v1/runs", content=content, headers=JSON)
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"].startswith(said)
    assert "b'" not in answer.json()["detail"]


def test_query_and_path_are_named_as_well(client: TestClient) -> None:
    said = client.get("/v1/runs?limit=0&state=lost").json()["detail"]
    assert said == "query.limit: Input should be greater than or equal to 1 (given: 0)"
    assert client.get("/v1/runs?state=lost").json()["detail"].startswith("query.state: Input should be 'queued'")
    assert client.get(f"/v1/runs/{'x' * 90}").json()["detail"].startswith("path.run: String should have at most 80")


@pytest.mark.parametrize(
    ("line", "kind", "said"),
    [
        (b"not json\n", Text, "line 7: Invalid JSON: expected ident at line 1 column 2 (given: not json)"),
        (b"\xff\xfe\n", Text, "line 7: Invalid JSON: expected value at line 1 column 1 (given: \ufffd\ufffd)"),
        (b'{"text": 5}', Text, "line 7: text: Input should be a valid string (given: 5)"),
        (b"[1]", Text, "line 7: Input should be an object (given: [1])"),
        (b"{}", AnnotateHead, "line 7: task: Field required (given: {})"),
    ],
)
def test_a_line_is_shown_as_text(line: bytes, kind: type[Any], said: str) -> None:
    with pytest.raises(BadInput) as caught:
        parsed(line, kind, 7)
    assert caught.value.what == said


def test_a_field_of_a_line_is_named_without_the_kind_that_was_tried() -> None:
    head = {"task": TASK.model_dump(mode="json"), "k": 1, "strategy": {"kind": "random", "of": 1}}
    with pytest.raises(BadInput, match=r"line 1: strategy\.of: Extra inputs are not permitted \(given: 1\)"):
        parsed(json.dumps(head).encode(), SelectHead, 1)
