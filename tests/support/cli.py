"""The command line as a user calls it: another process, another folder, files of toy sentences."""

import csv
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.fake_openai import Body
from tests.support.questions import TASK, texts
from tests.support.toy_runs import WARM, WET, digits, writes

PROGRAM = [sys.executable, "-c", "from serving.cli import main; main()"]
TASK_FILE = """name = "weather"
item = "weather report"
guidelines = "Decide how the writer finds the weather."
[[labels]]
name = "sunny"
word = "positive"
[[labels]]
name = "rainy"
word = "negative"
"""


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """This process's own, without an engine that a user may have named."""
    kept = {name: value for name, value in os.environ.items() if name not in {"THRESHER_ENGINE_URL", "THRESHER_MODEL"}}
    return {**kept, **changes}


def thresher(
    *arguments: str | Path, cwd: Path, timeout: float = 240, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        cwd=cwd,
        env=environment(variables),
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def begun(*arguments: str | Path, cwd: Path, **variables: str) -> subprocess.Popen[str]:
    """The same, not waited for."""
    return subprocess.Popen(
        [*PROGRAM, *map(str, arguments)],
        cwd=cwd,
        env=environment(variables),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def user_files(folder: Path, pool: int = 60, test: int = 30) -> tuple[Path, Path, Path]:
    """`task.toml`, `pool.csv` and `test.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.toml").write_text(TASK_FILE, encoding="utf-8")
    for name, n, seed in (("pool.csv", pool, 1), ("test.csv", test, 9)):
        columns, classes = texts(n, seed=seed)
        with (folder / name).open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(["id", "text", "label"])
            names = (TASK.names[c] for c in classes)
            writer.writerows(zip(columns.ids, columns.texts, names, strict=True))
    return folder / "task.toml", folder / "pool.csv", folder / "test.csv"


def weather_answer(body: Body) -> str:
    """What a server says that knows toy sentences: ids of a list, or new sentences."""
    said = body["messages"][-1]["content"]
    shown = re.findall(r"^\[(\w+)\]", said, re.MULTILINE)
    return "Selected: " + ", ".join(shown[-3:]) if shown else writes(said, digits(said))


def weather_lean(body: Body, word: str) -> float:
    """Scores of first tokens by the toy words of the last message."""
    words = re.findall(r"[a-z]+", body["messages"][-1]["content"])
    warmth = sum((w in WARM) - (w in WET) for w in words)
    plain = word.strip(" Ġ").casefold()
    return {"positive": warmth, "negative": -warmth}.get(plain, -3.0) - (0.0 if word[:1].islower() else 2.0)


def asked(bodies: list[Body]) -> list[Body]:
    """Requests of the run itself, without the probe's."""
    return [body for body in bodies if "Say yes." not in body["messages"][-1]["content"]]
