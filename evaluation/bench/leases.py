"""How long the next text takes, and the answer to it, in a review queue of a million texts.

A process of its own fills a fresh queue and then labels from it, one person after the other, for `--turns` turns; what
is timed is the whole transaction. Every tenth turn is a skip instead of an answer.

    python -m evaluation.bench.leases --examples 1000000 --turns 2000
    python -m evaluation.bench.leases --database postgresql://…
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

PROGRAM = """
import json, sys, time, uuid
from serving.database import open_database
from serving.runs.review_queue import Ask, Choice
from serving.runs.reviews import Reviews
from serving.runs.store import Store

url, n, overlap, people, turns = sys.argv[1], *map(int, sys.argv[2:])
engine, run = open_database(url), f"bench-{uuid.uuid4().hex[:8]}"
Store(engine).begin(run, "{}", "")
reviews = Reviews(engine)
begun = time.perf_counter()
text = "the film is a long and winding story of two friends who lose their way in a city of rain, no. "
reviews.put(run, 0, [Ask(example=f"r{i}", text=f"{text}{i}") for i in range(n)], ("yes", "no"), overlap=overlap)
filled = time.perf_counter() - begun
took = {"lease": [], "answer": [], "skip": [], "progress": []}

def timed(what, call):
    begun = time.perf_counter()
    found = call()
    took[what].append(1000 * (time.perf_counter() - begun))
    return found

for turn in range(turns):
    who = f"person {turn % people}"
    item = timed("lease", lambda: reviews.lease(run, who))
    if turn % 10 == 9:
        timed("skip", lambda: reviews.skip(item.token))
    else:
        timed("answer", lambda: reviews.answer(item.token, Choice(verdict="label", label="yes")))
    if turn % 10 == 0:
        timed("progress", lambda: reviews.progress(run, who))
print(json.dumps({"filled": filled, "took": took}))
"""


def measured(database: str, examples: int, overlap: int, people: int, turns: int) -> None:
    """Prints a line for each kind of doing."""
    numbers = map(str, (examples, overlap, people, turns))
    done = subprocess.run(  # our own program, with numbers
        [sys.executable, "-c", PROGRAM, database, *numbers], check=True, capture_output=True, text=True
    )
    found = json.loads(done.stdout)
    print(f"{examples:,} texts for {overlap} each, {people} people: filled in {found['filled']:.1f} s")
    print(f"{'':10}{'n':>7}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}")
    for what, times in found["took"].items():
        print(line(what, times))


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
    parser.add_argument("--database", default="", help="a database that may be written to; else a SQLite file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = given.database or f"sqlite:///{Path(folder) / 'bench.db'}"
        measured(database, given.examples, given.overlap, given.people, given.turns)


if __name__ == "__main__":
    main()
