"""What a study set out to show: contrasts that were named before it ran, and what came of them.

The record of a study is one `Comparison` a data set; its seeds are the shuffles. Where several trainings were made on
one shuffle, their mean is the shuffle's value: trainings are not independent shuffles.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from agent.errors import BadInput
from evaluation.axes import WORDS, Axis, spent
from evaluation.compare import holm
from evaluation.curves import Measure, area, at, grid
from evaluation.findings import shown
from evaluation.records import Cell, Comparison
from evaluation.shuffles import Effect, effect
from prompts.messages import Frozen

MOST = 8
"""Contrasts that a study may name. Everything else in it is descriptive."""
ALPHA = 0.05

Verdict = Literal["gain", "loss", "none", "unknown"]
Side = tuple[str, str]
"""Arm and student."""


class At(Frozen):
    """The metric at an amount spent: at the budget of human labels, unless another is named."""

    kind: Literal["at"] = "at"
    metric: Measure = "accuracy"
    axis: Axis = "labels"
    amount: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.axis != "labels" and self.amount is None:
            raise ValueError(f"a budget counts human labels: name the amount of {WORDS[self.axis]}")
        return self


class Area(Frozen):
    """Mean height of the learning curve from `low` to `high`.

    Where they are not named: from the first amount at which every cell of both arms has a point, to the budget of human
    labels or, over another axis, to the most that any of these cells spent; a curve that ended before stays level.
    """

    kind: Literal["area"] = "area"
    metric: Measure = "accuracy"
    axis: Axis = "labels"
    low: float | None = Field(default=None, ge=0)
    high: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _has_a_width(self) -> Self:
        if self.low is not None and self.high is not None and self.high <= self.low:
            raise ValueError(f"an area from {self.low:g} to {self.high:g} has no width")
        return self


MeasureSpec = Annotated[At | Area, Field(discriminator="kind")]


class Contrast(Frozen):
    """Arm a minus arm b, with one student and by one measure. Written into the study file before the study runs.

    `measure = "macro_f1"` with `labels = 64` is short for `{ kind = "at", metric = "macro_f1", amount = 64 }`.
    """

    a: str
    b: str
    student: str
    """Empty for the LLM's own labels."""
    measure: MeasureSpec = At()
    b_student: str | None = None
    """The student of b, where it is another one (empty for the LLM's own labels)."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("measure", "accuracy"), str):
            return given
        rest = {key: value for key, value in given.items() if key not in ("measure", "labels")}
        at = {"kind": "at", "metric": given.get("measure", "accuracy"), "amount": given.get("labels")}
        return {**rest, "measure": at}

    @property
    def sides(self) -> tuple[Side, Side]:
        return (self.a, self.student), (self.b, self.others)

    @property
    def others(self) -> str:
        """The student of b."""
        return self.student if self.b_student is None else self.b_student

    @model_validator(mode="after")
    def _differs(self) -> Self:
        if (self.a, self.student) == (self.b, self.others):
            raise ValueError(f"{self.a!r} with {self.student!r} is contrasted with itself")
        return self


@dataclass(frozen=True)
class Result:
    """What came of one contrast."""

    contrast: Contrast
    overall: Effect
    """Over all sets, each counting once; with one set that set's own."""
    by_set: tuple[tuple[str, Effect], ...]
    """Descriptive where there are several sets: only the overall effect was named in advance."""
    p: float
    """Of the overall effect, corrected for the number of named contrasts (Holm); nan where undefined."""
    unpaired: int
    """Shuffles, over all sets, that only one of the two arms has; they are left out."""
    by_fallback: tuple[str, ...] = ()
    """Sides of which a fallback chose more than an LLM selector may leave to it: `random (was LLM selects) in sst2`."""

    @property
    def verdict(self) -> Verdict:
        if math.isnan(self.p):
            return "unknown"
        if self.p >= ALPHA:
            return "none"
        return "gain" if self.overall.mean > 0 else "loss"


def results(sets: Sequence[Comparison], contrasts: Sequence[Contrast]) -> tuple[Result, ...]:
    """Every named contrast with its effect, and p-values corrected together.

    Where a set has no cell of a side, as of a study that was ended early, the effect over all sets is undefined.

    Raises:
        BadInput: as `check` does, of the arms that each set declares.
    """
    students = {student for contrast in contrasts for _, student in contrast.sides}
    check({each.task: {(arm.name, s) for arm in each.arms for s in students} for each in sets}, contrasts)
    found: list[tuple[Contrast, Effect, list[tuple[str, Effect]], int]] = []
    for contrast in contrasts:
        pairs = [paired_values(each, contrast) for each in sets]
        groups = [[x - y for x, y in zip(pair.a, pair.b, strict=True)] for pair in pairs]
        overall = effect(groups)
        each_alone = [effect([group]) for group in groups] if len(groups) > 1 else [overall]
        alone = [(each.task, found_there) for each, found_there in zip(sets, each_alone, strict=True)]
        found.append((contrast, overall, alone, sum(pair.unpaired for pair in pairs)))
    corrected = holm([overall.p for _, overall, _, _ in found])
    return tuple(
        Result(contrast, overall, tuple(alone), p, unpaired, _by_fallback(sets, contrast))
        for (contrast, overall, alone, unpaired), p in zip(found, corrected, strict=True)
    )


def _by_fallback(sets: Sequence[Comparison], contrast: Contrast) -> tuple[str, ...]:
    found = [(each, arm, shown(each, each.arm(arm), student)) for each in sets for arm, student in contrast.sides]
    return tuple(f"{name} in {each.task}" for each, arm, name in found if name != each.arm(arm).shown)


def mean(sets: Sequence[Comparison], arm: str, student: str, measure: MeasureSpec) -> Effect:
    """The arm's own mean over shuffles and sets, descriptive; every curve with that student shares the ends of an area.

    An arm that no shuffle changes has no interval. Limits end at 0 and 1, as what is measured does.
    """
    groups = [
        list(values(each.of(arm, student), measure, each.budget, beside=_with(each, student)).values()) for each in sets
    ]
    found = effect(groups, test=False)
    low, high = np.clip((found.low, found.high), 0.0, 1.0)
    return replace(found, low=float(low), high=float(high))


def curve(
    comparison: Comparison, arm: str, student: str, axis: Axis = "labels", metric: Measure = "accuracy"
) -> tuple[tuple[float, Effect], ...]:
    """The arm's mean learning curve as (amount, mean over shuffles), from where every shuffle has a point.

    Over labels it ends at the budget. The intervals are for each amount alone, not for the curve as a whole.
    """
    cells = comparison.of(arm, student)
    amounts = grid(cells, comparison.budget if axis == "labels" else math.inf, axis)
    return tuple((x, mean([comparison], arm, student, At(metric=metric, axis=axis, amount=x))) for x in amounts)


def check(ran: Mapping[str, Collection[Side]], contrasts: Sequence[Contrast]) -> None:
    """Whether these contrasts can be drawn; asked before a study runs.

    Args:
        ran: by data set, the arms and students that run on it.

    Raises:
        BadInput: more than eight contrasts, two that are equal, no data set, or a side that a set lacks.
    """
    if len(contrasts) > MOST:
        raise BadInput(f"{len(contrasts)} contrasts are named", f"name at most {MOST}; the rest is descriptive anyway")
    if twice := [each for i, each in enumerate(contrasts) if each in contrasts[:i]]:
        raise BadInput(f"the contrast of {twice[0].a!r} and {twice[0].b!r} is named twice", "name it once")
    if not ran:
        raise BadInput("there is no data set to draw contrasts on", "run the study first")
    for name, sides in ran.items():
        for contrast in contrasts:
            for arm, student in contrast.sides:
                if (arm, student) not in sides:
                    known = ", ".join(sorted(f"{a} ({s or 'LLM itself'})" for a, s in sides))
                    what = f"{name!r} has no arm {arm!r} with {f'the student {student!r}' if student else 'no student'}"
                    raise BadInput(what, f"it has {known or 'none'}")


@dataclass(frozen=True)
class Pairs:
    """Values of two arms on the same shuffles."""

    a: tuple[float, ...]
    b: tuple[float, ...]
    unpaired: int


def paired_values(comparison: Comparison, contrast: Contrast) -> Pairs:
    """By shuffle, of those that both arms have; an arm that no shuffle changes goes with every one."""
    left, right = comparison.of(contrast.a, contrast.student), comparison.of(contrast.b, contrast.others)
    a = values(left, contrast.measure, comparison.budget, beside=right)
    b = values(right, contrast.measure, comparison.budget, beside=left)
    if a and comparison.arm(contrast.a).fixed and not comparison.arm(contrast.b).fixed:
        a = dict.fromkeys(b, next(iter(a.values())))
    elif b and comparison.arm(contrast.b).fixed and not comparison.arm(contrast.a).fixed:
        b = dict.fromkeys(a, next(iter(b.values())))
    both = [shuffle for shuffle in a if shuffle in b]
    return Pairs(tuple(a[s] for s in both), tuple(b[s] for s in both), len(set(a) ^ set(b)))


def values(
    cells: Sequence[Cell], measure: MeasureSpec, budget: int, *, beside: Sequence[Cell] = ()
) -> dict[int, float]:
    """The measure of each cell, by shuffle; nan where it is undefined.

    Args:
        beside: cells of the other arm, which share the ends of an area.
    """
    if isinstance(measure, At):
        amount = budget if measure.amount is None else measure.amount
        points = {cell.seed: at(cell, amount, measure.axis) for cell in cells}
        return {shuffle: math.nan if p is None else getattr(p, measure.metric) for shuffle, p in points.items()}
    if not cells:
        return {}
    low, high = ends((*cells, *beside), measure, budget)
    return {cell.seed: area(cell, low, high, measure.metric, measure.axis) for cell in cells}


def _with(comparison: Comparison, student: str) -> list[Cell]:
    """The curves with that student; a single point is none, and would take their width from the others."""
    return [cell for cell in comparison.cells if cell.student == student and len(cell.curve) > 1]


def ends(cells: Sequence[Cell], measure: Area, budget: int) -> tuple[float, float]:
    """Where an area begins and ends."""
    amounts = [[spent(cell, point, measure.axis) for point in cell.curve] for cell in cells]
    low = max(min(each) for each in amounts) if measure.low is None else measure.low
    last = budget if measure.axis == "labels" else max(max(each) for each in amounts)
    return low, last if measure.high is None else measure.high
