"""`thresher select`, `annotate`, `generate` and `plan` on files, against a server that speaks the LLM's protocol."""

import json
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner, Result

from agent.errors import BadInput
from serving.app import create_app
from serving.cli import app
from serving.commands.plan import plan
from serving.commands.run import run
from serving.settings import Settings
from tests.support.cli import asked, user_files, weather_answer, weather_lean
from tests.support.fake_openai import Body, FakeOpenAI
from tests.support.questions import TASK
from tests.support.toy_runs import digits, writes


def answer(body: Body) -> str:
    said = body["messages"][-1]["content"]
    return weather_answer(body) if "Instances" in said else writes(said, digits(said)).splitlines()[0]


@pytest.fixture(scope="module")
def llm() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(answer=answer, lean=weather_lean) as server:
        yield server


@pytest.fixture
def files(tmp_path: Path, llm: FakeOpenAI, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.setenv("THRESHER_ENGINE_URL", llm.url)
    monkeypatch.setenv("THRESHER_HOME", str(tmp_path / "home"))
    task, pool, _ = user_files(tmp_path, pool=120)
    return task, pool


def called(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def unlabelled(pool: Path) -> Path:
    """The same texts without their labels, those of the first five apart."""
    lines = pool.read_text(encoding="utf-8").splitlines()
    bare = [line if n <= 5 else f"{line.rsplit(',', 1)[0]}," for n, line in enumerate(lines)]
    path = pool.with_name("bare.csv")
    path.write_text("\n".join(bare) + "\n", encoding="utf-8")
    return path


def test_select_leaves_out_what_is_labelled_and_reports_its_cost(
    files: tuple[Path, Path], llm: FakeOpenAI, tmp_path: Path
) -> None:
    task, pool = files
    out, before = tmp_path / "picks.jsonl", len(llm.bodies)
    result = called("select", task, unlabelled(pool), "-k", "6", "--slot", "mode=no-cot", "--out", out)
    found = rows(out)
    assert len({row["id"] for row in found}) == 6
    assert not {row["id"] for row in found} & {line.split(",")[0] for line in pool.read_text().splitlines()[1:6]}
    assert all(row["kind"] == "pick" for row in found)
    assert f"; {len(asked(llm.bodies[before:]))} requests" in result.stderr
    assert "prompt select/choose@1#" in result.stderr


def test_select_by_a_strategy_writes_to_standard_output(files: tuple[Path, Path], llm: FakeOpenAI) -> None:
    task, pool = files
    before = len(llm.bodies)
    result = called("select", task, unlabelled(pool), "-k", "3", "--strategy", "first")
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["t1-5", "t1-6", "t1-7"]
    as_json = called("select", task, unlabelled(pool), "-k", "3", "--strategy", '{"kind": "first"}')
    assert as_json.stdout == result.stdout
    assert len(llm.bodies) == before


def test_annotate_calibrates_from_the_file_itself(files: tuple[Path, Path], llm: FakeOpenAI, tmp_path: Path) -> None:
    task, pool = files
    out = tmp_path / "labels.jsonl"
    result = called("annotate", task, pool, "--out", out)
    found = rows(out)
    assert [row["id"] for row in found] == [f"t1-{i}" for i in range(120)]
    assert all(row["label"] in TASK.names and row["calibrated"] for row in found)
    assert "calibration batch: 120 random texts" in result.stderr
    assert "; 120 requests" in result.stderr
    raw = called("annotate", task, pool, "--no-sample", "--out", out)
    assert all(row["calibrated"] is None for row in rows(out))
    assert "; 0 requests (120 more answered by the ledger)" in raw.stderr


def test_generate_shows_known_texts_of_the_label(files: tuple[Path, Path], llm: FakeOpenAI, tmp_path: Path) -> None:
    task, pool = files
    out, before = tmp_path / "new.jsonl", len(llm.bodies)
    called("generate", task, "--label", "sunny", "-n", "3", "--known", pool, "--out", out)
    found = rows(out)
    assert found
    assert {row["label"] for row in found} == {"sunny"}
    assert all(row["accepted"] or row["reason"] for row in found)
    first = next(body for body in llm.bodies[before:] if "Write" in body["messages"][-1]["content"])
    shown = [line[2:] for line in first["messages"][-1]["content"].splitlines() if line.startswith("- ")]
    sunny = [line.split(",")[1] for line in pool.read_text().splitlines()[1:] if line.endswith(",sunny")]
    assert len(shown) == 4
    assert set(shown) <= set(sunny)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--strategy", "margin"], "needs a trained student"),
        (["--strategy", "magic"], "does not match any of the expected tags"),
        (["--slot", "mode"], "the slot 'mode' has no filling; write it as --slot name=filling"),
        (["--slot", "mode=loud"], "does not allow 'loud'"),
    ],
)
def test_options_that_cannot_be_say_why(files: tuple[Path, Path], options: list[str], said: str) -> None:
    task, pool = files
    with pytest.raises(BadInput, match=said):
        called("select", task, unlabelled(pool), *options)


def test_plan_prints_and_gives_json(files: tuple[Path, Path], llm: FakeOpenAI) -> None:
    task, pool = files
    before = len(llm.bodies)
    text = called("plan", task, pool, "--budget", "8", "--reads", "30", "--student", "svm").stdout
    assert "LLM requests" in text
    assert "people's labels" in text
    assert "assumed:" in text
    found = json.loads(called("plan", task, pool, "--budget", "8", "--reads", "30", "--json").stdout)
    assert found["human_labels"]["expected"] == 8
    assert found["llm_requests"]["low"] <= found["llm_requests"]["expected"] <= found["llm_requests"]["high"]
    assert len(llm.bodies) == before
    with pytest.raises(BadInput, match="larger than the pool"):
        called("plan", task, pool, "--budget", "800")


def test_plan_over_http_is_the_same_forecast(files: tuple[Path, Path], llm: FakeOpenAI, tmp_path: Path) -> None:
    task, pool = files
    said = called("plan", task, pool, "--budget", "8", "--reads", "30", "--json").stdout
    settings = Settings(home=tmp_path / "home", cache=tmp_path, engine_url=llm.url, model="")
    with TestClient(create_app(settings)) as client:
        stored = client.post("/v1/datasets?name=pool", content=pool.read_bytes(), headers={"Content-Type": "text/csv"})
        assert stored.status_code == 201, stored.text
        body = {"task": TASK.model_dump(mode="json"), "data": stored.json()["id"], "budget": 8, "reads": 30}
        found = client.post("/v1/plan", json=body)
        assert found.status_code == 200, found.text
        assert found.json()["rounds"] == json.loads(said)["rounds"]
        recipe = client.get("/v1/recipes?budget=8&reads=30").json()["items"][0]["recipe"]
        own = client.post("/v1/plan", json={**body, "recipe": recipe, "caps": {"requests": 3}})
        assert own.json()["rounds"] == found.json()["rounds"]
        assert own.json()["exceeds"][0].startswith("requests: up to")
        # The body of a run is that of a plan; what concerns people counts.
        asked = {"overlap": 2, "blind_share": 0.5, "experts": True}
        begun = {**body, "name": "mine", "people": "queue", "asked": asked, "caps": {"human_minutes": 90}}
        twice = client.post("/v1/plan", json=begun)
        assert twice.status_code == 200, twice.text
        assert twice.json()["human_labels"]["expected"] == 8, "four texts, of two people each"
        assert [each["size"] for each in twice.json()["rounds"]] != [each["size"] for each in found.json()["rounds"]]
        assert "2 people answer each item" in " ".join(twice.json()["assumptions"])
        assert "experts" in " ".join(twice.json()["assumptions"])
        for wrong, said in (
            ({"data": "nowhere"}, "no data set"),
            ({"budget": 500}, "larger than the pool"),
            ({"recipe": "magic"}, "there is no recipe 'magic'"),
            ({"recipe": recipe, "compare": True}, "a comparison runs the ready recipes"),
        ):
            response = client.post("/v1/plan", json={**body, **wrong})
            assert response.status_code in (404, 422), response.text
            assert said in response.json()["detail"]


def test_plan_takes_every_option_of_run(files: tuple[Path, Path], llm: FakeOpenAI, tmp_path: Path) -> None:
    assert set(signature(run).parameters) <= set(signature(plan).parameters)
    task, pool = files
    out = tmp_path / "out"
    options = ["--budget", "8", "--reads", "30", "--simulate", "--noise", "0.1", "--out", str(out), "--json"]
    assert json.loads(called("plan", task, pool, *options).stdout)["human_labels"]["high"] == 0
    assert not out.exists()
