"""Kills a run three times with `kill -9` (during LLM calls, during training, between steps) and resumes it.

Printed: how many LLM requests were repeated, as a recording proxy counted them, beside those that the ledger had
claimed and held no answer for at each kill (sent, on their way back, or about to be sent); whether everything that was
recorded before a kill stayed as it was; whether the final record is that of an uninterrupted run, times apart. The
engine has to be up (`thresher engine up`).

    python -m evaluation.bench.crash demo/task.toml demo/pool.csv --test demo/test.csv
"""

import argparse
import csv
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evaluation.bench.proxy import RecordingProxy

PROGRAM = [sys.executable, "-c", "from serving.cli import main; main()"]
TIMES = {"seconds", "made", "created", "human_seconds"}


class Bench:
    """One data set, one proxy, two homes: one run is left alone, the other is killed."""

    def __init__(self, proxy: RecordingProxy, folder: Path, options: argparse.Namespace) -> None:
        self.proxy, self.folder = proxy, folder
        pool = head(options.pool, folder / "pool.csv", options.size)
        test = head(options.test, folder / "test.csv", options.size)
        self.command = ["run", str(options.task), str(pool), "--test", str(test), "--simulate"]
        self.command += ["--budget", "8", "--reads", "60", "--student", "bert", "--out", "out"]

    def begin(self, home: str, *command: str) -> "subprocess.Popen[bytes]":
        place = self.folder / home
        place.mkdir(exist_ok=True)
        named = {"THRESHER_HOME": str(place / "home"), "THRESHER_ENGINE_URL": f"{self.proxy.url}/v1"}
        log = (place / "log").open("ab")
        return subprocess.Popen([*PROGRAM, *command], cwd=place, env={**os.environ, **named}, stdout=log, stderr=log)

    def whole(self, home: str, *command: str) -> None:
        """Runs to the end. Raises SystemExit with the log where it fails."""
        if self.begin(home, *command).wait() != 0:
            sys.exit((self.folder / home / "log").read_text(encoding="utf-8"))

    def kill(self, home: str, when: Callable[[], bool], *command: str) -> tuple[int, dict[str, str]]:
        """Kills as soon as `when` says so: questions without a recorded answer then, and the recorded steps."""
        child = self.begin(home, *command)
        while not when():
            if child.poll() is not None:
                sys.exit((self.folder / home / "log").read_text(encoding="utf-8") + "\nit ended before it was killed")
            time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
        child.wait()
        time.sleep(1.0)
        return len(self._rows(home, "select key from calls where reply is null")), self.steps(home)

    def steps(self, home: str) -> dict[str, str]:
        """Recorded steps by key; empty while there is no database."""
        return dict(self._rows(home, "select key, value from steps"))

    def _rows(self, home: str, query: str) -> list[Any]:
        path = self.folder / home / "home" / "thresher.db"
        if not path.exists():
            return []
        try:
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as connection:
                return connection.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []  # the table is just being made


def main() -> None:
    parser = argparse.ArgumentParser(description="kill a run three times and resume it")
    parser.add_argument("task", type=Path)
    parser.add_argument("pool", type=Path)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--size", type=int, default=150, help="texts of pool and of test set")
    parser.add_argument("--engine", default="http://127.0.0.1:8011")
    options = parser.parse_args()
    options.task = options.task.resolve()
    with tempfile.TemporaryDirectory() as folder, RecordingProxy(options.engine) as proxy:
        ok = measure(Bench(proxy, Path(folder), options))
    sys.exit(0 if ok else 1)


def measure(bench: Bench) -> bool:
    """Prints the findings; False where one of them is not as promised."""
    proxy = bench.proxy
    begun = time.monotonic()
    bench.whole("left-alone", *bench.command)
    questions = sum(proxy.asked.values())
    print(f"uninterrupted: {questions} LLM requests, {time.monotonic() - begun:.0f} s")
    proxy.asked.clear()
    proxy.latency = 0.1
    run, kept, under_way = "", True, 0
    for what, when in moments(bench):
        command = ("resume", run) if run else tuple(bench.command)
        before = bench.steps("killed")
        flying, after = bench.kill("killed", when, *command)
        run = re.findall(r"run (\S+) ", (bench.folder / "killed" / "log").read_text(encoding="utf-8"))[0]
        same = all(after.get(key) == value for key, value in before.items())
        kept, under_way = kept and same, under_way + flying
        print(
            f"kill -9 {what}: {flying} requests under way, {len(after)} steps recorded, earlier ones unchanged: {same}"
        )
    recorded = bench.steps("killed")
    bench.whole("killed", "resume", run)
    same = all(bench.steps("killed").get(key) == value for key, value in recorded.items())
    repeated = sum(n - 1 for body, n in Counter(proxy.asked).items() if not is_probe(body))
    print(f"LLM requests repeated: {repeated}; under way at the kills: {under_way}")
    print(f"recorded before the last kill and unchanged after it: {same}")
    equal = final(bench, "killed") == final(bench, "left-alone")
    print(f"final record equal to the uninterrupted run's, times apart: {equal}")
    return kept and same and equal and repeated <= under_way


def moments(bench: Bench) -> list[tuple[str, Callable[[], bool]]]:
    """When to kill: by what the proxy and the database show, not by the clock."""
    known = bench.proxy.asked
    return [
        ("during LLM calls", lambda: sum(known.values()) > 60 and bench.proxy.under_way > 4),
        ("between steps", lambda: any(key.endswith("/2/round") for key in bench.steps("killed"))),
        ("during training", lambda: any(key.endswith("/4/round") for key in bench.steps("killed")) and pause(4)),
    ]


def pause(seconds: float) -> bool:
    """After its last round a run trains the BERT student for half a minute or more."""
    time.sleep(seconds)
    return True


def final(bench: Bench, home: str) -> dict[str, Any]:
    """Labels and run record without times."""
    out = bench.folder / home / "out"
    lines = (out / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    found = {"labels": [json.loads(line) for line in lines], "run": json.loads((out / "run.json").read_text("utf-8"))}
    return timeless(found)


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: timeless(inner) for key, inner in value.items() if key not in TIMES}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def is_probe(body: bytes) -> bool:
    """The questions by which a client finds out what a server honours; each process asks them."""
    return b"Say yes." in body


def head(source: Path, target: Path, size: int) -> Path:
    """The first rows of a CSV file."""
    with source.open(encoding="utf-8", newline="") as file, target.open("w", encoding="utf-8", newline="") as out:
        rows = csv.reader(file)
        csv.writer(out).writerows(row for n, row in enumerate(rows) if n <= size)
    return target


if __name__ == "__main__":
    main()
