"""What a study is to find out, as data: read from a TOML file, and checked whole before anything starts."""

import tomllib
from collections import Counter
from collections.abc import Collection
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import ErrorDetails

from agent.errors import BadInput
from agent.recipe import Recipe
from agent.students import LearnerSpec
from evaluation.axes import WORDS, Axis
from evaluation.contrasts import Area, Contrast, MeasureSpec, Side, check
from evaluation.study_arms import ZERO_SHOT, StudyArm, counts, misread, several
from prompts.messages import Frozen


class StudyStudent(Frozen):
    """What is trained in every arm, and how often."""

    learner: LearnerSpec = Field(discriminator="kind")
    shuffles: int | None = Field(default=None, ge=1)
    """Where other than the study's."""
    trainings: int | None = Field(default=None, ge=1)
    arms: tuple[str, ...] = ()
    """Only these; empty: all."""

    @property
    def name(self) -> str:
        return self.learner.name


def _student(given: Any) -> Any:
    """`"svm"` is short for `{ learner = { kind = "svm" } }`."""
    return {"learner": {"kind": given}} if isinstance(given, str) else given


class StudyPeople(Frozen):
    """People are simulated from gold labels."""

    noise: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of wrong answers."""
    seconds: float = Field(default=8.0, ge=0.0)
    """Cost of one label."""


class StudyLlm(Frozen):
    """What arms with an LLM use."""

    model: str = ""
    """A name of the catalogue; empty: the one that is set up."""
    reads: int = Field(default=600, ge=0)
    """Texts of the pool that ready recipes have it label."""
    test_reads: int = Field(default=0, ge=0)
    """Test texts that it labels itself, for its own row."""
    sample: int = Field(default=200, ge=1)
    """Random texts of the pool from which its prior over labels is estimated."""
    at_once: int = Field(default=1, ge=1)
    """Cells that ask it at the same time."""


class Study(Frozen):
    """Recipes × data sets × students × shuffles × trainings, paired by shuffle."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    about: str = ""
    sets: tuple[str, ...] = Field(min_length=1)
    """Names of data cards."""
    pool: int = Field(ge=2)
    test: int = Field(ge=2)
    part: Literal["development", "release", "all"] = "release"
    """Which rows of each set: what was chosen by looking at results is chosen on `development`."""
    split_seed: int = 0
    """Of the draw of pool and test part, which all shuffles share."""
    budget: int = Field(ge=1)
    """People's labels, wherever they are used."""
    points: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """People's labels at which curves are measured, beside the end; empty: after each round."""
    shuffles: int = Field(ge=1)
    """A shuffle is an order of the pool, a seed batch and every other random choice; all arms see the same ones."""
    trainings: int = Field(default=1, ge=1)
    """Trainings of each shuffle. Their mean is one observation: they share pool, order and seed batch."""
    students: tuple[Annotated[StudyStudent, BeforeValidator(_student)], ...] = Field(min_length=1)
    arms: tuple[StudyArm, ...] = Field(min_length=1)
    contrasts: tuple[Contrast, ...] = ()
    """Differences that are tested, over all sets together; all others are descriptive. The student is the first one
    where none is named."""
    targets: tuple[Annotated[float, Field(gt=0.0, lt=1.0)], ...] = ()
    """Accuracies of which the labels to reach them are counted."""
    minutes: float | None = Field(default=None, gt=0)
    """After so long no further cell is done; whole shuffles are kept. Counted anew at each start."""
    full: bool = False
    """Whether each student is also trained once on every gold label of the pool, to compare with."""
    people: StudyPeople = StudyPeople()
    llm: StudyLlm = StudyLlm()

    @field_validator("contrasts", mode="before")
    @classmethod
    def _with_the_first_student(cls, given: Any, info: ValidationInfo) -> Any:
        students = info.data.get("students")
        if not students or not isinstance(given, list | tuple):
            return given
        return [{"student": students[0].name, **each} if isinstance(each, dict) else each for each in given]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for what, names in (
            ("data sets", self.sets),
            ("arms", tuple(arm.name for arm in self.arms)),
            ("students", tuple(student.name for student in self.students)),
        ):
            twice = [name for name, n in Counter(names).items() if n > 1]
            if twice:
                raise ValueError(f"two {what} are called {twice[0]!r}")
        if self.budget > self.pool:
            raise ValueError(f"the budget of {self.budget} labels is larger than the pool of {self.pool} texts")
        self._check_students()
        self._check_arms()
        self._check_contrasts()
        return self

    def _check_students(self) -> None:
        known = {arm.name for arm in self.arms}
        for student in self.students:
            if unknown := [name for name in student.arms if name not in known]:
                raise ValueError(f"the student {student.name!r} names the arm {unknown[0]!r}, and there is none")

    def _check_arms(self) -> None:
        late = [point for point in self.points if point > self.budget]
        if late:
            raise ValueError(f"the point {late[0]} lies behind the budget of {self.budget} labels")
        for arm in self.arms:
            own = arm.spends(self.budget)
            if own > self.budget:
                raise ValueError(f"the arm {arm.name!r} spends {own} labels, the study {self.budget}")
            stops = counts(self.recipe(arm.name, self.students[0].name), own)
            missed = [] if stops is None else [p for p in self.points if p not in stops and p < own]
            if missed and stops is not None:
                what = f"the arm {arm.name!r} never has the {missed[0]} labels of a point"
                raise ValueError(f"{what}; it has {several(stops)}")
        for arm, student in self.pairs:
            if unmet := self.recipe(arm, student).unmet():
                raise ValueError(f"the arm {arm!r} with the student {student!r}: {'; '.join(unmet)}")

    def _check_contrasts(self) -> None:
        # The LLM's own row goes with others where it has labelled the same test texts.
        own = [(ZERO_SHOT, "")] if self.llm.test_reads >= self.test else []
        try:
            check(dict.fromkeys(self.sets, (*self.pairs, *own)), self.contrasts)
        except BadInput as error:
            raise ValueError(f"contrasts: {error}") from error
        for i, contrast in enumerate(self.contrasts):
            measure = contrast.measure
            amount = measure.high if isinstance(measure, Area) else measure.amount
            if measure.axis == "labels" and (amount or 0) > self.budget:
                raise ValueError(f"contrast {i + 1} looks at {amount:g} labels, the budget is {self.budget}")
            for arm, student in contrast.sides:
                if student and (said := self._misread(arm, student, measure)):
                    raise ValueError(f"contrast {i + 1}: {arm!r} {said}")
            if isinstance(measure, Area) and not any(self._spends(*side, measure.axis) for side in contrast.sides):
                raise ValueError(f"contrast {i + 1}: an area over {WORDS[measure.axis]}, and neither side spends any")

    def _misread(self, arm: str, student: str, measure: MeasureSpec) -> str:
        own = self.arm(arm).spends(self.budget)
        return misread(self.recipe(arm, student), measure, own, self.budget, self.points)

    def _spends(self, arm: str, student: str, axis: Axis) -> bool:
        if axis == "labels":
            return True
        if axis == "minutes":
            return self.people.seconds > 0
        # Nothing has a price in a study.
        return axis != "money" and (not student or self.recipe(arm, student).asks_llm)

    @property
    def pairs(self) -> tuple[Side, ...]:
        """Every arm with every student that runs it."""
        return tuple((arm.name, student.name) for student in self.students for arm in self.arms_of(student.name))

    def recipe(self, arm: str, student: str) -> Recipe:
        """What an arm is with a student."""
        return self.arm(arm).built(self.student(student).learner, self.budget, self.llm.reads)

    def paired(self, contrast: Contrast) -> int:
        """Shuffles, over all sets, that both sides of a contrast are to have."""
        both = [self.student(student).shuffles or self.shuffles for _, student in contrast.sides if student]
        return len(self.sets) * min(both)

    def student(self, name: str) -> StudyStudent:
        return next(each for each in self.students if each.name == name)

    def arm(self, name: str) -> StudyArm:
        return next(each for each in self.arms if each.name == name)

    def arms_of(self, student: str) -> tuple[StudyArm, ...]:
        """The arms that a student runs, in the order of the study."""
        only = self.student(student).arms
        return tuple(arm for arm in self.arms if not only or arm.name in only)


class Planned(Frozen):
    """One cell of a study: one run of the loop."""

    data: str
    student: str
    shuffle: int
    training: int
    arm: str


def planned(study: Study) -> tuple[Planned, ...]:
    """All cells, shuffle by shuffle, so that a study ended early has whole shuffles.

    Students of fewer shuffles come after the others: they are given fewer because they take long, and get the time that
    is left.
    """
    shuffles = {student.name: student.shuffles or study.shuffles for student in study.students}
    return tuple(
        Planned(data=data, student=student.name, shuffle=shuffle, training=training, arm=arm.name)
        for most in sorted(set(shuffles.values()), reverse=True)
        for shuffle in range(most)
        for data in study.sets
        for student in study.students
        if shuffles[student.name] == most
        for training in range(student.trainings or study.trainings)
        for arm in study.arms_of(student.name)
    )


def complete(study: Study, done: Collection[Planned]) -> tuple[Planned, ...]:
    """Those of the cells done that belong to a whole block: all arms and trainings of a shuffle of set and student."""
    missing = {(c.data, c.student, c.shuffle) for c in planned(study) if c not in done}
    return tuple(c for c in planned(study) if (c.data, c.student, c.shuffle) not in missing)


def parse(text: str, where: str = "the study") -> Study:
    """A study from TOML. Raises BadInput that says where in the file what is wrong."""
    try:
        return Study.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{where} is not valid TOML: {error}", "see the studies in evaluation/studies") from error
    except ValidationError as error:
        raise BadInput(f"{where}: {amiss(error)}", _hint(error.errors()[0])) from error


def amiss(error: ValidationError) -> str:
    """The first thing that is wrong in a file, with its place, and how many more there are."""
    first, more = error.errors()[0], error.error_count() - 1
    return f"{_told(first)}{f' ({more} more like this)' if more else ''}"


_PARTS: dict[str, type[Frozen]] = {
    "arms": StudyArm,
    "students": StudyStudent,
    "contrasts": Contrast,
    "people": StudyPeople,
    "llm": StudyLlm,
}


def _told(error: ErrorDetails) -> str:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key {place}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _hint(error: ErrorDetails) -> str:
    """What may stand there, where that is a short list."""
    inside = [part for part in error["loc"][:-1] if isinstance(part, str)]
    if error["type"] != "extra_forbidden" or len(inside) > 1:
        return "see Studies in evaluation/README.md"
    known = [*(_PARTS[inside[0]] if inside else Study).model_fields, *(["labels"] if inside == ["contrasts"] else [])]
    return f"known there: {', '.join(known)}"
