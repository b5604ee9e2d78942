"""Our loop beside small-text's: the same student, texts, seed batch, rounds and batches, in one process, in turns.

    python -m evaluation.bench.speed --data sst2
    python -m evaluation.bench.speed --data sst2 --bert

The student is ours on both sides: logistic regression on vectors that were made before, or with `--bert` a BERT. Margin
is named by what the two libraries call it. Each turn is one shuffle, run by both; who begins changes from turn to turn,
and times are processor time of one thread unless `--wall` is given, so that others on the machine count for less.

Where the time of a run goes, each part counted once:

- training: fitting the student, after each round;
- predict: what the student says of the pool, since the strategy asked. small-text does that inside `query`, and over
  labelled texts as well. Ours looks vectors up by texts; small-text has them as one matrix before the clock starts;
- measure: what the student says of up to 500 unlabelled texts after each round, which our rounds record and stopping
  rules read. small-text leaves that to its user; here it does the same, and the ratio without it is printed too;
- rest: all else. For ours that is choosing, annotating, the records, and a journal in memory that reads each step back.
  The journal of a real run lies in a database, which takes longer.

*Not train* is everything but training; no LLM takes part. Printed are medians over turns. Training is the same work on
both sides, and takes longer now and then: *trained alike* is the ratio where both are given the mean of the two.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from agent.students import Bert, FrozenLinear
from evaluation.bench.bank import material
from evaluation.bench.loops import PARTS, Course, Name, Took, ours, theirs


def beside(course: Course, strategy: Name, turns: int) -> list[tuple[Took, Took]]:
    """Ours and theirs on as many shuffles, in turns; both once in little before, which is not counted."""
    short = course.short()
    ours(short, strategy, 0)
    theirs(short, strategy, 0)
    found: list[tuple[Took, Took]] = []
    for shuffle in range(turns):
        first = theirs(course, strategy, shuffle) if shuffle % 2 else None
        mine = ours(course, strategy, shuffle)
        found.append((mine, first or theirs(course, strategy, shuffle)))
    return found


def same(pairs: Sequence[tuple[Took, Took]]) -> tuple[int, int]:
    """Rounds in which both labelled the same texts, and all rounds."""
    found = [a == b for mine, other in pairs for a, b in zip(mine.rounds, other.rounds, strict=True)]
    return sum(found), len(found)


def told(what: str, runs: Sequence[Took]) -> str:
    """Median milliseconds, and the medians of the shares."""

    def of(share: Callable[[Took], float]) -> str:
        return f"{100 * median(share(run) for run in runs):8.1f} %"

    shares = [of(lambda run, part=part: run.share(part)) for part in PARTS]
    outside = of(lambda run: run.outside / run.seconds)
    return (
        f"{what:22}{1000 * median(run.seconds for run in runs):10.1f}{''.join(shares)}{of(lambda r: r.rest)}{outside}"
    )


HEAD = f"{'':22}{'ms':>10}" + "".join(f"{what:>10}" for what in (*PARTS, "rest", "not train"))


def ratios(pairs: Sequence[tuple[Took, Took]]) -> list[str]:
    """Ours over theirs: the median over turns with the middle half, and by other ways of counting."""
    found = sorted(mine.seconds / other.seconds for mine, other in pairs)
    low, high = found[len(found) // 4], found[-1 - len(found) // 4]
    alike = median(trained_alike(mine, other) for mine, other in pairs)
    bare = median(mine.seconds / other.unmeasured for mine, other in pairs)
    return [
        f"ours / small-text {median(found):.2f} (middle half {low:.2f} to {high:.2f}), trained alike {alike:.2f}",
        f"where small-text does not measure {bare:.2f}",
    ]


def trained_alike(mine: Took, other: Took) -> float:
    """The ratio of both where each is given the mean of the time that they trained."""
    training = (mine.parts["training"] + other.parts["training"]) / 2
    return (training + mine.outside) / (training + other.outside)


def compared(course: Course, turns: int) -> None:
    print(HEAD)
    for strategy in ("margin", "random"):
        pairs = beside(course, strategy, turns)
        print(told(f"{strategy}, ours", [mine for mine, _ in pairs]))
        print(told(f"{strategy}, small-text", [other for _, other in pairs]))
        kept, all_ = same(pairs)
        texts = f"the same texts in {kept} of {all_} rounds" if strategy == "margin" else "each draws its own texts"
        print("  " + "\n  ".join([*ratios(pairs), texts]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="", help="a data card, a .csv file, or a folder with train.jsonl, test.jsonl")
    parser.add_argument("--keep", type=Path, help="where texts and vectors are kept for a second call")
    parser.add_argument("--bert", nargs="?", const="", help="a BERT, from this folder or the encoder of the vectors")
    parser.add_argument("--pool", type=int, help="texts: 2,000, with a BERT 500")
    parser.add_argument("--rounds", type=int, help="16, with a BERT 2")
    parser.add_argument("--size", type=int, default=8)
    parser.add_argument("--turns", type=int, help="15, with a BERT 2")
    parser.add_argument("--steps", type=int, help="optimiser steps of a BERT; the student's own number, at least 200")
    parser.add_argument("--wall", action="store_true", help="time by the clock on the wall")
    given = parser.parse_args()
    pool, rounds, turns = (2000, 16, 15) if given.bert is None else (500, 2, 2)
    pool, rounds, turns = given.pool or pool, given.rounds or rounds, given.turns or turns
    clock, timed = (time.perf_counter, "wall") if given.wall else (time.process_time, "processor")
    learner = FrozenLinear() if given.bert is None else bert(given.steps)
    from threadpoolctl import threadpool_limits

    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        place = (given.keep or Path(folder)) / f"{Path(given.data).stem}-{pool}"
        made_of = material(place, given.data, pool, 100)
        size = f"{len(made_of.pool):,} texts, {rounds} rounds of {given.size}, {turns} turns"
        print(f"{made_of.name}: {size}, student {learner.name}, {timed} time", flush=True)
        checkpoint = Path(given.bert) if given.bert else made_of.encoder
        compared(Course(made_of, rounds, given.size, learner, checkpoint, clock), turns)


def bert(steps: int | None) -> Bert:
    return Bert(threads=1) if steps is None else Bert(threads=1, min_steps=steps, max_steps=steps)


if __name__ == "__main__":
    main()
