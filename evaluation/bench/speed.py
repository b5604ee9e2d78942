"""Our loop beside small-text's: the same student, texts, seed batch, rounds and batches, in one process, in turns.

    python -m evaluation.bench.speed --data FOLDER
    python -m evaluation.bench.speed --bert ENCODER --turns 1 --rounds 4

Both read vectors that were made before, and both fit and ask the same logistic regression; margin is named by what the
two libraries call it. Ours keeps a journal and the reasons of its picks and measures the pool after each round, which
small-text does not. Prints the median of each, the median of their ratios, and where the time of each goes: what is
left beside the student's own work (training, predicting) and the LLM's is the loop's. With `--bert` our loop alone,
with a BERT that starts from ENCODER.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agent.annotate import Gold
from agent.embed import CachedEmbedder
from agent.journal import MemoryJournal
from agent.lab import Lab
from agent.loop import learn
from agent.pool import Pool
from agent.protocols import Bench, Columns, Floats, Student, Weighted
from agent.query import Margin, Random
from agent.recipe import Recipe, RunSpec, Step
from agent.seeds import generator
from agent.stopping import Budget
from agent.stopwatch import Stopwatch
from agent.students import Bert, FrozenLinear, LearnerSpec
from agent.students.head import Head, fit_head
from evaluation.bench.bank import Material, material

Name = Literal["margin", "random"]
STUDENT = ("training", "predicting")
"""Work of the student, which every loop has."""


@dataclass
class Took:
    """One run of one loop."""

    seconds: float
    parts: dict[str, float]
    """Seconds by kind of work, as far as it was told apart."""
    rounds: list[set[str]]
    """Ids that each round labelled."""

    def share(self, *parts: str) -> float:
        return sum(self.parts.get(part, 0.0) for part in parts) / self.seconds

    @property
    def own(self) -> float:
        """Share of the time that is neither the student's nor the LLM's."""
        return 1 - self.share(*STUDENT, "LLM")


@dataclass(frozen=True)
class Watched:
    """A student whose predictions are timed."""

    student: Student
    watch: Stopwatch

    def predict(self, texts: Columns) -> Floats:
        with self.watch.of("predicting"):
            return self.student.predict(texts)

    def embed(self, texts: Columns) -> Floats:
        return self.student.embed(texts)

    def save(self, folder: Path) -> None:
        self.student.save(folder)


@dataclass
class WatchingLab(Lab):
    """A lab whose students are watched."""

    def train(self, pool: Pool, index: int) -> Student:
        return Watched(super().train(pool, index), self.watch)


@dataclass
class Course:
    """What both loops are to do: the first `size` texts of a random order, then `rounds` - 1 batches of that size."""

    made_of: Material
    rounds: int
    size: int
    learner: LearnerSpec = field(default_factory=FrozenLinear)
    checkpoint: Path | None = None
    clock: Callable[[], float] = time.perf_counter
    embed: CachedEmbedder = field(init=False)

    def __post_init__(self) -> None:
        self.embed = CachedEmbedder(self.made_of.embed)
        self.embed.embed(self.made_of.pool)

    def pool(self, shuffle: int) -> Columns:
        return self.made_of.pool.take(generator(shuffle, "pool").permutation(len(self.made_of.pool)))

    def recipe(self, strategy: Name) -> Recipe:
        first, later = Random(), Margin() if strategy == "margin" else Random()
        steps = tuple(Step(query=query, size=self.size, annotate=Gold()) for query in (first, later))
        stop = Budget(labels=self.rounds * self.size)
        return Recipe(name=strategy, steps=steps, stop=stop, learner=self.learner)


def ours(course: Course, strategy: Name, shuffle: int) -> Took:
    made_of, labels = course.made_of, course.rounds * course.size
    pool = Pool.of(made_of.task, course.pool(shuffle))
    spec = RunSpec(recipe=course.recipe(strategy), task=made_of.task, data=made_of.name, seed=shuffle, budget=labels)
    bench = Bench(made_of.task, seed=shuffle, embed=course.embed, gold=made_of.gold, checkpoint=course.checkpoint)
    lab = WatchingLab(spec, bench, watch=Stopwatch(course.clock))
    begun = course.clock()
    outcome = learn(spec, pool, lab, MemoryJournal())
    seconds = course.clock() - begun
    return Took(seconds, lab.watch.seconds, [{e.id for e in batch.examples} for batch in outcome.batches])


@dataclass
class TheirStudent:
    """Our linear student in the form that small-text asks for."""

    classes: int
    watch: Stopwatch
    head: Head | None = None

    def fit(self, train_set: Any) -> "TheirStudent":
        with self.watch.of("training"):
            x = np.asarray(train_set.x, np.float64)
            rows = Weighted(Columns([], []), np.eye(self.classes)[train_set.y], np.ones(len(x)))
            self.head = fit_head(x, rows, FrozenLinear().c)
        return self

    def predict_proba(self, data_set: Any) -> NDArray[np.float64]:
        assert self.head is not None
        with self.watch.of("predicting"):
            return self.head.predict(data_set.x)


@dataclass(frozen=True)
class TheirStudents:
    classes: int
    watch: Stopwatch

    def new(self) -> TheirStudent:
        return TheirStudent(self.classes, self.watch)


def theirs(course: Course, strategy: Name, shuffle: int) -> Took:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # small-text calls functions that it has deprecated
        return _theirs(course, strategy, shuffle)


def _theirs(course: Course, strategy: Name, shuffle: int) -> Took:
    import small_text

    library: Any = small_text
    columns, names = course.pool(shuffle), course.made_of.task.names
    gold = np.asarray([names.index(course.made_of.gold[id_]) for id_ in columns.ids])
    data = library.SklearnDataset(course.embed.embed(columns), gold, target_labels=np.arange(len(names)))
    query = library.BreakingTies() if strategy == "margin" else library.RandomSampling()
    np.random.seed(shuffle)
    watch = Stopwatch(course.clock)
    begun = course.clock()
    learner = library.PoolBasedActiveLearner(TheirStudents(len(names), watch), query, data)
    rows = generator(shuffle, "query", 0).permutation(len(columns))[: course.size]
    learner.initialize_data(rows, gold[rows])
    chosen = [rows]
    for _ in range(course.rounds - 1):
        rows = learner.query(num_samples=course.size)
        learner.update(gold[rows])
        chosen.append(rows)
    seconds = course.clock() - begun
    return Took(seconds, watch.seconds, [{columns.ids[int(r)] for r in rows} for rows in chosen])


def beside(course: Course, strategy: Name, turns: int) -> list[tuple[Took, Took]]:
    """Ours and theirs on as many shuffles, in turns; one more of each before, which is not counted."""
    ours(course, strategy, 0)
    theirs(course, strategy, 0)
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

    shares = [of(lambda run, part=part: run.share(part)) for part in STUDENT]
    outside = of(lambda run: 1 - run.share("training", "LLM"))
    return f"{what:22}{1000 * median(run.seconds for run in runs):10.1f}{''.join(shares)}{outside}{of(lambda r: r.own)}"


HEAD = f"{'':22}{'ms':>10}{'training':>10}{'predict':>10}{'not train':>10}{'loop':>10}"


def compared(course: Course, turns: int) -> None:
    print(HEAD)
    for strategy in ("margin", "random"):
        pairs = beside(course, strategy, turns)
        print(told(f"{strategy}, ours", [mine for mine, _ in pairs]))
        print(told(f"{strategy}, small-text", [other for _, other in pairs]))
        ratios = sorted(mine.seconds / other.seconds for mine, other in pairs)
        low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
        kept, all_ = same(pairs)
        print(f"  ours / small-text {median(ratios):.2f} (middle half {low:.2f} to {high:.2f}); ", end="")
        print(f"the same texts in {kept} of {all_} rounds" if strategy == "margin" else "each draws its own texts")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="", help="folder with train.jsonl and test.jsonl; else film sentences")
    parser.add_argument("--keep", type=Path, help="where texts and vectors are kept for a second call")
    parser.add_argument("--bert", type=Path, help="folder of an encoder: our loop alone, with a BERT")
    parser.add_argument("--pool", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=16)
    parser.add_argument("--size", type=int, default=8)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--cpu", action="store_true", help="processor time, where others use the machine as well")
    given = parser.parse_args()
    clock = time.process_time if given.cpu else time.perf_counter
    from threadpoolctl import threadpool_limits

    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        made_of = material(given.keep or Path(folder), given.data, given.pool, 100)
        print(
            f"{made_of.name}: {len(made_of.pool):,} texts, {given.rounds} rounds of {given.size}, {given.turns} turns"
        )
        if given.bert is None:
            compared(Course(made_of, given.rounds, given.size, clock=clock), given.turns)
            return
        course = Course(made_of, given.rounds, given.size, Bert(), given.bert, clock)
        print(HEAD)
        for strategy in ("margin", "random"):
            print(told(f"{strategy}, BERT", [ours(course, strategy, shuffle) for shuffle in range(given.turns)]))


if __name__ == "__main__":
    main()
