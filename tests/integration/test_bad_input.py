"""Bad input on the command line: exit code 2, one line, nothing half written."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cli import TASK_FILE, thresher, user_files
from tests.support.fake_openai import Body, FakeOpenAI, Fault
from tests.unit.serving.test_engine import free_port

Break = Callable[[Path], list[str | Path]]


def spoil(name: str, content: str | bytes, *arguments: str) -> Break:
    """Puts something else where the user's file was; further arguments follow task and data."""

    def spoilt(folder: Path) -> list[str | Path]:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return [folder / "task.toml", folder / "pool.csv", *arguments]

    return spoilt


def asking(*arguments: str) -> Break:
    return lambda folder: [folder / "task.toml", folder / "pool.csv", *arguments]


ONE_CLASS = "id,text,label\n" + "".join(f"{i},text {i},sunny\n" for i in range(40))
CASES: dict[str, tuple[Break, str]] = {
    "empty file": (spoil("pool.csv", ""), "pool.csv holds no texts; give a file with at least one row"),
    "one class": (spoil("pool.csv", ONE_CLASS, "--simulate"), "every text in"),
    "duplicate ids": (spoil("pool.csv", "id,text\na,x\na,y\n"), "pool.csv: id 'a' stands in rows 1 and 2"),
    "missing column": (spoil("pool.csv", "id,body\na,x\n"), "pool.csv has no column 'text'; it has body, id"),
    "unknown label": (
        spoil("pool.csv", "id,text,label\na,x,cloudy\n"),
        "'a' is labelled 'cloudy', no label of the task",
    ),
    "not UTF-8": (spoil("pool.csv", b"id,text\na,caf\xe9\n"), "pool.csv line 2 is not UTF-8 (byte 0xe9)"),
    "a line of 1 MB": (spoil("pool.csv", f"id,text\na,{'x' * 1_000_000}\n"), "pool.csv line 2 is 1,000,002 characters"),
    "budget over pool": (asking("--budget", "61"), "the budget of 61 labels is larger than the pool of 60 texts"),
    "one label": (spoil("task.toml", 'name = "t"\n[[labels]]\nname = "a"\n'), "at least two labels, found 1"),
    "equal labels": (spoil("task.toml", TASK_FILE.replace("rainy", "sunny")), "two labels have the same name 'sunny'"),
    "no file": (lambda folder: [folder / "task.toml", folder / "none.csv"], "there is no file"),
    "unknown recipe": (asking("--recipe", "magic"), "there is no recipe 'magic'; known: agent"),
}


def tree(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_nothing_written(case: str, tmp_path: Path) -> None:
    broken, expected = CASES[case]
    user_files(tmp_path)
    arguments = broken(tmp_path)
    before = tree(tmp_path)
    found = thresher("run", *arguments, "--out", tmp_path / "out", cwd=tmp_path)
    assert found.returncode == 2, found.stderr
    assert found.stderr.count("\n") == 1, found.stderr
    assert found.stderr.startswith("error: ")
    assert expected in found.stderr
    assert "; " in found.stderr, "it says what to do"
    assert found.stdout == ""
    assert tree(tmp_path) == before
    assert not Path(os.environ["THRESHER_HOME"]).exists()


@pytest.mark.parametrize(
    ("out", "told"), [("task.toml", "is a file; name a folder"), ("task.toml/out", "cannot be made: there is a file")]
)
def test_a_folder_that_cannot_be_is_told_before_anything_is_paid(out: str, told: str, tmp_path: Path) -> None:
    task, pool, _ = user_files(tmp_path)
    before = tree(tmp_path)
    found = thresher("run", task, pool, "--out", tmp_path / out, cwd=tmp_path)
    assert found.returncode == 2
    assert told in found.stderr
    assert tree(tmp_path) == before


@pytest.mark.student
def test_files_of_the_user_that_bear_the_names_of_results_are_left_alone(tmp_path: Path) -> None:
    task, pool, _ = user_files(tmp_path)
    (tmp_path / "student").mkdir()
    (tmp_path / "student/thesis.tex").write_text("years of work")
    before = tree(tmp_path)
    arguments = ("--recipe", "random", "--simulate", "--student", "svm", "--budget", "8", "--out", tmp_path)
    found = thresher("run", task, pool, *arguments, cwd=tmp_path)
    assert found.returncode == 2
    assert "holds student, which is of no run and would be lost; name another folder: --out" in found.stderr
    assert tree(tmp_path) == before


def test_an_unknown_run(tmp_path: Path) -> None:
    found = thresher("resume", "nothing", cwd=tmp_path)
    assert (found.returncode, found.stderr) == (2, "error: there is no run 'nothing'; there are none yet\n")


def test_a_setting_that_cannot_be(tmp_path: Path) -> None:
    task, pool, _ = user_files(tmp_path)
    found = thresher("run", task, pool, cwd=tmp_path, THRESHER_PORT="eighty")
    assert found.returncode == 2
    assert "error: THRESHER_PORT is 'eighty'" in found.stderr
    assert found.stderr.count("\n") == 1


class Mute(FakeOpenAI):
    """A model that wants to say anything but a label."""

    def logprobs(self, body: Body) -> Body:
        found = super().logprobs(body)
        for entry in found["content"][0]["top_logprobs"]:
            entry["logprob"] -= 8.0
        return found


def refused(folder: Path, url: str) -> str:
    """The one line in which a run over a server at `url` ends."""
    task, pool, _ = user_files(folder)
    before = tree(folder)
    arguments = ("--simulate", "--student", "svm", "--budget", "8", "--reads", "20", "--out", folder / "out")
    found = thresher("run", task, pool, *arguments, cwd=folder, THRESHER_ENGINE_URL=url)
    assert found.returncode == 2, found.stderr
    assert "Traceback" not in found.stderr
    lines = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert found.stderr.splitlines()[-1:] == lines
    assert tree(folder) == before
    return lines[0]


@pytest.mark.student
def test_an_unreachable_llm(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    line = refused(tmp_path, url)
    assert line == f"error: no OpenAI-compatible server answers at {url}/v1; start it, or correct THRESHER_ENGINE_URL"


@pytest.mark.student
def test_a_model_that_does_not_say_labels(tmp_path: Path) -> None:
    with Mute() as server:
        line = refused(tmp_path, server.url)
    assert "the model would begin no answer with 'positive', 'negative'" in line
    assert "use an instruct model" in line


@pytest.mark.student
def test_a_server_that_answers_something_else(tmp_path: Path) -> None:
    with FakeOpenAI(faults=[Fault(raw=b"<html>welcome</html>") for _ in range(50)]) as server:
        line = refused(tmp_path, server.url)
    assert "does not answer a plain question" in line


@pytest.mark.student
def test_a_server_that_is_broken(tmp_path: Path) -> None:
    with FakeOpenAI(faults=[Fault(status=500) for _ in range(50)]) as server:
        line = refused(tmp_path, server.url)
    assert "answers HTTP 500; check the server" in line
