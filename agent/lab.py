"""Where the steps of Algorithm 1 happen: hands each component what it may use, and adds up what it cost."""

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from agent.annotate.human import Gold, Human, Simulated
from agent.domain import Annotation, Batch, Cost, Round, Stop
from agent.errors import BadInput, CapReached, Unanswered
from agent.exchange import ChatFailure, ChatReply, ChatRequest
from agent.pool import Pool
from agent.protocols import (
    Annotator,
    Bench,
    ChatModel,
    Cleaner,
    Experts,
    Fence,
    Floats,
    Journal,
    Learner,
    Query,
    StoppingRule,
    Student,
    Weighted,
)
from agent.query.choose import require
from agent.recipe import RunSpec, Step
from agent.seeds import generator
from agent.stopwatch import Stopwatch
from agent.students import LearnerSpec
from prompts.messages import Frozen


class Labels(Frozen):
    """What annotating one batch came to."""

    annotations: tuple[Annotation, ...]
    cost: Cost = Cost()
    asked: tuple[str, ...] = ()
    """Digests of the requests that this step was the first of its run to make."""
    capped: str = ""
    """The cap that left no room for labelling; empty where there was."""


Record = TypeVar("Record", Batch, Labels)

MEASURED = 500
"""Texts of U that a round's measures are taken over, the first in the order of the pool, which is a random one. A mean
over more is hardly surer of a change: from round to round they are nearly the same texts."""

KEPT = 2
"""Of the files of kept students. Those of an older form are fitted again, not read."""

PEOPLE = (Human, Simulated, Gold)
"""Annotators that can label nothing once the budget is spent."""


class Metered:
    """A chat model that adds up what its replies cost when first asked, whoever paid then; a repeat is free.

    Raises Unanswered where a question got no answer since the server was away, and CapReached where a cap kept one from
    being sent. No label comes of such a step: what labels are must not depend on an outage, and the questions that were
    answered are free when the step is done again.
    """

    def __init__(self, chat: ChatModel, watch: Stopwatch | None = None) -> None:
        self._chat, self._watch, self._seen = chat, watch or Stopwatch(), set[str]()
        self._cost, self._asked = Cost(), list[str]()

    @property
    def name(self) -> str:
        return self._chat.name

    def complete(self, requests: Sequence[ChatRequest]) -> list[ChatReply | ChatFailure]:
        with self._watch.of("LLM"):
            replies = self._chat.complete(requests)
        for request, reply in zip(requests, replies, strict=True):
            key = hashlib.sha256(request.model_dump_json().encode()).hexdigest()[:12]
            if isinstance(reply, ChatReply) and key not in self._seen:
                self._seen.add(key)
                self._asked.append(key)
                self._cost += reply.cost
        failures = [reply for reply in replies if isinstance(reply, ChatFailure)]
        if capped := [failure for failure in failures if failure.kind == "capped"]:
            raise CapReached(capped[0].message)
        if away := [failure for failure in failures if failure.passing]:
            what = f"{len(away)} of {len(replies)} questions to the LLM got no answer, the first: {away[0].message}"
            hint = "check the LLM server (thresher engine status), then resume; answers so far are kept"
            raise Unanswered(what, hint)
        return replies

    def take(self) -> tuple[Cost, tuple[str, ...]]:
        """Cost and digests of the requests since the last call."""
        taken = self._cost, tuple(self._asked)
        self._cost, self._asked = Cost(), []
        return taken

    def recall(self, asked: Sequence[str]) -> None:
        """Knows requests again that an earlier process made for this run."""
        self._seen.update(asked)


@dataclass
class Lab:
    """The steps of one run over one pool. It opens nothing: chat, people, encoder and folders are handed in."""

    spec: RunSpec
    bench: Bench
    fence: Fence | None = None
    students: Path | None = None
    """Where fitted students are kept by the hash of (learner, labelled set, seed); None keeps none."""
    observe: Callable[[int, Pool, Student], None] | None = None
    """Called after each training that a reader of the learning curve may look at."""
    show: Callable[[Batch], None] | None = None
    """Called with each batch, before anybody labels it."""
    experts: Experts | None = None
    """Who looks over the LLM's picks before they are labelled; None: nobody."""
    watch: Stopwatch = field(default_factory=Stopwatch)
    scouted: Callable[[int, Pool, Student], None] | None = None
    """As `observe`, after each training of a scout: what serves the rounds, not the student that the run is for."""
    meter: Metered | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.bench.chat is not None:
            self.meter = Metered(self.bench.chat, self.watch)
            self.bench = replace(self.bench, chat=self.meter)

    def query(self, step: Step, pool: Pool, student: Student | None, index: int) -> Batch:
        """Line 1 and line 4. Where people alone label the batch, it is no larger than what the budget still holds."""
        ask = self._ask(step, pool, student, index)
        require(ask, step.query.needs, step.query.name, f" of round {index}")
        try:
            with self.watch.of("choosing"):
                batch = step.query.query(ask)
        except CapReached as cap:
            batch = Batch(picks=(), by=step.query.name, capped=_said(cap, index))
        cost, asked = self._spent()
        return batch.model_copy(update={"cost": cost, "asked": asked})

    def vet(self, journal: Journal, batch: Batch, index: int) -> Batch:
        """Between lines 4 and 5: what experts leave of the LLM's picks, recorded as a step; the batch where none look.

        A struck pick stays in U and costs no label of the budget.
        """
        experts, chosen = self.experts, [p for p in batch.picks if p.shown is not None]
        if experts is None or not chosen:
            return batch

        def looked() -> Batch:
            why = experts.struck(chosen, index)
            struck = tuple(p.model_copy(update={"why": why[p.example.id]}) for p in chosen if p.example.id in why)
            kept = tuple(p for p in batch.picks if p.example.id not in why)
            return batch.model_copy(update={"picks": kept, "struck": struck})

        return journal.step(f"{index}/picks", Batch, looked)

    def annotate(self, step: Step, batch: Batch, pool: Pool, index: int) -> Labels:
        """Line 5. Names the label that each new one supersedes."""
        known = pool.standing()
        suggested = {id_: a for id_, a in known.items() if a.provenance == "machine" and a.answer.label is not None}
        bench = replace(self.bench, round=index, left=self._left(pool), suggested=suggested, labelled=pool.labelled())
        standing = {id_: a.id for id_, a in known.items()}
        labels: list[Annotation] = []
        annotator: Annotator = step.annotate
        capped = batch.capped
        try:
            given = () if capped else annotator.annotate(batch, bench)
        except CapReached as cap:
            given, capped = (), _said(cap, index)
        for a in given:
            old = standing.get(a.example)
            labels.append(a if old == a.supersedes else a.model_copy(update={"supersedes": old}))
            standing[a.example] = a.id
        people = sum((a.cost for a in labels if a.cost.human_labels), Cost())
        if people.human_labels > bench.left:
            what = f"round {index} asked people for {people.human_labels} labels, {bench.left} were left"
            raise BadInput(what, "give the recipe's steps sizes that the budget covers")
        cost, asked = self._spent()
        return Labels(annotations=tuple(labels), cost=people + cost, asked=asked, capped=capped)

    def note(self, record: Record) -> Record:
        """Knows what a recorded step asked, so that a resumed run counts each request once as well."""
        if self.meter is not None:
            self.meter.recall(record.asked)
        if isinstance(record, Batch) and self.show is not None:
            self.show(record)
        return record

    def train(self, pool: Pool, index: int) -> Student:
        """Lines 2 and 7: the scout where the recipe has one, else the learner."""
        recipe = self.spec.recipe
        student = self._fit(recipe.scout or recipe.learner, pool)
        look = self.observe if recipe.scout is None else self.scouted
        if look is not None:
            look(index, pool, student)
        return student

    def finish(self, pool: Pool, student: Student, index: int) -> Student:
        """Line 8: f* is the last student, or the learner trained on the final L where a scout served the rounds."""
        if self.spec.recipe.scout is None:
            return student
        final = self._fit(self.spec.recipe.learner, pool)
        if self.observe is not None:
            self.observe(index, pool, final)
        return final

    def terminate(self, history: Sequence[Round], pool: Pool) -> Stop | None:
        """Line 3. Beside the recipe's rule, a run ends at its caps, and where nothing is left to choose."""
        if (stop := self._capped(history[-1], pool)) is not None:
            return stop
        rule: StoppingRule = self.spec.recipe.stop
        if (stop := rule.check(history)) is not None:
            return stop
        last, repeats = history[-1], len(history) >= len(self.spec.recipe.steps)
        # A step that is not the last one leaves it to the next.
        if repeats and len(history) > 1 and last.picked + last.struck == 0:
            return Stop(rule="nothing", reason=f"round {last.index} found nothing more to choose")
        step = self.spec.recipe.step(len(history))
        if not len(pool.askable(again=step.again)):
            return Stop(rule="pool", reason="every text of the pool is labelled", numbers={"pool": float(len(pool))})
        return self._spent_up(step, pool)

    def _capped(self, last: Round, pool: Pool) -> Stop | None:
        if last.capped:
            return Stop(rule="cap", reason=last.capped)
        cap, minutes = self.spec.minutes, pool.human_seconds() / 60
        if cap is None or minutes < cap:
            return None
        numbers = {"human_minutes": minutes, "cap": cap}
        return Stop(rule="cap", reason=f"people have given {minutes:.1f} minutes of {cap:g}", numbers=numbers)

    def _spent_up(self, step: Step, pool: Pool) -> Stop | None:
        if not isinstance(step.annotate, PEOPLE) or self._payable(step, pool):
            return None
        budget, left = self.spec.budget, self._left(pool)
        numbers = {"human_labels": float(pool.human_labels()), "budget": float(budget)}
        reason = f"the {left} labels of people that are left do not pay for {self.bench.overlap} answers to a text"
        reason = reason if left else f"all {budget} labels of people are spent"
        return Stop(rule="budget", reason=reason, numbers=numbers)

    def sum_up(self, index: int, batch: Batch, labels: Labels, pool: Pool, student: Student) -> Round:
        """What the round came to; measures are taken over U, never over a test set."""
        rows = pool.rows("unlabelled")[:MEASURED]
        with self.watch.of("measuring"):
            p = student.predict(pool.columns.take(rows)) if len(rows) else np.zeros((0, len(pool.task.names)))
        measures = {} if not len(p) else {"mean_entropy": _entropy(p), "mean_confidence": float(p.max(axis=1).mean())}
        machine = sum(a.provenance == "machine" for a in pool.standing().values())
        accepted = sum(pick.example.origin == "generated" for pick in batch.picks)
        rejected = len({verdict.candidate for verdict in batch.verdicts if not verdict.accepted})
        return Round(
            index=index,
            sizes=pool.sizes(),
            human_labels=pool.human_labels(),
            machine_labels=machine,
            measures=measures,
            cost=batch.cost + labels.cost,
            picked=len(batch.picks),
            struck=len(batch.struck),
            filled=sum(pick.filled for pick in batch.picks),
            accepted=accepted,
            rejected=rejected,
            capped=labels.capped,
        )

    def _ask(self, step: Step, pool: Pool, student: Student | None, index: int) -> Query:
        rows = pool.askable(again=step.again)
        return Query(
            task=self.spec.task,
            size=min(step.size, self._payable(step, pool)) if isinstance(step.annotate, PEOPLE) else step.size,
            candidates=pool.columns.take(rows),
            machine=pool.machine(rows),
            labelled=pool.labelled(),
            rng=generator(self.spec.seed, "query", index),
            round=index,
            student=student,
            chat=self.bench.chat,
            embed=self.bench.embed,
            fence=self.fence,
            sample=self.bench.sample,
        )

    def _fit(self, learner: LearnerSpec, pool: Pool) -> Student:
        labelled = pool.labelled()
        if not len(labelled):
            raise BadInput("nothing is labelled yet, so nothing can be trained", "let the first step label something")
        bench = replace(self.bench, gold=None, people=None)  # what is learned from is in L, and nowhere else
        cleaner: Cleaner = self.spec.recipe.clean
        weighted = cleaner.clean(labelled, bench)
        start = self.spec.encoder.hash if self.spec.encoder else ""
        folder = None if self.students is None else self.students / _key(learner, weighted, self.spec, start)
        trainer: Learner = learner
        if folder is not None and folder.exists():
            return trainer.load(folder, self.spec.task, bench)
        with self.watch.of("training"):
            student = trainer.fit(weighted, self.spec.task, bench, self.spec.training_rng())
        if folder is not None:
            _keep(student, folder)
        return student

    def _left(self, pool: Pool) -> int:
        """People's labels that the budget still holds."""
        return max(0, self.spec.budget - pool.human_labels())

    def _payable(self, step: Step, pool: Pool) -> int:
        """Texts that people can label before the budget is spent; all that are asked of one are paid for."""
        return self._left(pool) // (self.bench.overlap if isinstance(step.annotate, Human) else 1)

    def _spent(self) -> tuple[Cost, tuple[str, ...]]:
        return (Cost(), ()) if self.meter is None else self.meter.take()


def _said(cap: CapReached, index: int) -> str:
    """Before anything is labelled there is nothing to end with: the cap is then an error."""
    if index == 0:
        raise cap
    return cap.what


def _entropy(p: Floats) -> float:
    """Mean entropy of the rows in nats."""
    return float(-(p * np.log(np.clip(p, 1e-12, 1.0))).sum(axis=1).mean())


def _key(learner: LearnerSpec, weighted: Weighted, spec: RunSpec, checkpoint: str) -> str:
    """A hash of all that a fitted student depends on; the names of the classes are kept inside it."""
    made = f"{KEPT}\x1f{learner.model_dump_json()}\x1f{spec.seed}.{spec.training}\x1f{checkpoint}\x1f"
    digest = hashlib.sha256(made.encode())
    for text in (*spec.task.names, *weighted.columns.ids, *weighted.columns.texts, *(weighted.columns.texts_b or ())):
        digest.update(text.encode() + b"\x1f")
    digest.update(np.round(weighted.targets, 9).tobytes() + np.round(weighted.weights, 9).tobytes())
    return digest.hexdigest()[:24]


def _keep(student: Student, folder: Path) -> None:
    """Writes beside and renames, so that a kill leaves either a whole student or none."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fitting-") as beside:
        student.save(Path(beside) / "student")
        try:
            (Path(beside) / "student").rename(folder)
        except OSError:
            if not folder.exists():  # another process kept the same student first
                raise
