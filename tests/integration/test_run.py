"""`thresher run` and `resume` as a user calls them: real encoder, a server whose answers are fixed."""

import csv
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.errors import ThresherError
from serving import settings
from serving.connect import Setting
from serving.runs.outputs import Record
from serving.runs.results import FILES
from tests.support.cli import asked, begun, environment, thresher, user_files, weather_answer, weather_lean
from tests.support.fake_openai import FakeOpenAI
from tests.support.questions import TASK, texts

pytestmark = pytest.mark.student

UNDER_WAY = 16
"""Requests that one process has under way at most."""
SIZES = ("--budget", "8", "--reads", "40", "--student", "svm")


@pytest.fixture(scope="module", autouse=True)
def _encoder() -> None:
    """Fetched where it is missing, before any test is on the clock."""
    said: list[str] = []
    try:
        Setting(settings.load(), said.append).models().resolve(settings.load().encoder)
    except ThresherError as error:
        pytest.fail(f"the encoder is needed: {error}")


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(answer=weather_answer, lean=weather_lean) as fake:
        yield fake


def labels(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "labels.jsonl").read_text(encoding="utf-8").splitlines()]


def record(out: Path) -> Record:
    return Record.model_validate_json((out / "run.json").read_bytes())


def test_a_run_leaves_consistent_results_and_a_second_call_does_nothing_new(server: FakeOpenAI, tmp_path: Path) -> None:
    task, pool, test = user_files(tmp_path / "in")
    out = tmp_path / "out"
    command = ("run", task, pool, "--test", test, "--simulate", *SIZES, "--out", out)
    first = thresher(*command, cwd=tmp_path, THRESHER_ENGINE_URL=server.url)
    assert first.returncode == 0, first.stderr
    run = first.stdout.split()[1]
    assert {path.name for path in out.iterdir()} == set(FILES)

    made = record(out)
    assert made.id == run == made.job.id
    (cell,) = made.cells
    people = [line for line in labels(out) if line["provenance"] == "human"]
    assert len(people) == cell.curve[-1].human_labels == 8
    gold = dict(zip(*_gold(), strict=True))
    assert all(line["label"] == gold[line["id"]] for line in people)
    confirmed = [line for line in people if len(line["history"]) > 1]
    assert confirmed, "some texts had a machine label before a person gave theirs"
    for line in confirmed:
        machine, person = line["history"][-2:]
        assert machine["by"].startswith("llm:fake-model@annotate/label@")
        assert person["supersedes"] == machine["id"]
    assert cell.curve[-1].machine_labels == sum(
        line["provenance"] == "machine" and line["label"] is not None for line in labels(out)
    )
    assert "<html" in (out / "report.html").read_text(encoding="utf-8")
    assert (out / "student" / "student.json").exists()

    count, before = len(asked(server.bodies)), (out / "labels.jsonl").read_bytes()
    second = thresher(*command, cwd=tmp_path, THRESHER_ENGINE_URL=server.url)
    assert second.returncode == 0, second.stderr
    assert len(asked(server.bodies)) == count
    assert (out / "labels.jsonl").read_bytes() == before
    assert record(out).cells == made.cells
    again = thresher("resume", out, cwd=tmp_path, THRESHER_ENGINE_URL=server.url)
    assert again.returncode == 0, again.stderr
    listed = thresher("runs", cwd=tmp_path).stdout
    assert f"done     {run}" in listed
    assert len(listed.splitlines()) == 1


def _gold() -> tuple[list[str], list[str]]:
    columns, classes = texts(60, seed=1)
    return list(columns.ids), [TASK.names[c] for c in classes]


def test_people_answer_through_a_file(tmp_path: Path) -> None:
    task, pool, _ = user_files(tmp_path / "in")
    out, gold = tmp_path / "out", dict(zip(*_gold(), strict=True))
    command: tuple[str | Path, ...] = ("run", task, pool, "--recipe", "random", *SIZES, "--out", out)
    run = ""
    for round_ in range(9):
        found = thresher(*command, cwd=tmp_path)
        if found.returncode == 0:
            break
        assert found.returncode == 3, found.stderr
        line = found.stderr.splitlines()[-1]
        assert f"round-{round_}.csv" in line
        run = line.rsplit("thresher resume ", 1)[1]
        assert not (out / "run.json").exists()
        _fill(out / f"round-{round_}.csv", gold)
        command = ("resume", run)
    assert found.returncode == 0, found.stderr
    given = {line["id"]: line["label"] for line in labels(out)}
    assert len(given) == 8
    assert [id_ for id_, label in given.items() if label is None] == list(given)[:1], "one could not be decided"
    assert all(label in (None, gold[id_]) for id_, label in given.items())
    assert record(out).cells[0].curve[-1].human_labels == 8


def _fill(path: Path, gold: dict[str, str]) -> None:
    """All labels; of the first file, the first text cannot be decided."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        for n, row in enumerate(rows):
            undecided = n == 0 and path.name == "round-0.csv"
            writer.writerow({**row, "label": "?" if undecided else gold[row["id"]]})


def test_a_run_killed_twice_ends_like_one_that_was_not(server: FakeOpenAI, tmp_path: Path) -> None:
    task, pool, test = user_files(tmp_path / "in")
    command = ("run", task, pool, "--test", test, "--simulate", *SIZES)
    whole = thresher(
        *command,
        "--out",
        tmp_path / "whole",
        cwd=tmp_path,
        THRESHER_ENGINE_URL=server.url,
        THRESHER_HOME=str(tmp_path / "a"),
    )
    assert whole.returncode == 0, whole.stderr
    server.bodies.clear()
    server.latency = 0.2

    killed, kills = ("--out", tmp_path / "killed"), (12, 80)
    for many in kills:
        process = begun(*command, *killed, cwd=tmp_path, THRESHER_ENGINE_URL=server.url)
        wait(lambda many=many, child=process: len(asked(server.bodies)) >= many or child.poll() is not None)
        process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL
        assert not (tmp_path / "killed").exists()
        wait(lambda: server.under_way == 0)
    server.latency = 0.0
    run = whole.stdout.split()[1]
    last = thresher("resume", run, cwd=tmp_path, THRESHER_ENGINE_URL=server.url)
    assert last.returncode == 0, last.stderr

    repeated = sum(n - 1 for n in Counter(json.dumps(body) for body in asked(server.bodies)).values())
    # Not what the server has under way: an answer may have reached the client that died before writing it down.
    assert repeated <= UNDER_WAY * len(kills)
    assert [timeless(line) for line in labels(tmp_path / "killed")] == [
        timeless(line) for line in labels(tmp_path / "whole")
    ]
    a, b = record(tmp_path / "killed").cells[0], record(tmp_path / "whole").cells[0]
    assert [point.predictions for point in a.curve] == [point.predictions for point in b.curve]
    assert (a.cost.calls, a.cost.tokens_in, a.filled_share, a.stop) == (
        b.cost.calls,
        b.cost.tokens_in,
        b.filled_share,
        b.stop,
    )


def wait(done: Callable[[], bool], patience: float = 120.0) -> None:
    begun_at = time.monotonic()
    while not done():
        assert time.monotonic() - begun_at < patience
        time.sleep(0.02)


def timeless(line: dict[str, Any]) -> dict[str, Any]:
    """A line of labels without what a clock has said."""
    history = [{**e, "cost": {k: v for k, v in e.get("cost", {}).items() if k != "seconds"}} for e in line["history"]]
    return {**line, "history": history}


def test_a_second_process_does_the_cells_that_need_no_llm(server: FakeOpenAI, tmp_path: Path) -> None:
    task, pool, test = user_files(tmp_path / "in")
    command = ("run", task, pool, "--test", test, "--simulate", *SIZES, "--compare", "--out", tmp_path / "out")
    server.latency = 0.2
    first = begun(*command, cwd=tmp_path, THRESHER_ENGINE_URL=server.url)
    wait(lambda: len(asked(server.bodies)) >= 12 or first.poll() is not None)
    first.send_signal(signal.SIGKILL)
    first.wait(30)
    run = thresher("runs", cwd=tmp_path).stdout.split()[2]
    before = len(server.bodies)

    second = subprocess.run(
        [sys.executable, "-m", "serving.runs.beside", run],
        cwd=tmp_path,
        env=environment({}),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert second.returncode == 0, second.stderr
    assert len(server.bodies) == before, "no LLM was asked, nor even looked for"
    for arm in ("random", "uncertainty", "diversity"):
        assert f"{arm}, svm, seed 0" in second.stderr
    assert "agent" not in second.stderr

    server.latency = 0.0
    last = thresher("resume", run, cwd=tmp_path, THRESHER_ENGINE_URL=server.url)
    assert last.returncode == 0, last.stderr
    cells = record(tmp_path / "out").cells
    assert [cell.arm for cell in cells] == [
        "agent", "random-and-machine", "machine-only", "uncertainty", "diversity", "random", "zero-shot",
    ]  # fmt: skip
