"""Two loops that do the same work with the same student, ours and small-text's, and where the time of each goes."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agent.annotate import Gold
from agent.domain import Batch, Round
from agent.embed import CachedEmbedder
from agent.journal import MemoryJournal
from agent.lab import MEASURED, Lab, Labels
from agent.loop import learn
from agent.pool import Pool
from agent.protocols import Bench, Columns, Floats, Student, Weighted
from agent.query import Margin, Random
from agent.recipe import Recipe, RunSpec, Step
from agent.seeds import generator
from agent.stopping import Budget
from agent.stopwatch import Stopwatch
from agent.students import Bert, FrozenLinear
from agent.students.head import fit_head
from evaluation.bench.bank import Material

Name = Literal["margin", "random"]
PARTS = ("training", "predict", "measure")


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
    def rest(self) -> float:
        """Share of the time that is not the student's."""
        return 1 - self.share(*PARTS)

    @property
    def outside(self) -> float:
        """Seconds outside training."""
        return self.seconds - self.parts["training"]

    @property
    def unmeasured(self) -> float:
        """Seconds, but for what measuring took."""
        return self.seconds * (1 - self.share("measure"))


@dataclass(frozen=True)
class Watched:
    """A student whose predictions are timed."""

    student: Student
    watch: Stopwatch
    part: str = "predict"

    def predict(self, texts: Columns) -> Floats:
        with self.watch.of(self.part):
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

    def sum_up(self, index: int, batch: Batch, labels: Labels, pool: Pool, student: Student) -> Round:
        return super().sum_up(index, batch, labels, pool, Watched(_bare(student), self.watch, "measure"))


@dataclass
class Course:
    """What both loops are to do: the first `size` texts of a random order, then `rounds` - 1 batches of that size."""

    made_of: Material
    rounds: int
    size: int
    learner: FrozenLinear | Bert = field(default_factory=FrozenLinear)
    checkpoint: Path | None = None
    clock: Callable[[], float] = time.process_time
    embed: CachedEmbedder = field(init=False)

    def __post_init__(self) -> None:
        self.embed = CachedEmbedder(self.made_of.embed)
        self.embed.embed(self.made_of.pool)

    def pool(self, shuffle: int) -> Columns:
        return self.made_of.pool.take(generator(shuffle, "pool").permutation(len(self.made_of.pool)))

    def spec(self, strategy: Name, shuffle: int) -> RunSpec:
        first, later = Random(), Margin() if strategy == "margin" else Random()
        steps = tuple(Step(query=query, size=self.size, annotate=Gold()) for query in (first, later))
        labels = self.rounds * self.size
        recipe = Recipe(name=strategy, steps=steps, stop=Budget(labels=labels), learner=self.learner)
        return RunSpec(recipe=recipe, task=self.made_of.task, data=self.made_of.name, seed=shuffle, budget=labels)

    def bench(self, shuffle: int) -> Bench:
        made_of = self.made_of
        return Bench(made_of.task, seed=shuffle, embed=self.embed, gold=made_of.gold, checkpoint=self.checkpoint)

    def short(self) -> "Course":
        """The same in little, to load and warm up what it needs."""
        steps = {"min_steps": 1, "max_steps": 1} if self.learner.kind == "bert" else {}
        return replace(self, rounds=2, learner=self.learner.model_copy(update=steps))


def ours(course: Course, strategy: Name, shuffle: int) -> Took:
    pool, spec = Pool.of(course.made_of.task, course.pool(shuffle)), course.spec(strategy, shuffle)
    lab = WatchingLab(spec, course.bench(shuffle), watch=Stopwatch(course.clock))
    begun = course.clock()
    outcome = learn(spec, pool, lab, MemoryJournal())
    seconds = course.clock() - begun
    seen = lab.watch.seconds
    parts = {part: seen.get(part, 0.0) for part in PARTS}
    return Took(seconds, parts, [{e.id for e in batch.examples} for batch in outcome.batches])


@dataclass
class TheirStudent:
    """Our student in the form that small-text asks for."""

    fitted: Callable[[Any, NDArray[np.intp]], Callable[[Any], Floats]]
    """From what stands for the texts (vectors or row numbers) and their classes to what predicts."""
    watch: Stopwatch
    predicts: Callable[[Any], Floats] | None = None
    part: str = "predict"

    def fit(self, train_set: Any) -> "TheirStudent":
        with self.watch.of("training"):
            self.predicts = self.fitted(train_set.x, np.asarray(train_set.y, np.intp))
        return self

    def predict_proba(self, data_set: Any) -> Floats:
        assert self.predicts is not None
        with self.watch.of(self.part):
            return self.predicts(data_set.x)


@dataclass(frozen=True)
class TheirStudents:
    fitted: Callable[[Any, NDArray[np.intp]], Callable[[Any], Floats]]
    watch: Stopwatch

    def new(self) -> TheirStudent:
        return TheirStudent(self.fitted, self.watch)


@dataclass(frozen=True)
class Linear:
    """Fits our linear student to vectors."""

    classes: int
    c: float

    def __call__(self, x: Any, y: NDArray[np.intp]) -> Callable[[Any], Floats]:
        rows = Weighted(Columns([], []), np.eye(self.classes)[y], np.ones(len(y)))
        return fit_head(np.asarray(x, np.float64), rows, self.c).predict


@dataclass(frozen=True)
class FineTuned:
    """Fits our BERT to texts that small-text knows by their rows, in the order of the pool, as in our loop."""

    learner: Bert
    spec: RunSpec
    bench: Bench
    pool: Columns

    def __call__(self, x: Any, y: NDArray[np.intp]) -> Callable[[Any], Floats]:
        order = np.argsort(x[:, 0])
        targets = np.eye(len(self.spec.task.labels))[y[order]]
        rows = Weighted(self.pool.take(x[order, 0]), targets, np.ones(len(y)))
        student = self.learner.fit(rows, self.spec.task, self.bench, self.spec.training_rng())
        return lambda rows: student.predict(self.pool.take(rows[:, 0]))


def theirs(course: Course, strategy: Name, shuffle: int) -> Took:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # small-text calls functions that it has deprecated
        return _theirs(course, strategy, shuffle)


def _theirs(course: Course, strategy: Name, shuffle: int) -> Took:
    import small_text

    library: Any = small_text
    columns, names = course.pool(shuffle), course.made_of.task.names
    gold = np.asarray([names.index(course.made_of.gold[id_]) for id_ in columns.ids])
    fitted, data = _student(course, course.spec(strategy, shuffle), columns, gold)
    query = library.BreakingTies() if strategy == "margin" else library.RandomSampling()
    np.random.seed(shuffle)
    watch = Stopwatch(course.clock)
    begun = course.clock()
    learner = library.PoolBasedActiveLearner(TheirStudents(fitted, watch), query, data)
    rows = generator(shuffle, "query", 0).permutation(len(columns))[: course.size]
    learner.initialize_data(rows, gold[rows])
    _measure(learner, watch)
    chosen = [rows]
    for _ in range(course.rounds - 1):
        rows = learner.query(num_samples=course.size)
        learner.update(gold[rows])
        _measure(learner, watch)
        chosen.append(rows)
    seconds = course.clock() - begun
    return Took(seconds, watch.seconds, [{columns.ids[int(r)] for r in rows} for rows in chosen])


def _student(course: Course, spec: RunSpec, columns: Columns, gold: NDArray[np.intp]) -> tuple[Any, Any]:
    """The student, and the pool as a data set of small-text."""
    import small_text

    library: Any = small_text
    classes, learner = np.arange(len(spec.task.labels)), course.learner
    if isinstance(learner, FrozenLinear):
        data = library.SklearnDataset(course.embed.embed(columns), gold, target_labels=classes)
        return Linear(len(classes), learner.c), data
    # Rows for texts: small-text's own data sets of texts cannot be cut with NumPy 2.
    data = library.SklearnDataset(np.arange(len(columns))[:, None], gold, target_labels=classes)
    return FineTuned(learner, spec, course.bench(spec.seed), columns), data


def _measure(learner: Any, watch: Stopwatch) -> float:
    """What our rounds measure over the unlabelled texts: the student's mean entropy."""
    from scipy.special import entr

    with watch.of("measure"):
        rows = np.setdiff1d(np.arange(len(learner.dataset)), learner.indices_labeled, assume_unique=True)[:MEASURED]
        p = replace(learner.classifier, part="measure").predict_proba(learner.dataset[rows])
        return float(entr(p).sum(axis=1).mean())


def _bare(student: Student) -> Student:
    return student.student if isinstance(student, Watched) else student
