"""What a run is made of, as data: a recipe of steps, and the specification that a run can be run again from."""

import hashlib
from typing import Literal

import numpy as np
from pydantic import Field

from agent.annotate import AnnotatorSpec, Human
from agent.clean import CleanerSpec, Confidence
from agent.domain import Task
from agent.protocols import Need
from agent.query import Strategy
from agent.query.choose import NEEDED
from agent.seeds import generator
from agent.stopping import StoppingSpec
from agent.students import SAMPLED, LearnerSpec
from prompts.messages import Frozen

SCHEMA = 1
"""Of `RunSpec`. A record of an unknown schema is refused aloud."""


class Step(Frozen):
    """One round: what to choose, how much, and who labels it."""

    query: Strategy
    size: int = Field(ge=1)
    annotate: AnnotatorSpec = Field(default=Human(), discriminator="kind")
    again: bool = False
    """True where texts that only the machine has labelled may be chosen too."""


class Recipe(Frozen):
    """A way of doing active learning: Algorithm 1 with its holes filled.

    Step 0 is Initialize. Step i fills round i; the last one repeats until a stopping rule says so.
    """

    name: str = Field(min_length=1)
    steps: tuple[Step, ...] = Field(min_length=1)
    stop: StoppingSpec = Field(discriminator="kind")
    learner: LearnerSpec = Field(discriminator="kind")
    scout: LearnerSpec | None = Field(default=None, discriminator="kind")
    """A cheaper student that serves Query between rounds; the learner is then trained once, at the end."""
    clean: CleanerSpec = Field(default=Confidence(), discriminator="kind")

    def step(self, index: int) -> Step:
        return self.steps[min(index, len(self.steps) - 1)]

    def unmet(self) -> tuple[str, str] | None:
        """What a step needs that nothing brings about, and what to do; None where nothing is amiss.

        LLM and encoder come from outside, and are not looked for.
        """
        there: set[Need] = {"chat", "embeddings"}
        for i, step in enumerate(self.steps):
            lacking: list[Need] = [need for need in NEEDED if need in step.query.needs - there]
            if lacking:
                words, remedy = NEEDED[lacking[0]]
                place = f"step {i}" if i else "its first step"
                return f"{place} chooses by {step.query.name!r}, which needs {words}", remedy
            there |= {"student", "labelled"}
            if isinstance(self.scout or self.learner, SAMPLED):
                there.add("samples")
            if step.annotate.kind in ("llm", "route"):
                there.add("machine")
        return None

    @property
    def asks_llm(self) -> bool:
        said = self.model_dump_json()
        return any(f'"kind":"{kind}"' in said for kind in ("llm", "generate", "in-context"))

    @property
    def writes(self) -> bool:
        """Whether the LLM writes texts in it."""
        return any(step.query.kind == "generate" for step in self.steps)

    @property
    def shown(self) -> int:
        """The most texts with people's labels that the LLM sees beside one that it labels."""
        machines = (getattr(step.annotate, "machine", step.annotate) for step in self.steps)
        return max(getattr(machine, "shots", 0) for machine in machines)


class WeightsUsed(Frozen):
    """A model as it was really loaded."""

    name: str
    variant: str = ""
    source: str = ""
    hash: str = ""
    """SHA-256 over the weights."""


class RunSpec(Frozen):
    """All that decides what a run does. Stored before anything runs; equal specs are one run."""

    schema_number: Literal[1] = SCHEMA
    program: str = ""
    """Version of the program that runs it."""
    recipe: Recipe
    task: Task
    data: str
    """SHA-256 over ids, texts and gold labels of pool and test set."""
    seed: int = 0
    """Order of the pool, seed batch, folds, training: every random choice derives from it."""
    training: int = Field(default=0, ge=0)
    """Which of several trainings on the same order and seed batch: only what is random in training differs."""
    budget: int = Field(ge=0)
    """People's labels, wherever they are used."""
    minutes: float | None = Field(default=None, ge=0)
    """People's minutes; None: any."""
    llm: WeightsUsed | None = None
    encoder: WeightsUsed | None = None
    prompts: tuple[str, ...] = ()
    """Fingerprints `id@version#hash` of the prompts of the recipe."""

    def training_rng(self) -> np.random.Generator:
        """What a learner draws from, in every round the same."""
        return generator(self.seed, "train", *([self.training] if self.training else []))

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that name this specification."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]
