"""What a prompt ablation is to find out, as data: a design over slots and settings of one prompt, and nothing else.

An ablation becomes a study whose arms are the cells of the design, so that cells are planned, done, recorded and paired
as those of every study. `ablation_alike.py` holds what they were made into against the design before they run.
"""

import hashlib
import tomllib
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from agent.annotate import Llm
from agent.annotate.calibrate import LEAST_SAMPLE
from agent.domain import LabelCard, Task
from agent.errors import BadInput
from agent.query import First, LlmChoose
from agent.recipe import Step
from agent.students import FrozenLinear, InContext, LearnerSpec
from evaluation.ablation_design import Combination, Contrast, Fraction, Level, combined, main_effects, read_effect
from evaluation.ablation_design import aliases as aliased
from evaluation.ablation_design import named as effect_name
from evaluation.contrasts import MOST
from evaluation.study import Study, StudyLlm, StudyStudent, amiss
from evaluation.study_arms import StudyArm
from prompts.errors import PromptError
from prompts.messages import Frozen
from prompts.template import Prompt, load

Measure = Literal["accuracy", "macro_f1", "ece", "label_mass"]
Verbaliser = Literal["words", "names", "letters"]
"""What the LLM answers with: the label words of the data card, the labels' names, or A, B, C…"""

HELD = ("task", "sets", "data", "pool", "test", "shuffles", "seed", "model", "student", "learner", "budget", "encoder")
"""What is the same in all cells of a design, and cannot be a factor."""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Selecting(Frozen):
    """The LLM selects; people label its picks, and a student is measured after each batch."""

    kind: Literal["select"] = "select"
    base: LlmChoose = LlmChoose()
    """Prompt, slots and settings that are no factor."""
    budget: int = Field(ge=1)
    """People's labels, at which cells are compared."""
    batch: int = Field(default=8, ge=1)
    """Labels a round, the first one among them: all are chosen by the LLM."""
    learner: LearnerSpec = Field(default=FrozenLinear(), discriminator="kind")

    @property
    def questions(self) -> int:
        """Lists that are shown in one run."""
        batches = [min(self.batch, self.budget - done) for done in range(0, self.budget, self.batch)]
        return sum(-(-size // self.base.per_list) for size in batches)


class Annotating(Frozen):
    """The LLM labels texts whose gold label is known; nothing is trained."""

    kind: Literal["annotate"] = "annotate"
    base: Llm = Llm()
    """Prompt, slots and settings that are no factor."""
    texts: int = Field(ge=1)
    """Of the test part, in each shuffle others; every cell of a shuffle reads the same ones."""
    shots: int = Field(default=0, ge=0)
    """Demonstrations in the prompt."""
    labelled: int = Field(default=16, ge=1)
    """Texts of the pool that people label, from which the demonstrations are taken, classes in turn."""
    sample: int = Field(default=100, ge=0)
    """Further texts of the pool, from which the prior for calibration is estimated."""
    verbaliser: Verbaliser = "words"
    order: Literal["given", "reversed"] = "given"
    """Of the labels in the prompt."""

    @property
    def questions(self) -> int:
        """Texts that are read in one run."""
        return self.texts + (self.sample if self.base.calibration == "batch" else 0)


Subject = Annotated[Selecting | Annotating, Field(discriminator="kind")]

_SETTINGS = {
    "select": ("prompt", "list_size", "per_list", "order", "batch", "shown_labels", "max_tokens", "temperature"),
    "annotate": ("prompt", "shots", "verbaliser", "calibration", "strength", "order", "least_mass"),
}
"""What can be a factor beside the slots of the prompt."""
_REPLIES = {"select": ("indices", "ranking", "scores"), "annotate": ("label",)}


class Ablation(Frozen):
    """Combinations of levels × data sets × shuffles, paired by shuffle."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    about: str = ""
    sets: tuple[str, ...] = Field(min_length=1)
    """Names of data cards."""
    pool: int = Field(ge=2)
    test: int = Field(ge=2)
    part: Literal["development", "release", "all"] = "development"
    """Prompts are chosen by looking at results, so that rows for development are the default."""
    split_seed: int = 0
    shuffles: int = Field(ge=1)
    factors: dict[str, tuple[Level, ...]] = Field(min_length=1)
    """Slots of the prompt and settings with their levels; the first level is what the others are held against."""
    fraction: Fraction = "full"
    effects: tuple[str, ...] = ()
    """Named before the run, and tested: `mode`, `mode=no-cot`, `mode x advice`. Empty: all main effects."""
    measure: Measure = "accuracy"
    """What named effects are tested on; everything else is descriptive."""
    minutes: float | None = Field(default=None, gt=0)
    model: str = ""
    """A name of the catalogue; empty: the one that is set up."""
    at_once: int = Field(default=1, ge=1)
    """Runs that ask it at the same time. All take less time then, and each of them longer."""
    subject: Subject

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, levels in self.factors.items():
            self._check_factor(name, levels)
        try:
            cells = [self.cell(each) for each in self.design]
            for each in cells:
                self._check_prompt(each)
            self._check_sizes(cells)
            self._check_effects()
            self.study()
        except ValidationError as error:  # of a level, or of the study that this amounts to
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            said = first["msg"].removeprefix("Value error, ")
            raise ValueError(f"{place}: {said}" if place else said) from error
        return self

    @property
    def design(self) -> tuple[Combination, ...]:
        return combined(self.factors, self.fraction)

    @property
    def tested(self) -> tuple[Contrast, ...]:
        """The effects that were named."""
        if not self.effects:
            return main_effects(self.factors)
        found = [contrast for text in self.effects for contrast in read_effect(text, self.factors)]
        return tuple(dict.fromkeys(found))

    @property
    def questions(self) -> int:
        """What all runs ask the LLM, the second question after a list that came out short not counted."""
        cells = [self.cell(each) for each in self.design]
        return sum(each.questions for each in cells) * len(self.sets) * self.shuffles

    def cell(self, levels: Combination) -> Selecting | Annotating:
        """The subject at these levels."""
        own = {name: level for name, level in levels.items() if name in type(self.subject).model_fields}
        inner = {name: level for name, level in levels.items() if name in _SETTINGS[self.subject.kind]}
        slots = {name: level for name, level in levels.items() if name not in inner}
        settings = {name: level for name, level in inner.items() if name not in own}
        given = self.subject.model_dump()
        base = given["base"] | settings | {"slots": given["base"]["slots"] | slots}
        return type(self.subject).model_validate(given | own | {"base": base})

    def study(self) -> Study:
        """The ablation as a study, whose arms are the cells of the design in their order."""
        subject = self.subject
        learner, budget = (
            (subject.learner, subject.budget) if isinstance(subject, Selecting) else (InContext(), subject.labelled)
        )
        return Study(
            name=self.name,
            about=self.about,
            sets=self.sets,
            pool=self.pool,
            test=self.test,
            part=self.part,
            split_seed=self.split_seed,
            budget=budget,
            shuffles=self.shuffles,
            students=(StudyStudent(learner=learner),),
            arms=tuple(_arm(self.cell(each), each) for each in self.design),
            minutes=self.minutes,
            llm=StudyLlm(model=self.model, reads=0, at_once=self.at_once),
        )

    def _check_factor(self, name: str, levels: tuple[Level, ...]) -> None:
        kind = self.subject.kind
        if name in HELD:
            raise ValueError(f"{name!r} is no factor: cells of a design differ in the prompt and its settings only")
        if len(levels) < 2 or len(set(map(str, levels))) < len(levels):
            raise ValueError(
                f"the factor {name!r} needs two different levels or more, found {', '.join(map(str, levels))}"
            )
        base = self.subject.base
        if self._held(name):
            raise ValueError(f"{name!r} is a factor, and held still in subject as well")
        prompts = self.factors.get("prompt", (base.prompt,))
        slots = [_prompt(str(prompt)).slots for prompt in prompts]
        if name not in _SETTINGS[kind] and any(name not in each for each in slots):
            known = ", ".join(each for each in slots[0] if all(each in other for other in slots))
            told = " and ".join(map(str, prompts))
            raise ValueError(
                f"{told} has no slot {name!r}; its slots: {known}; settings of {kind}: {', '.join(_SETTINGS[kind])}"
            )

    def _held(self, name: str) -> bool:
        """Whether the file gives the factor a value outside the factors."""
        base, subject = self.subject.base, self.subject
        plain = type(base)()
        if base.slots.get(name, plain.slots.get(name)) != plain.slots.get(name):
            return True
        return any(
            name in type(each).model_fields and getattr(each, name) != type(each).model_fields[name].get_default()
            for each in (base, subject)
        )

    def _check_prompt(self, cell: Selecting | Annotating) -> None:
        prompt = _prompt(cell.base.prompt)
        if prompt.reply not in _REPLIES[cell.kind]:
            raise ValueError(f"the prompt {prompt.id!r} asks for {prompt.reply}, which does not {cell.kind}")
        try:
            choice = prompt.choice(cell.base.slots)
        except PromptError as error:
            raise ValueError(f"{error.what}; {error.hint}") from error
        if cell.kind == "annotate" and choice.get("rationale", "none") != "none":
            raise ValueError(
                "labels are read at the first token of the answer, so that no rationale can stand before it"
            )
        if isinstance(cell, Annotating) and cell.shots and "demonstrations" not in prompt.variables:
            raise ValueError(f"the prompt {prompt.id!r} shows no demonstrations")

    def _check_sizes(self, cells: list[Selecting | Annotating]) -> None:
        for each in cells:
            if isinstance(each, Selecting):
                if self.measure not in ("accuracy", "macro_f1"):
                    raise ValueError(f"a student has no {self.measure}: take accuracy or macro_f1")
                continue
            if each.shots > each.labelled:
                raise ValueError(f"{each.shots} demonstrations cannot come from {each.labelled} labelled texts")
            if each.base.calibration == "batch" and each.sample < LEAST_SAMPLE:
                raise ValueError(f"a prior needs a sample of {LEAST_SAMPLE} texts, found {each.sample}")
            if each.labelled + each.sample > self.pool:
                raise ValueError(f"{each.labelled} + {each.sample} texts do not fit into a pool of {self.pool}")
            if each.texts * self.shuffles > self.test:
                what = f"{self.shuffles} shuffles of {each.texts} texts each do not fit into a test part of {self.test}"
                raise ValueError(what)

    def _check_effects(self) -> None:
        if len(self.tested) > MOST:
            raise ValueError(f"{len(self.tested)} effects would be tested, at most {MOST} may: name them in effects")
        for contrast in self.tested:
            told = effect_name(contrast, self.factors)
            if self.fraction == "one-at-a-time" and contrast.order > 1:
                raise ValueError(f"one factor at a time shows no interaction, such as {told}")
            if others := aliased(contrast, self.factors, self.fraction):
                known = ", ".join(effect_name(other, self.factors) for other in others)
                raise ValueError(f"half the design cannot tell {told} from {known}")


def arm_name(levels: Combination) -> str:
    """A name that an arm may have: the levels, and a digest where they are too long."""
    told = "+".join(str(level).replace("/", "-") for level in levels.values())
    if len(told) <= 40:
        return told
    digest = hashlib.sha256(repr(levels).encode()).hexdigest()[:8]
    return f"{told[:31]}-{digest}"


def task_of(task: Task, cell: Annotating) -> Task:
    """The task as this cell words it: the order of the labels, and what the LLM answers with.

    Raises:
        BadInput: letters for more labels than there are letters.
    """
    if cell.verbaliser == "letters" and len(task.labels) > len(_LETTERS):
        raise BadInput(f"{task.name!r} has {len(task.labels)} labels, and there are 26 letters", "take words or names")
    labels = task.labels[::-1] if cell.order == "reversed" else task.labels
    worded = tuple(_worded(label, cell.verbaliser, i) for i, label in enumerate(labels))
    return task.model_copy(update={"labels": worded})


def _worded(label: LabelCard, verbaliser: Verbaliser, place: int) -> LabelCard:
    if verbaliser == "words":
        return label
    if verbaliser == "names":
        return label.model_copy(update={"word": label.name})
    # A letter says nothing by itself, so that something must stand beside it.
    return label.model_copy(update={"word": _LETTERS[place], "description": label.description or label.word})


def _arm(cell: Selecting | Annotating, levels: Combination) -> StudyArm:
    name = arm_name(levels)
    if isinstance(cell, Annotating):
        step = Step(query=First(), size=cell.texts, annotate=cell.base)
        return StudyArm(name=name, role="ablation", steps=(step,))
    return StudyArm(
        name=name, role="ablation", strategy=cell.base, first=cell.base, seed_batch=cell.batch, batch=cell.batch
    )


def _prompt(name: str) -> Prompt:
    try:
        return load(name)
    except PromptError as error:
        raise ValueError(f"{error.what}; {error.hint}") from error


def parse(text: str, where: str = "the ablation") -> Ablation:
    """An ablation from TOML. Raises BadInput that says where in the file what is wrong."""
    try:
        return Ablation.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{where} is not valid TOML: {error}", "see the ablations in evaluation/ablations") from error
    except BadInput as error:
        raise BadInput(f"{where}: {error.what}", error.hint) from error
    except ValidationError as error:
        raise BadInput(f"{where}: {amiss(error)}", "see Prompt ablations in evaluation/README.md") from error
