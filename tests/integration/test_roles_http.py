"""The three roles over HTTP, against a server that speaks the LLM's protocol."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.problem import MEDIA as PROBLEM
from serving.roles.given import LEAST_SAMPLE
from serving.roles.lines import LONGEST_LINE
from serving.routes.ndjson import MEDIA
from serving.settings import Settings
from tests.support.cli import asked, weather_answer, weather_lean
from tests.support.fake_openai import Body, FakeOpenAI, Fault
from tests.support.questions import TASK, ToyEncoder, texts
from tests.support.service import connected
from tests.support.toy_runs import digits, writes

JSON = TASK.model_dump(mode="json")


def answer(body: Body) -> str:
    """Reasons and single texts where they are asked for, else what the toy LLM says."""
    said = " ".join(message["content"] for message in body["messages"])
    if "Reason: <one sentence>" in said:
        return "Reason: it is about rain.\nLabel: negative"
    if "Write" in said and "Instances" not in said:
        return writes(said, digits(f"{said}{body['temperature']}")).splitlines()[0]
    return weather_answer(body)


@pytest.fixture(scope="module")
def llm() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(answer=answer, lean=weather_lean) as server:
        yield server


@pytest.fixture(scope="module")
def client(llm: FakeOpenAI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    home = tmp_path_factory.mktemp("service")
    settings = Settings(home=home, cache=home / "cache", engine_url=llm.url, model="")
    with TestClient(create_app(settings)) as client:
        connected(client)
        yield client


def examples(n: int, seed: int = 1) -> list[dict[str, str]]:
    columns, _ = texts(n, seed=seed)
    return [{"id": i, "text": t} for i, t in zip(columns.ids, columns.texts, strict=True)]


def post(client: TestClient, path: str, **body: object) -> Any:
    response = client.post(f"/v1/{path}", json={"task": JSON, **body})
    assert response.status_code == 200, response.text
    return response.json()


def refused(client: TestClient, path: str, **body: object) -> str:
    response = client.post(f"/v1/{path}", json={"task": JSON, **body})
    assert response.headers["content-type"] == PROBLEM
    problem = response.json()
    assert (response.status_code, problem["status"]) == (422, 422), response.text
    return f"{problem['detail']}; {problem['hint']}"


def stream(client: TestClient, path: str, head: dict[str, Any], lines: list[bytes]) -> httpx.Response:
    body = b"".join(line + b"\n" for line in [json.dumps({"task": JSON, **head}).encode(), *lines])
    return client.post(f"/v1/{path}", content=body, headers={"Content-Type": MEDIA})


def rows(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == MEDIA
    return [json.loads(line) for line in response.text.splitlines()]


# select

READ = {"kind": "read", "then": {"kind": "patron"}, "reads": 20}


def test_the_llm_selects_and_says_what_it_cost(client: TestClient, llm: FakeOpenAI) -> None:
    before = len(llm.bodies)
    found = post(client, "select", k=6, examples=examples(40), seed=11)
    ids = [pick["id"] for pick in found["picks"]]
    assert len(ids) == len(set(ids)) == 6
    assert set(ids) <= {each["id"] for each in examples(40)}
    sent = asked(llm.bodies[before:])
    assert found["usage"]["requests"] == len(sent) > 0
    assert found["usage"]["prompt_tokens"] > found["usage"]["cached_tokens"] > 0
    assert found["usage"]["generated_tokens"] > 0
    assert found["prompts"][0].startswith("select/choose@1#")
    assert found["prompts"][0] in found["by"]
    chosen = [pick for pick in found["picks"] if not pick["filled"]]
    assert all(0 <= pick["shown"] < pick["listed"] <= 15 for pick in chosen)
    assert found["filled_share"] == 1 - len(chosen) / 6
    again = post(client, "select", k=6, examples=examples(40), seed=11)
    assert again["picks"] == found["picks"]
    assert (again["usage"]["requests"], again["usage"]["recorded"]) == (0, len(sent))
    assert again["usage"]["prompt_tokens"] == 0


def test_a_prompt_and_its_slots_reach_the_llm(client: TestClient, llm: FakeOpenAI) -> None:
    before = len(llm.bodies)
    labelled = [{"text": "glow over the hills", "label": "sunny"}]
    slots = {"mode": "no-cot", "context": "labelled", "criterion": "diversity"}
    found = post(client, "select", k=2, examples=examples(20), prompt="select/rank", slots=slots, labelled=labelled)
    assert len(found["picks"]) == 2
    assert found["prompts"][0].startswith("select/rank@")
    said = llm.bodies[before]["messages"][0]["content"]
    assert "positive <- glow over the hills" in said


def test_classic_strategies_need_no_llm(client: TestClient, llm: FakeOpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(llm.bodies)
    found = post(client, "select", k=3, examples=examples(9), strategy={"kind": "random"})
    assert (len(found["picks"]), found["prompts"], found["filled_share"]) == (3, [], None)
    assert found["usage"]["requests"] == 0
    encoding = client.app.state.desk.encoding
    monkeypatch.setattr(encoding, "ready", ToyEncoder)
    mixed = {"kind": "mix", "a": {"kind": "kmeans"}, "b": {"kind": "kcenter"}}
    assert len(post(client, "select", k=4, examples=examples(30), strategy=mixed)["picks"]) == 4
    assert len(llm.bodies) == before


def test_a_strategy_may_choose_by_what_the_llm_reads(
    client: TestClient, llm: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(llm.bodies)
    monkeypatch.setattr(client.app.state.desk.encoding, "ready", ToyEncoder)
    found = post(client, "select", k=4, examples=examples(30), strategy=READ)
    assert len(found["picks"]) == 4
    assert found["notes"] == {"read": 20, "unread": 0}
    assert found["prompts"][0].startswith("annotate/label@")
    assert found["by"].endswith(found["prompts"][0])
    assert found["usage"]["requests"] == len(asked(llm.bodies[before:])) == 20


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"strategy": {"kind": "margin"}}, "the strategy 'margin' needs a trained student, which a single request"),
        ({"strategy": {"kind": "disagreement"}}, "a trained student and labels of the LLM"),
        ({"strategy": {"kind": "kmeans", "features": "student"}}, "start a run, or choose a strategy without"),
        ({"strategy": {"kind": "generate"}}, "'generate' found using 'kind' does not match any of the expected tags"),
        ({"strategy": {"kind": "random"}, "prompt": "select/choose"}, "give either it or them"),
        ({"prompt": "annotate/label"}, "answered with label, and to select takes indices or ranking or scores"),
        ({"prompt": "select/chose"}, "no prompt has the id 'select/chose'"),
        (
            {"strategy": READ | {"reader": {"prompt": "select/choose"}}},
            "answered with indices, and to read takes label",
        ),
        ({"slots": {"mood": "good"}}, "`select/choose` has no slot 'mood'"),
        ({"strategy": {"kind": "llm", "slots": {"mode": "loud"}}}, "does not allow 'loud'"),
        ({"labelled": [{"text": "x", "label": "mild"}]}, "'mild' is no label of the task; use one of sunny, rainy"),
        ({"examples": [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}]}, "id 'a' stands in rows 1 and 2"),
        ({"examples": [{"text": " "}]}, "an empty text says nothing"),
        ({"examples": [{"text": "\ud83d"}]}, "half a character"),
        ({"examples": []}, "at least 1 item"),
        ({"k": 0}, "greater than or equal to 1"),
    ],
)
def test_a_selection_that_cannot_be_says_why(client: TestClient, body: dict[str, Any], said: str) -> None:
    whole = {"k": 2, "examples": examples(5), **body}
    response = client.post(
        "/v1/select", content=json.dumps({"task": JSON, **whole}), headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 422, response.text
    assert said in f"{response.json()['detail']}; {response.json()['hint']}"


def test_embeddings_that_cannot_be_computed_here_are_a_clear_refusal(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.service.encoding.find_spec", lambda name: None)
    said = refused(client, "select", k=2, examples=examples(5), strategy={"kind": "kmeans"})
    assert said.startswith("this needs embeddings, and torch and transformers cannot be imported here; pip install")


def test_a_selection_takes_and_gives_lines(client: TestClient) -> None:
    lines = [json.dumps(each).encode() for each in examples(30)]
    found = rows(stream(client, "select", {"k": 3, "strategy": {"kind": "first"}}, lines))
    assert [row["kind"] for row in found] == ["pick", "pick", "pick", "end"]
    assert [row["id"] for row in found[:3]] == [each["id"] for each in examples(3)]
    assert found[-1]["by"] == "first"


# annotate


def test_labels_are_raw_where_no_sample_is_known(client: TestClient) -> None:
    found = post(client, "annotate", examples=[{"id": "s", "text": "bright glow"}, {"text": "rain and mud"}])
    assert [(a["id"], a["label"], a["calibrated"]) for a in found["annotations"]] == [
        ("s", "sunny", None),
        ("2", "rainy", None),
    ]
    first = found["annotations"][0]
    assert first["confidence"] == max(first["raw"].values())
    assert sum(first["raw"].values()) == pytest.approx(1.0)
    assert 0 < first["label_mass"] <= 1
    assert found["calibration"].startswith("none: no random sample of the pool is known")
    assert found["by"].endswith(found["prompts"][0])


def test_a_random_sample_calibrates(client: TestClient, llm: FakeOpenAI) -> None:
    sample = [each["text"] for each in examples(LEAST_SAMPLE, seed=5)]
    before = len(llm.bodies)
    found = post(client, "annotate", examples=examples(4), sample=sample)
    assert found["calibration"] == f"batch: {LEAST_SAMPLE} texts of the request's sample"
    assert len(asked(llm.bodies[before:])) == found["usage"]["requests"] == LEAST_SAMPLE + 4
    for each in found["annotations"]:
        assert sum(each["calibrated"].values()) == pytest.approx(1.0)
        assert each["calibrated"] != each["raw"]


def test_a_small_sample_is_refused_with_the_number_it_takes(client: TestClient) -> None:
    said = refused(client, "annotate", examples=examples(1), sample=["a text"] * 99)
    assert "holds 99 texts, and a calibration prior needs at least 100" in said
    unknown = {"task": JSON, "examples": examples(1), "sample_of": "nowhere"}
    missing = client.post("/v1/annotate", json=unknown)
    assert (missing.status_code, missing.json()["detail"]) == (404, "there is no data set 'nowhere'")


def test_demonstrations_and_rationales(client: TestClient, llm: FakeOpenAI) -> None:
    before = len(llm.bodies)
    shown = [{"text": "glow again", "label": "sunny", "reason": "Praise."}]
    found = post(client, "annotate", examples=examples(2, seed=8), demonstrations=shown, rationale=True)
    assert [a["rationale"] for a in found["annotations"]] == [
        {"text": "it is about rain.", "label": "rainy", "why": ""}
    ] * 2
    assert [p.split("@")[0] for p in found["prompts"]] == ["annotate/label"] * 2
    assert len(set(found["prompts"])) == 2
    sent = asked(llm.bodies[before:])
    assert len(sent) == 4
    assert all("glow again" in body["messages"][1]["content"] for body in sent)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"slots": {"rationale": "before"}}, "say `rationale: true`"),
        ({"prompt": "judge/label", "rationale": True}, "'judge/label' has no place for a reason"),
        ({"prompt": "judge/label", "demonstrations": [{"text": "x", "label": "sunny"}]}, "shows no demonstrations"),
        ({"demonstrations": [{"text": "x", "label": "fine"}]}, "'fine' is no label of the task"),
        ({"prompt": "select/choose"}, "to annotate takes label"),
        ({"sample": ["x"] * 100, "sample_of": "y"}, "give either `sample` or `sample_of`"),
        ({"task": {"name": "x", "labels": [{"name": "a"}]}}, "at least two labels"),
        ({"examples": [{"text": "x", "colour": "red"}]}, "Extra inputs are not permitted"),
    ],
)
def test_an_annotation_that_cannot_be_says_why(client: TestClient, body: dict[str, Any], said: str) -> None:
    assert said in refused(client, "annotate", **{"examples": examples(1), **body})


def test_a_stream_is_answered_line_by_line_and_survives_bad_lines(client: TestClient) -> None:
    good = [json.dumps(each).encode() for each in examples(150, seed=3)]
    lines = [*good[:70], b"not json", b"", b'{"text": ""}', b"[" * 5000, b"\xff\xfe", *good[70:]]
    lines.insert(10, b'{"text": "' + b"x" * LONGEST_LINE + b'"}')
    found = rows(stream(client, "annotate", {}, lines))
    assert [row["id"] for row in found if row["kind"] == "annotation"] == [e["id"] for e in examples(150, seed=3)]
    errors = [row for row in found if row["kind"] == "error"]
    assert [row["line"] for row in errors] == [12, 73, 75, 76, 77]
    assert "longer than" in errors[0]["detail"]
    assert all(row["detail"].startswith(f"line {row['line']}") for row in errors)
    end = found[-1]
    assert (end["kind"], end["complete"], end["answered"], end["errors"]) == ("end", True, 150, 5)
    assert end["usage"]["requests"] == 150


def test_a_text_that_fails_is_an_error_line_and_the_others_are_answered(client: TestClient, llm: FakeOpenAI) -> None:
    llm.faults.append(Fault(status=400))
    found = rows(stream(client, "annotate", {}, [json.dumps(e).encode() for e in examples(12, seed=21)]))
    kinds = [row["kind"] for row in found]
    assert (kinds.count("annotation"), kinds.count("error"), kinds[-1]) == (11, 1, "end")
    (failed,) = [row for row in found if row["kind"] == "error"]
    assert failed["id"]
    assert failed["retryable"] is True


def test_a_server_that_answers_nothing_ends_the_stream_honestly(client: TestClient, llm: FakeOpenAI) -> None:
    llm.faults.extend(Fault(status=400) for _ in range(400))
    found = rows(stream(client, "annotate", {}, [json.dumps(e).encode() for e in examples(300, seed=22)]))
    llm.faults.clear()
    assert {row["kind"] for row in found[:-1]} == {"error"}
    assert (found[-1]["complete"], found[-1]["answered"], found[-1]["errors"]) == (False, 0, 192)


def test_a_head_that_cannot_be_read_is_a_problem_document(client: TestClient) -> None:
    for body, said in ((b"", "line 1"), (b"{}\n", "line 1: task: Field required"), (b'{"task": 1}', "line 1: task")):
        response = client.post("/v1/annotate", content=body, headers={"Content-Type": MEDIA})
        assert (response.status_code, response.headers["content-type"]) == (422, PROBLEM)
        assert said in response.json()["detail"]
    packed = client.post("/v1/annotate", content=b"x", headers={"Content-Type": MEDIA, "Content-Encoding": "gzip"})
    assert packed.status_code == 415


def test_a_stream_is_bounded(llm: FakeOpenAI, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, cache=tmp_path, engine_url=llm.url, model="", body_bytes=4096, items=3)
    with TestClient(create_app(settings)) as client:
        connected(client)
        found = rows(stream(client, "annotate", {}, [b'{"text": "sun"}'] * 5))
        assert [row["kind"] for row in found] == ["annotation"] * 3 + ["error"] * 2 + ["end"]
        assert found[3]["detail"] == "line 5 is beyond the 3 examples of one request"
        over = stream(client, "select", {"k": 1}, [b'{"text": "sun"}'] * 5)
        assert (over.status_code, over.json()["detail"]) == (422, "line 5 is one example more than 3")
        assert stream(client, "annotate", {}, [b'{"text": "sun"}'] * 900).status_code == 413


def test_without_an_llm_the_answer_is_a_503_with_a_hint(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, cache=tmp_path, engine_url="http://127.0.0.1:9", model="")
    with TestClient(create_app(settings)) as client:
        response = client.post("/v1/annotate", json={"task": JSON, "examples": examples(1)})
        assert (response.status_code, response.json()["retryable"]) == (503, True)
        assert response.headers["retry-after"]
        assert (
            client.post(
                "/v1/select", json={"task": JSON, "k": 1, "examples": examples(2), "strategy": {"kind": "random"}}
            ).status_code
            == 200
        )


# generate


def test_the_generator_writes_and_says_why_it_rejects(client: TestClient) -> None:
    gap = {"label": "sunny", "description": "walks", "examples": ["a warm lovely walk past the old market"]}
    found = post(client, "generate", n=8, gaps=[gap])
    written = [*found["accepted"], *found["rejected"]]
    assert 0 < len(written) <= 8
    assert {each["label"] for each in written} == {"sunny"}
    assert all(each["accepted"] and not each["reason"] for each in found["accepted"])
    assert all(each["filter"] and each["reason"] for each in found["rejected"])
    assert len({each["id"] for each in written}) == len(written)
    assert {p.split("@")[0] for p in found["prompts"]} == {"generate/one", "judge/label"}
    assert found["usage"]["requests"] > 0


def test_labels_alone_are_written_for_in_turn_and_known_texts_are_rejected(client: TestClient) -> None:
    first = post(client, "generate", n=4, labels=["sunny", "rainy"], filters=[])
    assert [each["label"] for each in first["accepted"]] == ["sunny", "rainy", "sunny", "rainy"][
        : len(first["accepted"])
    ]
    known = [{"text": each["text"]} for each in first["accepted"]]
    again = post(client, "generate", n=4, labels=["sunny", "rainy"], filters=[{"kind": "duplicate"}], examples=known)
    assert again["accepted"] == []
    assert {each["reason"] for each in again["rejected"]} <= {
        "too near a text of the pool",
        *(f"too near candidate {each['id']}" for each in again["rejected"]),
    }
    fenced = post(
        client,
        "generate",
        n=4,
        labels=["sunny", "rainy"],
        filters=[{"kind": "near-fence"}],
        fence=[each["text"] for each in known],
    )
    assert {each["reason"] for each in fenced["rejected"]} == {"too near a fenced text"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "give either `gaps` or `labels`"),
        ({"labels": ["mild"]}, "'mild' is no label of the task"),
        ({"labels": ["sunny"], "prompt": "select/choose"}, "to generate takes items"),
        ({"labels": ["sunny"], "filters": [{"kind": "magic"}]}, "does not match any of the expected tags"),
        ({"labels": ["sunny"], "sample": ["x"]}, "needs at least 100"),
        ({"labels": ["sunny"], "n": 0}, "greater than or equal to 1"),
    ],
)
def test_a_generation_that_cannot_be_says_why(client: TestClient, body: dict[str, Any], said: str) -> None:
    assert said in refused(client, "generate", **{"n": 2, **body})


def test_a_generation_takes_and_gives_lines(client: TestClient) -> None:
    found = rows(stream(client, "generate", {"n": 2, "labels": ["sunny"], "filters": []}, [b'{"text": "known"}']))
    assert {row["kind"] for row in found[:-1]} == {"candidate"}
    assert (found[-1]["kind"], found[-1]["refused"]) == ("end", 0)


# the description


def test_every_operation_is_described_for_both_kinds_of_body(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for role in ("select", "annotate", "generate"):
        operation = paths[f"/v1/{role}"]["post"]
        assert set(operation["requestBody"]["content"]) == {"application/json", MEDIA}
        assert set(operation["responses"]["200"]["content"]) == {"application/json", MEDIA}
        assert operation["summary"]
        (name,) = [operation["requestBody"]["content"]["application/json"]["schema"]]
        example = (
            name["examples"][0]
            if "examples" in name
            else operation["requestBody"]["content"]["application/json"]["example"]
        )
        assert client.post(f"/v1/{role}", json=example).status_code == 200
        lines = operation["requestBody"]["content"][MEDIA]["example"]
        assert client.post(f"/v1/{role}", content=lines, headers={"Content-Type": MEDIA}).status_code == 200
