"""The command line: exit codes, one line for an error, and help that does not wait for libraries."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from agent.errors import BadInput, EngineError, Waiting
from serving import cli

INTERRUPTED = "interrupted; what was recorded is kept: thresher resume RUN, or the same study or ablation, goes on\n"
HEAVY = ("torch", "transformers", "langchain", "langchain_core", "langchain_openai", "sqlalchemy", "sklearn", "numpy")


def ends(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[object, str]:
    def broken(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return caught.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (BadInput("a.csv holds no texts", "give one"), 2, "error: a.csv holds no texts; give one\n"),
        (EngineError("two\nlines  of it"), 2, "error: two lines of it\n"),
        (Waiting(("a", "b"), "fill it"), 3, "2 examples wait for a person; fill it\n"),
        (
            OSError(28, "No space left on device", "/data/x"),
            2,
            "error: /data/x: No space left on device; make room, or name another folder\n",
        ),
        (KeyboardInterrupt(), 130, INTERRUPTED),
    ],
)
def test_errors_are_one_line_and_an_exit_code(
    error: BaseException, code: int, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends(error, monkeypatch, capsys) == (code, line)


def test_another_error_of_the_system_is_not_dressed_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: object) -> None:
        raise FileNotFoundError(2, "No such file")

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(FileNotFoundError):
        cli.main()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run"], "error: Missing argument 'task'; see thresher run --help\n"),
        (["runs", "--colour"], "error: No such option: --colour; see thresher runs --help\n"),
        (["engine", "fly"], "error: No such command 'fly'; see thresher engine --help\n"),
        (["resume", "a", "b"], "error: Got unexpected extra argument(s) (b); see thresher resume --help\n"),
    ],
)
def test_wrong_words_are_told_in_one_line(
    words: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["thresher", *words])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert (caught.value.code, capsys.readouterr().err) == (2, told)


@pytest.mark.parametrize("words", [[], ["engine"]])
def test_no_words_are_answered_by_the_help(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["thresher", *words])
    with pytest.raises(SystemExit):
        cli.main()
    said = capsys.readouterr()
    assert "Usage: thresher" in said.out + said.err
    assert "error" not in said.err


def test_an_interrupt_inside_a_command_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_: object) -> int:
        return 130

    monkeypatch.setattr(cli, "app", interrupted)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 130
    assert capsys.readouterr().err == INTERRUPTED


def test_a_mistake_of_ours_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(**_: object) -> float:
        return 1 / 0

    monkeypatch.setattr(cli, "app", mistaken)
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_every_command_has_a_help() -> None:
    for command in (
        [],
        ["run"],
        ["resume"],
        ["runs"],
        ["demo"],
        ["engine"],
        ["engine", "up"],
        ["models"],
        ["models", "fetch"],
    ):
        found = CliRunner().invoke(cli.app, [*command, "--help"])
        assert found.exit_code == 0, command
        assert "Usage" in found.output


def test_help_loads_no_heavy_library() -> None:
    script = f"""
import sys
sys.argv = ["thresher", "--help"]
from serving.cli import main
try:
    main()
except SystemExit as end:
    assert end.code in (0, None), end.code
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert found.stderr.strip() == "[]"
    assert "resume" in found.stdout
