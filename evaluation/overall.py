"""A study over all of its data sets: means by shuffle, the contrasts that were named, the labels that targets took."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.compare import Difference, Estimate, estimate, holm, paired
from evaluation.curves import Measure, at
from evaluation.findings import p_value, percent, points
from evaluation.records import Cell, Comparison
from evaluation.study import Contrast, Study
from evaluation.table import aligned, count
from evaluation.trainings import averaged

_HEAD = ("arm", "student", "n", "accuracy [95 %]", "macro-F1", "human min", "tokens")


@dataclass(frozen=True)
class Tested:
    """A contrast over the shuffles that all sets have on both sides."""

    contrast: Contrast
    difference: Difference
    p: float
    """Corrected for the number of contrasts (Holm)."""

    @property
    def verdict(self) -> str:
        if math.isnan(self.p):
            return "too few shuffles to say"
        if self.p >= 0.05 or not self.difference.evidence:
            return "no evidence of a difference"
        return "a gain" if self.difference.mean > 0 else "a loss"


class Overall:
    """Sets with equal weight: the value of a shuffle is the mean over the sets, n is the number of shuffles.

    Args:
        study: what was planned.
        sets: what was measured, by set; cells of whole blocks.
        full: accuracy of a student trained on every gold label of the pool, by set and student.
    """

    def __init__(
        self, study: Study, sets: Mapping[str, Comparison], full: Mapping[str, Mapping[str, float]] | None = None
    ) -> None:
        self.study, self.full = study, full or {}
        self.sets = {name: averaged(each) for name, each in sets.items()}

    def shuffles(self, arm: str, student: str) -> tuple[int, ...]:
        """Those that every set has."""
        found = [{cell.seed for cell in each.of(arm, student)} for each in self.sets.values()]
        return tuple(sorted(set[int].intersection(*found))) if found else ()

    def values(self, arm: str, student: str, measure: Measure = "accuracy", labels: int | None = None) -> list[float]:
        """By shuffle, the mean over the sets at so many labels of people (the budget where None)."""
        wanted = self.study.budget if labels is None else labels
        return [float(np.mean([_value(cell, wanted, measure) for cell in cells])) for cells in self.cells(arm, student)]

    def estimate(self, arm: str, student: str) -> Estimate:
        return estimate(self.values(arm, student))

    def tested(self) -> tuple[Tested, ...]:
        """The contrasts of the study, in its order."""
        found = [self._difference(contrast) for contrast in self.study.contrasts]
        corrected = holm([each.p for each in found])
        return tuple(map(Tested, self.study.contrasts, found, corrected))

    def share_of_full(self, arm: str, student: str) -> float:
        """Mean over the sets of accuracy at the budget over that with every gold label; nan where that is unknown."""
        shares: list[float] = []
        for name, each in self.sets.items():
            found = [_value(cell, self.study.budget, "accuracy") for cell in each.of(arm, student)]
            whole = self.full.get(name, {}).get(student, math.nan)
            shares.append(float(np.mean(found)) / whole if found else math.nan)
        return float(np.mean(shares))

    def reached(self, arm: str, student: str, target: float, name: str) -> tuple[int, int, float]:
        """(shuffles that reached the accuracy in a set, shuffles, median labels; inf where most did not)."""
        cells = self.sets[name].of(arm, student)
        labels = [_first(cell, target) for cell in cells]
        return sum(map(math.isfinite, labels)), len(cells), _median(labels)

    def cells(self, arm: str, student: str) -> list[list[Cell]]:
        """For each shuffle, its cell in each set."""
        by_set = [{cell.seed: cell for cell in each.of(arm, student)} for each in self.sets.values()]
        return [[cells[shuffle] for cells in by_set] for shuffle in self.shuffles(arm, student)]

    def _difference(self, contrast: Contrast) -> Difference:
        sides = self.study.sides(contrast)
        both = set(self.shuffles(*sides[0])) & set(self.shuffles(*sides[1]))
        a, b = (
            [
                value
                for shuffle, value in zip(
                    self.shuffles(*side), self.values(*side, contrast.measure, contrast.labels), strict=True
                )
                if shuffle in both
            ]
            for side in sides
        )
        return paired(a, b)


def summary(overall: Overall) -> str:
    """Table, contrasts and targets for a terminal."""
    study = overall.study
    pairs = [(arm.name, student.name) for student in study.students for arm in study.arms_of(student.name)]
    full = bool(overall.full)
    head = (*_HEAD, *(["of full"] if full else []))
    lines = aligned([head, *(_row(overall, arm, student, full) for arm, student in pairs)], left=2)
    n = "1 data set" if len(overall.sets) == 1 else f"mean over {len(overall.sets)} data sets"
    lines += ["", f"At {study.budget} labels of people, {n}; n is the number of whole shuffles, intervals cover those."]
    return "\n".join([*lines, *_contrasts(overall), *_targets(overall, pairs)])


def _row(overall: Overall, arm: str, student: str, full: bool) -> tuple[str, ...]:
    macro = overall.values(arm, student, "macro_f1")
    cells = [cell for row in overall.cells(arm, student) for cell in row]
    share = overall.share_of_full(arm, student)
    return (
        arm,
        student,
        str(len(macro)),
        percent(overall.estimate(arm, student)),
        f"{100 * float(np.mean(macro)):.1f} %" if macro else "–",
        f"{float(np.mean([c.cost.human_seconds for c in cells])) / 60:.1f}" if cells else "–",
        count(float(np.mean([c.cost.tokens_in + c.cost.tokens_out for c in cells]))) if cells else "–",
        *([("–" if math.isnan(share) else f"{share:.1%}")] if full else []),
    )


def _contrasts(overall: Overall) -> list[str]:
    if not overall.study.contrasts:
        return ["", "No contrast was named before the run: everything above is descriptive."]
    lines = ["", "Contrasts named before the run, p corrected for their number (Holm); all else is descriptive:"]
    for each in overall.tested():
        (a, student), (b, other) = overall.study.sides(each.contrast)
        names = f"{a} - {b}, {student}" if student == other else f"{a}, {student} - {b}, {other}"
        labels = overall.study.budget if each.contrast.labels is None else each.contrast.labels
        p = "" if math.isnan(each.p) else f", p {p_value(each.p)}"
        n = f"n = {each.difference.n}"
        what = f"{each.contrast.measure} at {labels}"
        lines.append(f"  {names}, {what}: {points(each.difference)}{p} ({n}); {each.verdict}")
    return lines


def _targets(overall: Overall, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Labels to reach each target, set by set: sets differ too much for a mean of them to mean anything."""
    lines: list[str] = []
    for target in overall.study.targets:
        for name in overall.sets:
            found = [(arm, student, *overall.reached(arm, student, target, name)) for arm, student in pairs]
            told = ", ".join(_reached(*each) for each in found if each[3])
            lines.append(f"  {target:.0%} on {name}: {told}")
    return ["", "Labels to reach a target, median over shuffles (descriptive):", *lines] if lines else []


def _reached(arm: str, student: str, hits: int, n: int, median: float) -> str:
    return f"{arm}, {student} {'not reached' if math.isinf(median) else f'{median:g}'} ({hits} of {n})"


def _value(cell: Cell, labels: int, measure: Measure) -> float:
    point = at(cell, labels)
    return math.nan if point is None else float(getattr(point, measure))


def _first(cell: Cell, target: float) -> float:
    """Labels at the first point that is there; inf where none is."""
    return min((float(point.human_labels) for point in cell.curve if point.accuracy >= target), default=math.inf)


def _median(values: Sequence[float]) -> float:
    """The lower one of two: with infinite values their mean would say nothing."""
    return sorted(values)[(len(values) - 1) // 2] if values else math.nan
