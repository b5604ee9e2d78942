"""Runs the cells of a job: makes the pool and the bench, runs the loop, measures students on the test set."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.annotate import Llm
from agent.annotate.human import SimulatedPeople
from agent.domain import Cost
from agent.errors import CapReached
from agent.exchange import ChatReply
from agent.generate.filters import digest
from agent.lab import Lab, Metered
from agent.loop import Outcome, learn
from agent.pool import Pool
from agent.protocols import Bench, ChatModel, Embedder, Experts, Fence, Floats, Journal, Student
from agent.protocols import People as Answering
from agent.query.diagnose import arm_name, filled_share, noted, position_quartiles
from agent.seeds import generator
from agent.stopwatch import Stopwatch
from evaluation.curves import LEFT_OUT, NO_ANSWER, measured
from evaluation.records import Cell as CellRecord
from evaluation.records import Point
from evaluation.selecting import choosing
from serving.runs.job import Cell, Job
from serving.runs.screen import Screen
from serving.runs.tables import Table

Look = Callable[[int, Pool, Student], None]
"""At what a round has trained: its index, the pool, the student."""


@dataclass
class Worker:
    """One job's hands. Everything from outside is made by `serving.runs.wiring` and handed in."""

    job: Job
    table: Table
    test: Table | None
    journal: Callable[[str], Journal]
    """The part of the run's journal under a prefix."""
    students: Path | None
    """Where fitted students are kept until their cell is recorded, those of the main cell for good; None: nowhere."""
    screen: Screen | None
    chat: ChatModel | None = None
    embed: Embedder | None = None
    checkpoint: Path | None = None
    people: Answering | None = None
    """Real people; simulated ones are made here, from gold."""
    experts: Experts | None = None
    """Who looks over the LLM's picks before they are labelled."""
    watch: Stopwatch = field(default_factory=Stopwatch)
    fence: Fence | None = field(default=None, init=False)

    def run(self, cells: Sequence[Cell] | None = None) -> tuple[CellRecord, ...]:
        """The records of these cells; where none are named, of all and of the LLM itself. Known ones are read back."""
        if cells is not None:
            return tuple(record for cell in cells if (record := self._whole(cell)) is not None)
        return (*self.run(self.job.cells()), *self.zero_shot())

    def _whole(self, cell: Cell) -> CellRecord | None:
        """A cell's record; None where a cap ended one that was only there to be compared with."""
        try:
            record = self._recorded(cell)
        except CapReached:
            if cell == self.job.main:
                raise
            return None
        return record if cell == self.job.main or not (record.stop or "").startswith("cap:") else None

    def zero_shot(self) -> tuple[CellRecord, ...]:
        """The LLM's own row of a comparison; empty where there is no LLM or no test set."""
        if self.test is None or self.chat is None or not self.job.test_reads:
            return ()
        try:
            return (self.journal("zero-shot/").step("cell", CellRecord, self._zero_shot),)
        except CapReached:
            return ()

    def _recorded(self, cell: Cell) -> CellRecord:
        begun = time.monotonic()
        record = self.journal(f"{cell.key()}/").step("cell", CellRecord, partial(self.measured, cell))
        if cell != self.job.main and (kept := self._kept(cell)) is not None:
            shutil.rmtree(kept, ignore_errors=True)  # only needed to resume this very cell
        if self.screen is not None:
            self.screen.finished(cell, time.monotonic() - begun, told(record))
        return record

    def outcome(self, cell: Cell, observe: Look | None = None, scouted: Look | None = None) -> Outcome:
        """Runs one cell, or reads it back where its journal is complete."""
        spec = self.job.spec(cell)
        pool = shuffled(self.job, self.table, cell.seed)
        bench = self._bench(pool, cell.seed)
        show = self.screen.batch if self.screen and observe is not None and cell == self.job.main else None
        fence = self._fenced() if spec.recipe.writes else None
        lab = Lab(spec, bench, fence, self._kept(cell), observe, show, self.experts, self.watch, scouted)
        return learn(spec, pool, lab, self.journal(f"{cell.key()}/"))

    def measured(self, cell: Cell) -> CellRecord:
        """One cell's learning curve on the test set, its costs and its selector's diagnostics."""
        points, scouts = dict[int, Point](), dict[int, Point]()
        journal = self.journal(f"{cell.key()}/")
        wanted = Checkpoints(self.job.points)

        def test(index: int, pool: Pool, student: Student) -> None:
            points[index] = journal.step(f"{index}/test", Point, lambda: self._point(pool, student))

        def observe(index: int, pool: Pool, student: Student) -> None:
            if wanted.reached(pool.human_labels()):
                test(index, pool, student)

        def scouted(index: int, pool: Pool, student: Student) -> None:
            scouts[index] = journal.step(f"{index}/scout", Point, lambda: self._point(pool, student))

        outcome = self.outcome(cell, observe, scouted if self._shows_scout(cell) else None)
        if (last := len(outcome.history) - 1) not in points:
            test(last, outcome.pool, outcome.student)
        return self._record(cell, outcome, points, scouts)

    def _shows_scout(self, cell: Cell) -> bool:
        """Whether a look at the scout after each round is for free, and somebody will look: at the user's own cell.

        A scout is trained in any case; one that asks the LLM for each label would have to be paid for.
        """
        scout = self.job.spec(cell).recipe.scout
        own = self.test is not None and cell == self.job.main and not self.job.points
        return own and scout is not None and scout.kind != "in-context"

    def _record(
        self, cell: Cell, outcome: Outcome, points: Mapping[int, Point], scouts: Mapping[int, Point]
    ) -> CellRecord:
        costs = list(accumulate((r.cost for r in outcome.history), Cost.__add__))
        curve, scouted = (
            tuple(found[i].model_copy(update={"cost": costs[i]}) for i in sorted(found)) for found in (points, scouts)
        )
        picked = [b for b in outcome.batches if any(p.shown is not None or p.filled for p in b.picks)]
        return CellRecord(
            arm=cell.arm,
            seed=cell.seed,
            training=cell.training,
            student=self.job.learners[cell.learner].name,
            curve=curve,
            scouts=scouted,
            cost=costs[-1],
            spec=self.job.spec(cell).fingerprint,
            run=self.job.id,
            stop=f"{outcome.stop.rule}: {outcome.stop.reason}",
            filled_share=filled_share(picked) if picked else None,
            quartiles=position_quartiles(picked) if picked else None,
            renamed=arm_name(outcome.batches, name="") or None,
            choosing=choosing(picked, self.table.gold, self.job.task.names) if picked else None,
            notes=_counts(outcome),
        )

    def _point(self, pool: Pool, student: Student) -> Point:
        labelled = pool.labelled()
        point = Point(
            human_labels=pool.human_labels(),
            machine_labels=int((~labelled.human).sum()),
            generated=int(labelled.generated.sum()),
        )
        if self.test is None:
            return point
        with self.watch.of("measuring"):
            return scored(self.test, self.job.task.names, student.predict(self.test.columns), point)

    def _zero_shot(self) -> CellRecord:
        """The LLM's own labels on the first texts of the test set, calibrated as everywhere else."""
        assert self.chat is not None
        assert self.test is not None
        rows = range(min(self.job.test_reads, len(self.test.columns)))
        pool = shuffled(self.job, self.table, self.job.seeds[0])
        annotator = Llm()
        said = annotator.read(self.test.columns.take(rows), Metered(self.chat), self._bench(pool, self.job.seeds[0]))
        p = said.raw if said.calibrated is None else said.calibrated
        full = np.full((len(self.test.columns), p.shape[1]), np.nan)
        full[: len(p)] = p
        asked = np.arange(len(full)) < len(p)
        cost = sum((reply.cost for reply in said.replies if isinstance(reply, ChatReply)), Cost())
        point = scored(self.test, self.job.task.names, full, Point(human_labels=0, cost=cost), asked)
        return CellRecord(arm="zero-shot", seed=self.job.seeds[0], curve=(point,), cost=cost, run=self.job.id)

    def _kept(self, cell: Cell) -> Path | None:
        return None if self.students is None else self.students / cell.key().replace("/", "-")

    def _bench(self, pool: Pool, seed: int) -> Bench:
        people = self.people
        if self.job.people.kind == "simulated":
            who = self.job.people
            people = SimulatedPeople(self.table.gold, self.job.task.names, who.noise, who.seconds, seed)
        bench = Bench(
            task=self.job.task,
            seed=seed,
            chat=self.chat,
            embed=self.embed,
            people=people,
            overlap=self.job.people.overlap,
            gold=self.table.gold or None,
            sample=pool.columns.take(range(min(self.job.sample, len(pool)))),
            checkpoint=self.checkpoint,
        )
        return bench if self.screen is None else replace(bench, progress=self.screen.doing)

    def _fenced(self) -> Fence | None:
        if self.test is None:
            return None
        if self.fence is None:
            near = self.embed.embed(self.test.columns) if self.embed is not None else None
            self.fence = Fence(frozenset(digest(text) for text in self.test.columns.texts), near)
        return self.fence


class Checkpoints:
    """Numbers of people's labels at which a curve has a point: the first round that comes to each, or goes past it."""

    def __init__(self, points: Sequence[int]) -> None:
        self._left = sorted(points)
        self._every = not points

    def reached(self, labels: int) -> bool:
        """Whether a round with so many labels is one to measure. Asked once a round, in order."""
        passed = [point for point in self._left if point <= labels]
        self._left = self._left[len(passed) :]
        return self._every or bool(passed)


def shuffled(job: Job, table: Table, seed: int) -> Pool:
    """The pool in the order of one seed; every arm of that seed sees the same."""
    order = generator(seed, "shuffle").permutation(len(table.columns))
    return Pool.of(job.task, table.columns.take(order))


def _counts(outcome: Outcome) -> dict[str, float]:
    """What came of the lists that the LLM was shown, and of the texts that it wrote or only read."""
    counts = {"rejected": float(sum(r.rejected for r in outcome.history))}
    for name in ("lists", "asked_again", "refused", "failed", "chosen", "unwritten", "read", "unread"):
        found = noted(outcome.batches, name)
        counts |= {name: sum(found)} if found else {}
    return counts


def told(record: CellRecord) -> str:
    """A cell in one line."""
    last = record.curve[-1]
    accuracy = "" if np.isnan(last.accuracy) else f": {last.accuracy:.1%} right"
    labels = f"{last.human_labels} human, {last.machine_labels} machine labels"
    return f"{record.arm}, {record.student}, seed {record.seed}{accuracy} ({labels})"


def scored(
    test: Table, names: tuple[str, ...], p: Floats, point: Point, asked: NDArray[np.bool_] | None = None
) -> Point:
    """Measured over the test texts that have a gold label and were asked for; one without an answer is not right."""
    gold = gold_of(test, names)
    left_out = (gold < 0) if asked is None else (gold < 0) | ~asked
    answered = ~np.isnan(p).any(axis=1)
    predicted = np.where(answered, np.nan_to_num(p).argmax(axis=1), NO_ANSWER)
    return measured(gold, np.where(left_out, LEFT_OUT, predicted), len(names), point)


def gold_of(test: Table, names: tuple[str, ...]) -> NDArray[np.intp]:
    """(n,) class indices, -1 where a text has no label."""
    found = [names.index(test.gold[id_]) if id_ in test.gold else -1 for id_ in test.columns.ids]
    return np.asarray(found, dtype=np.intp)
