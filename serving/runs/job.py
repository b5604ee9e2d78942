"""What one `thresher run` is to do, as data: stored before anything runs, and enough to continue it."""

import hashlib
import re
from typing import Literal

from pydantic import Field

from agent.domain import Task
from agent.recipe import Recipe, RunSpec, WeightsUsed
from agent.students import LearnerSpec
from evaluation.records import Arm
from evaluation.split import SplitReport
from prompts.messages import Frozen
from serving.shapes_runs import Caps


class People(Frozen):
    """Who answers when a recipe asks a person."""

    kind: Literal["file", "simulated", "queue"]
    noise: float = Field(default=0.0, ge=0.0, le=1.0)
    """Simulated: share of wrong answers."""
    seconds: float = Field(default=8.0, ge=0.0)
    """Simulated: cost of one label."""
    overlap: int = Field(default=1, ge=1, le=20)
    """Queue: people who answer for each text; each answer is a label of the budget."""
    blind: float = Field(default=0.2, ge=0.0, le=1.0)
    """Queue: share of texts on which the machine's suggestion is hidden."""
    experts: bool = False
    """Queue: whether people look over the LLM's picks before they are labelled."""


class JobArm(Frozen):
    """One recipe of the job, and how reports call it."""

    arm: Arm
    recipe: Recipe


class Cell(Frozen):
    """One run of the loop: which arm, which student, which seed, which training."""

    arm: str
    learner: int
    seed: int
    training: int = 0

    def key(self) -> str:
        again = f".{self.training}" if self.training else ""
        return f"{self.arm}/{self.learner}/{self.seed}{again}"


class Job(Frozen):
    """A run of the first arm, with whatever it is compared with."""

    schema_number: Literal[1] = 1
    program: str = ""
    """Version of this program: what another one would do is another run."""
    title: str = ""
    """What people call it; jobs of different titles are different runs."""
    task: Task
    data: str
    """SHA-256 of the pool: ids, texts and labels."""
    test: str = ""
    """The same of the test set; empty where there is none."""
    data_card: str = ""
    """Name of the data card where the data is a known set."""
    split: SplitReport | None = None
    """How pool and test part were made from it."""
    budget: int = Field(ge=0)
    caps: Caps = Caps()
    reads: int = Field(default=600, ge=0)
    """Texts that the LLM labels."""
    test_reads: int = Field(default=300, ge=0)
    """Test texts that the LLM labels itself, for its own row of a comparison."""
    sample: int = Field(default=200, ge=0)
    """Random texts of the pool from which the LLM's prior over labels is estimated."""
    arms: tuple[JobArm, ...] = Field(min_length=1)
    learners: tuple[LearnerSpec, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    trainings: tuple[int, ...] = Field(default=(0,), min_length=1)
    """Repetitions of each seed in which only what is random in training differs."""
    points: tuple[int, ...] = ()
    """People's labels at which students are measured on the test set, beside the end; empty: after each round."""
    people: People
    llm: WeightsUsed | None = None
    encoder: WeightsUsed | None = None
    prompts: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The name of the run: equal jobs are one run."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.task.name.casefold()).strip("-")[:40] or "run"
        return f"{slug}-{hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:8]}"

    @property
    def main(self) -> Cell:
        """The cell whose labels and student the user takes home."""
        return Cell(arm=self.arms[0].arm.name, learner=0, seed=self.seeds[0], training=self.trainings[0])

    def cells(self) -> tuple[Cell, ...]:
        """All cells, the main one first, then by complete seeds, so that a comparison ended early is still paired."""
        return tuple(
            Cell(arm=each.arm.name, learner=learner, seed=seed, training=training)
            for seed in self.seeds
            for training in self.trainings
            for each in self.arms
            for learner in range(len(self.learners))
        )

    def spec(self, cell: Cell) -> RunSpec:
        """The specification of one cell."""
        recipe = next(each.recipe for each in self.arms if each.arm.name == cell.arm)
        return RunSpec(
            program=self.program,
            recipe=recipe.model_copy(update={"learner": self.learners[cell.learner]}),
            task=self.task,
            data=f"{self.data}:{self.test}",
            seed=cell.seed,
            training=cell.training,
            budget=self.budget,
            minutes=self.caps.human_minutes,
            llm=self.llm,
            encoder=self.encoder,
            prompts=self.prompts,
        )
