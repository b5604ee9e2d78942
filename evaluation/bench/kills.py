"""Kills the service with `kill -9` at random moments of runs over HTTP, while a person labels, until it was enough.

One run is left alone; its record is what the others are held against. Each other one begins in a home of its own, with
the same questions and an LLM behind a recording proxy that says again what it said: the service is killed a number of
times, at moments drawn at random (its run's process dies with it), started again, and left to finish. Printed: kills by
what was going on, LLM requests repeated as the proxy counted them beside those that the ledger had claimed and held no
answer for at the kills, labels of people that were acknowledged and are missing or different at the end, and whether
the final records are equal, times apart.

    python -m evaluation.bench.kills demo/task.toml demo/pool.csv --test demo/test.csv --kills 50

With `--database URL`, once for each home in turn (empty PostgreSQL databases), the records lie there.
"""

import argparse
import csv
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import numpy as np

from evaluation.bench.crash import head, is_probe, timeless
from evaluation.bench.proxy import RecordingProxy

PROGRAM = [sys.executable, "-c", "from serving.cli import main; main()"]
PENDING = """
import sys
from serving.database import open_database, reading
from serving.llm.ledger import calls
from sqlalchemy import func, select
with reading(open_database(sys.argv[1])) as connection:
    print(connection.execute(select(func.count()).select_from(calls).where(calls.c.reply.is_(None))).scalar_one())
"""
OVER = ("done", "failed", "cancelled")
SHORTEST, LONGEST = 0.3, 12.0
"""Seconds from a start of the service to its kill."""
EACH = 10
"""Kills of one run."""


@dataclass
class Person:
    """Labels by gold whatever a run asks, and notes what was acknowledged."""

    url: str
    run: str
    gold: dict[str, str]
    acknowledged: dict[str, str] = field(default_factory=dict[str, str])
    over: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        with httpx.Client(base_url=self.url, timeout=10.0, trust_env=False) as http:
            while not self.over.wait(0.05):
                try:
                    self._label(http)
                except (httpx.HTTPError, json.JSONDecodeError):
                    continue  # the service was killed: asked again, it gives the same text

    def _label(self, http: httpx.Client) -> None:
        taken = http.post(f"/v1/runs/{self.run}/review", json={"who": "ann"})
        if taken.status_code != 200:
            return
        item = taken.json()
        label = self.gold[item["example"]]
        answer = {"token": item["token"], "label": label, "seconds": 1.0}
        if http.post(f"/v1/runs/{self.run}/labels", json=answer).is_success:
            self.acknowledged[item["example"]] = label


class Service:
    """A service over one home, killed and started as often as wanted."""

    def __init__(self, home: Path, llm: str, database: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self.url, self.home = f"http://127.0.0.1:{self._port}", home
        self.database = database or f"sqlite:///{home / 'thresher.db'}"
        named = {"THRESHER_HOME": str(home), "THRESHER_ENGINE_URL": llm, "THRESHER_DATABASE": self.database}
        self._environment = {**os.environ, **named}
        home.mkdir(parents=True)
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._child is not None
        self._child.terminate()
        self._child.wait()

    def start(self) -> None:
        """Returns when it and its LLM answer. Raises SystemExit with its log where they do not."""
        with (self.home / "log").open("ab") as log:
            command = [*PROGRAM, "serve", "--port", str(self._port)]
            self._child = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        end = time.monotonic() + 120
        while time.monotonic() < end and self._child.poll() is None:
            try:
                if httpx.get(f"{self.url}/ready", timeout=5, trust_env=False).is_success:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        sys.exit((self.home / "log").read_text(encoding="utf-8")[-3000:])

    def kill(self) -> int:
        """The questions to the LLM whose answers were not recorded at that moment."""
        assert self._child is not None
        self._child.send_signal(signal.SIGKILL)
        self._child.wait()
        time.sleep(0.5)  # its run's process hears of it
        asked = [sys.executable, "-c", PENDING, self.database]
        return int(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)

    def post(self, path: str, **given: Any) -> Any:
        answer = httpx.post(f"{self.url}{path}", timeout=120, trust_env=False, **given)
        if answer.is_error:
            sys.exit(f"{path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=120, trust_env=False).raise_for_status()


@dataclass
class Finding:
    """What the killed runs came to."""

    kills: Counter[str] = field(default_factory=Counter[str])
    flying: int = 0
    repeated: int = 0
    lost: int = 0
    acknowledged: int = 0
    different: int = 0
    runs: int = 0


class Bench:
    """One task, one pool, one proxy; a home for each run."""

    def __init__(self, proxy: RecordingProxy, folder: Path, options: argparse.Namespace) -> None:
        self.proxy, self.folder, self.databases = proxy, folder, list(options.database or [])
        pool = head(options.pool, folder / "pool.csv", options.size)
        test = head(options.test, folder / "test.csv", options.size)
        self.files = {"data": pool, "test": test}
        with pool.open(encoding="utf-8", newline="") as file:
            self.gold = {row["id"]: row["label"] for row in csv.DictReader(file)}
        task = tomllib.loads(options.task.read_text(encoding="utf-8"))
        self.wish = {"task": task, "budget": 12, "reads": 60, "students": ["bert"], "people": "queue"}

    def service(self, name: str) -> Service:
        return Service(self.folder / name, self.proxy.url, self.databases.pop(0) if self.databases else "")

    def begin(self, service: Service) -> Person:
        kind = {"Content-Type": "text/csv"}
        sets = {
            role: service.post("/v1/datasets", content=path.read_bytes(), headers=kind)["id"]
            for role, path in self.files.items()
        }
        run = service.post("/v1/runs", json={**self.wish, **sets})["id"]
        person = Person(service.url, run, self.gold)
        threading.Thread(target=person.work, daemon=True).start()
        return person

    def finish(self, service: Service, person: Person) -> dict[str, Any]:
        """The record of the run when it is over."""
        while (found := service.get(f"/v1/runs/{person.run}").json())["state"] not in OVER:
            time.sleep(0.2)
        person.over.set()
        if found["state"] != "done":
            sys.exit(f"run {person.run} is {found['state']}: {found['why']}")
        lines = service.get(f"/v1/runs/{person.run}/labels").text.splitlines()
        labels = [json.loads(line) for line in lines]
        record = service.get(f"/v1/runs/{person.run}/record").json()
        return timeless({"labels": labels, "record": record})


def doing(service: Service, run: str) -> str:
    """What a run is at, in a word."""
    found = service.get(f"/v1/runs/{run}").json()
    if found["state"] != "running":
        return f"while {found['state']}"
    said = (found["progress"] or {}).get("doing", "")
    return "during LLM calls" if "LLM" in said else "during training" if "training" in said else "between steps"


def killed(bench: Bench, name: str, left: int, rng: np.random.Generator, calm: dict[str, Any], found: Finding) -> None:
    """One run that is killed up to EACH times."""
    bench.proxy.asked.clear()
    flying = 0
    with bench.service(name) as service:
        person = bench.begin(service)
        for _ in range(min(EACH, left)):
            time.sleep(float(rng.uniform(SHORTEST, LONGEST)))
            what = doing(service, person.run)
            if what == "while done":
                break
            found.kills[what] += 1
            flying += service.kill()
            service.start()
        final = bench.finish(service, person)
    stands = {row["id"]: row["label"] for row in final["labels"] if row["provenance"] != "machine"}
    found.acknowledged += len(person.acknowledged)
    found.lost += sum(stands.get(id_) != label for id_, label in person.acknowledged.items())
    found.repeated += sum(n - 1 for body, n in bench.proxy.asked.items() if not is_probe(body))
    found.flying += flying
    found.different += final != calm
    found.runs += 1


def measure(bench: Bench, kills: int, seed: int) -> bool:
    """Prints the findings; False where one of them is not as promised."""
    begun = time.monotonic()
    with bench.service("calm") as service:
        calm = bench.finish(service, bench.begin(service))
    questions = sum(n for body, n in bench.proxy.asked.items() if not is_probe(body))
    print(f"left alone: {questions} LLM requests, {time.monotonic() - begun:.0f} s", flush=True)
    bench.proxy.latency = 0.1
    rng, found = np.random.default_rng(seed), Finding()
    while found.kills.total() < kills:
        killed(bench, f"killed-{found.runs}", kills - found.kills.total(), rng, calm, found)
        print(f"{found.kills.total()} kills in {found.runs} runs, {time.monotonic() - begun:.0f} s", flush=True)
    print(", ".join(f"{n} {what}" for what, n in sorted(found.kills.items())))
    print(f"LLM requests repeated: {found.repeated}; under way at the kills: {found.flying}")
    print(f"labels of people acknowledged: {found.acknowledged}; lost or changed: {found.lost}")
    print(f"final records that differ from the undisturbed run's, times apart: {found.different} of {found.runs}")
    return found.repeated <= found.flying and not found.lost and not found.different


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", type=Path)
    parser.add_argument("pool", type=Path)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--size", type=int, default=120, help="texts of pool and of test set")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--engine", default="http://127.0.0.1:8011")
    parser.add_argument("--database", action="append", help="URL of an empty database, once a home")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, RecordingProxy(options.engine) as proxy:
        ok = measure(Bench(proxy, Path(folder), options), options.kills, options.seed)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
