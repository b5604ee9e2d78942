"""Each cell of a study as a job of its own, which names all that decides its result, and nothing else."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from agent.annotate import Gold
from agent.query import First
from agent.recipe import Recipe, Step, WeightsUsed
from agent.stopping import Rounds
from agent.students import Bert, LearnerSpec
from evaluation.records import Arm
from evaluation.study import Planned, Study, planned
from serving.roles.fingerprints import fingerprints
from serving.runs import outputs
from serving.runs.job import Job, JobArm, People
from serving.studies.data import DataSet

Kind = Literal["cell", "full", "zero-shot", "reading"]
"""`reading`: a cell in which the LLM labels texts and nothing is trained (`readings.py`)."""


@dataclass(frozen=True)
class Item:
    """One piece of work."""

    kind: Kind
    data: str
    job: Job
    plan: Planned | None = None
    """Which cell of the study it is; None for a reference row."""

    @cached_property
    def key(self) -> str:
        """Where it stands in the store: it ends in a hash of all that its result depends on."""
        job, cell = self.job, self.job.main
        name = "zero-shot" if self.kind == "zero-shot" else cell.arm
        digest = hashlib.sha256(f"{self.kind} {job.model_dump_json()}".encode()).hexdigest()[:20]
        return f"{self.data}/{name}/{job.learners[0].name}-{cell.seed}.{cell.training}/h{digest}"

    @property
    def asks_llm(self) -> bool:
        return self.kind in ("zero-shot", "reading") or self.job.arms[0].recipe.asks_llm

    @property
    def slow(self) -> bool:
        """Whether the steps within it are worth recording, so that a killed cell goes on where it was."""
        return self.asks_llm or isinstance(self.job.learners[0], Bert)

    @property
    def group(self) -> str:
        """Items of one group take about as long as each other."""
        return f"{self.job.learners[0].name}{'+llm' if self.asks_llm else ''}"

    def told(self) -> str:
        job = self.job
        what = "zero-shot" if self.kind == "zero-shot" else f"{job.arms[0].arm.name}, {job.learners[0].name}"
        return f"{self.data}, {what}, shuffle {job.seeds[0]}"


@dataclass(frozen=True)
class Weights:
    """The models that a study runs with."""

    encoder: WeightsUsed | None
    llm: WeightsUsed | None = None


def items(study: Study, sets: Mapping[str, DataSet], weights: Weights) -> tuple[Item, ...]:
    """All work of the study: reference rows first, then cells by whole shuffles."""
    return (*_references(study, sets, weights), *(cell(study, sets, weights, each) for each in planned(study)))


def cell(study: Study, sets: Mapping[str, DataSet], weights: Weights, plan: Planned) -> Item:
    """One cell of the study's grid."""
    learner, arm = one_thread(study.student(plan.student).learner), study.arm(plan.arm)
    recipe = arm.built(learner, study.budget, study.llm.reads)
    job = _job(study, sets[plan.data], weights, recipe, learner, arm.spends(study.budget), study.points)
    job = job.model_copy(update={"seeds": (plan.shuffle,), "trainings": (plan.training,)})
    return Item("cell", plan.data, job, plan)


def _references(study: Study, sets: Mapping[str, DataSet], weights: Weights) -> tuple[Item, ...]:
    found: list[Item] = []
    for name, data in sets.items():
        for student in study.students if study.full else ():
            everything = Step(query=First(), size=study.pool, annotate=Gold())
            learner = one_thread(student.learner)
            recipe = Recipe(name="full", steps=(everything,), stop=Rounds(most=1), learner=learner)
            found.append(Item("full", name, _job(study, data, weights, recipe, learner, study.pool, ())))
        if study.llm.test_reads:
            learner = one_thread(study.students[0].learner)
            recipe = Recipe(
                name="zero-shot", steps=(Step(query=First(), size=1),), stop=Rounds(most=1), learner=learner
            )
            job = _job(study, data, weights, recipe, learner, 0, ())
            reads = {"test_reads": study.llm.test_reads, "llm": weights.llm}
            found.append(Item("zero-shot", name, job.model_copy(update=reads)))
    return tuple(found)


def _job(
    study: Study,
    data: DataSet,
    weights: Weights,
    recipe: Recipe,
    learner: LearnerSpec,
    budget: int,
    points: tuple[int, ...],
) -> Job:
    return Job(
        program=outputs.thresher_version(),
        task=data.card.task(),
        data=data.pool.digest,
        test=data.test.digest,
        data_card=data.card.name,
        budget=budget,
        reads=study.llm.reads if recipe.asks_llm else 0,
        test_reads=0,
        sample=study.llm.sample,
        arms=(JobArm(arm=Arm(name=recipe.name), recipe=recipe),),
        learners=(learner,),
        points=points,
        people=People(kind="simulated", noise=study.people.noise, seconds=study.people.seconds),
        llm=weights.llm if recipe.asks_llm else None,
        encoder=weights.encoder,
        prompts=tuple(sorted(fingerprints(recipe))),
    )


def one_thread(learner: LearnerSpec) -> LearnerSpec:
    """Cells share the cores, and sums of one thread come in one order: the same results wherever a cell is done."""
    return learner.model_copy(update={"threads": 1}) if "threads" in type(learner).model_fields else learner
