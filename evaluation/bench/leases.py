"""How long the next text takes, and the answer to it, over HTTP, with a million texts in the review queue.

A process of its own fills a fresh queue; a service is started over it, and then texts are labelled through its
operations, one person after the other, for `--turns` turns. What is timed is the whole request. Every tenth turn is a
skip instead of an answer.

    python -m evaluation.bench.leases --examples 1000000 --turns 2000
    python -m evaluation.bench.leases --database postgresql://…
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

from evaluation.bench.load import service

FILL = """
import json, sys, time, uuid
from serving.database import open_database
from serving.runs.review_queue import Ask
from serving.runs.reviews import Reviews
from serving.runs.store import Store

url, n, overlap = sys.argv[1], *map(int, sys.argv[2:])
engine, run = open_database(url), f"bench-{uuid.uuid4().hex[:8]}"
store = Store(engine)
store.begin(run, "{}", "")
store.mark(run, "waiting")
begun = time.perf_counter()
text = "the film is a long and winding story of two friends who lose their way in a city of rain, no. "
asks = [Ask(example=f"r{i}", text=f"{text}{i}") for i in range(n)]
Reviews(engine).put(run, 0, asks, ("yes", "no"), overlap=overlap)
print(json.dumps({"run": run, "seconds": time.perf_counter() - begun}))
"""
Took = dict[str, list[float]]


def filled(database: str, examples: int, overlap: int) -> str:
    """A run whose queue is full."""
    done = subprocess.run(  # our own program, with numbers
        [sys.executable, "-c", FILL, database, str(examples), str(overlap)], check=True, capture_output=True, text=True
    )
    found = json.loads(done.stdout)
    print(f"{examples:,} texts for {overlap} each: filled in {found['seconds']:.1f} s")
    return found["run"]


def labelled(url: str, run: str, people: int, turns: int) -> Took:
    """Milliseconds of each request, by what it does."""
    took: Took = {"lease": [], "label": [], "skip": [], "progress": []}
    with httpx.Client(base_url=f"{url}/v1/runs/{run}", timeout=600) as http:

        def timed(what: str, call: Callable[[], httpx.Response]) -> httpx.Response:
            begun = time.perf_counter()
            found = call()
            took[what].append(1000 * (time.perf_counter() - begun))
            return found.raise_for_status()

        for turn in range(turns):
            who = {"who": f"person {turn % people}"}
            token = timed("lease", lambda who=who: http.post("/review", json=who)).json()["token"]
            answer = {"token": token, "label": "yes"}
            if turn % 10 == 9:
                timed("skip", lambda token=token: http.post(f"/review/{token}/skip"))
            else:
                timed("label", lambda answer=answer: http.post("/labels", json=answer))
            if turn % 10 == 0:
                timed("progress", lambda who=who: http.get("/review", params=who))
    return took


def line(what: str, times: Sequence[float]) -> str:
    """One row of the table."""
    found = sorted(times) or [float("nan")]
    p50, p99 = found[len(found) // 2], found[min(len(found) - 1, int(len(found) * 0.99))]
    return f"{what:10}{len(times):7}{p50:10.2f}{p99:10.2f}{found[-1]:10.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=1_000_000)
    parser.add_argument("--overlap", type=int, default=1, help="people that answer for each text")
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--turns", type=int, default=2000)
    parser.add_argument("--port", type=int, default=8018)
    parser.add_argument("--database", default="", help="a database that may be written to; else a SQLite file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="thresher-leases-") as folder:
        database = given.database or f"sqlite:///{Path(folder) / 'bench.db'}"
        run = filled(database, given.examples, given.overlap)
        with service(Path(folder) / "home", given.port, THRESHER_DATABASE=database) as (url, _):
            labelled(url, run, given.people, 20)  # what a service loads with its first requests is not counted
            took = labelled(url, run, given.people, given.turns)
    print(f"{given.people} people, one after the other")
    print(f"{'':10}{'n':>7}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}")
    for what, times in took.items():
        print(line(what, times))


if __name__ == "__main__":
    main()
