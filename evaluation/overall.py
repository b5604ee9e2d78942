"""A study over all of its data sets: every arm's mean over shuffles, the contrasts that were named, ranks over sets.

Sets are strata: each counts once, and shuffles count within their set (`evaluation.shuffles`), since shuffle 3 of one
set has nothing to do with shuffle 3 of another.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import get_args

import numpy as np

from evaluation import contrasts, ranks
from evaluation.axes import Axis, spent
from evaluation.contrasts import Area, At, Result, Side
from evaluation.curves import Measure
from evaluation.findings import filled_share, percent, shown
from evaluation.ranks import Ranks
from evaluation.records import Cell, Comparison
from evaluation.shuffles import Effect, effect
from evaluation.study import Study
from evaluation.study_arms import ZERO_SHOT
from evaluation.table import Sheet, count, mean, used
from evaluation.targets import forecasts, reaches, savings
from evaluation.trainings import averaged
from evaluation.verdicts import COVERS, told

AXES: tuple[Axis, ...] = get_args(Axis)
METRICS: tuple[Measure, ...] = get_args(Measure)
SHARE = "of full [95 %]"
_HEAD = (
    "arm",
    "student",
    "n",
    "human",
    "machine",
    "accuracy [95 %]",
    SHARE,
    "macro-F1",
    "mean height [95 %]",
    "human min",
    "tokens",
    "LLM s",
    "filled",
)
HEIGHT = (
    "Mean height of curve is the area under accuracy over labels of people, from where all curves with that student "
    "have begun to the budget, divided by their distance; a dash where there is a single point. Arms are measured "
    "between their steps: one that asks people and LLM in the same step has the labels of both at its next point."
)
UNMOVED = "no shuffle changes it, so that it is one observation of each set and has no interval."
FULL = (
    "Of full: accuracy over that of one training on every gold label of the pool, set by set; the interval is that of "
    "the accuracy, and the luck of that one training is in none."
)


class Overall:
    """What a study measured.

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

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        return tuple(self.sets.values())

    @property
    def pairs(self) -> tuple[Side, ...]:
        """Arms with their students, and the LLM's own row where it was read."""
        own = any(each.of(ZERO_SHOT, "") for each in self.comparisons)
        return (*self.study.pairs, *([(ZERO_SHOT, "")] if own else []))

    def alone(self, name: str) -> "Overall":
        """One of the sets."""
        return Overall(self.study, {name: self.sets[name]}, self.full)

    def cells(self, arm: str, student: str) -> tuple[Cell, ...]:
        return tuple(cell for each in self.comparisons for cell in each.of(arm, student))

    def estimate(self, arm: str, student: str, metric: Measure = "accuracy") -> Effect:
        """At the budget; undefined where a set has no whole shuffle of it."""
        return contrasts.mean(self.comparisons, arm, student, At(metric=metric))

    def height(self, arm: str, student: str) -> Effect:
        """Mean height of the curve over people's labels; undefined where a set has a single point of it."""
        curved = all(any(len(cell.curve) > 1 for cell in each.of(arm, student)) for each in self.comparisons)
        return contrasts.mean(self.comparisons, arm, student, Area()) if curved else effect([])

    def results(self) -> tuple[Result, ...]:
        """The contrasts of the study, in its order."""
        return contrasts.results(self.comparisons, self.study.contrasts)

    def share_of_full(self, arm: str, student: str) -> Effect:
        """Mean over the sets of accuracy at the budget over that with every gold label; undefined without one.

        Its interval is that of the accuracy: what a set is divided by is one training, whose luck is in no interval. It
        ends at 0 and at the share of an accuracy of 1.
        """
        groups: list[list[float]] = []
        most: list[float] = []
        for name, each in self.sets.items():
            whole = self.full.get(name, {}).get(student, math.nan)
            found = contrasts.values(each.of(arm, student), At(), each.budget)
            groups.append([value / whole for value in found.values()])
            most.append(1 / whole)
        share = effect(groups, test=False)
        low, high = np.clip((share.low, share.high), 0.0, np.mean(most))
        return replace(share, low=float(low), high=float(high))

    def ranks(self) -> dict[str, Ranks]:
        """Arms over data sets by student, where five or more sets and three or more arms have values."""
        if len(self.sets) < ranks.LEAST:
            return {}
        found: dict[str, Ranks] = {}
        for student in self.study.students:
            names = [arm.name for arm in self.study.arms_of(student.name)]
            names = [arm for arm in names if not math.isnan(self.estimate(arm, student.name).mean)]
            if len(names) > 2:
                found[student.name] = ranks.ranked(self.comparisons, names, student.name)
        return found


def summary(overall: Overall) -> str:
    """Means, named contrasts and ranks over all sets, for a terminal."""
    many = len(overall.sets)
    n = "1 data set" if many == 1 else f"mean over {many} data sets, each counting once"
    covers = COVERS if overall.study.contrasts else f"{COVERS[:1].lower()}{COVERS[1:]}"
    at = f"At {overall.study.budget} labels of people, {n}; n is the number of whole shuffles."
    lines = [*rows(overall), "", at, HEIGHT, *([FULL] if overall.full else [])]
    lines += [*([] if overall.study.contrasts else [covers]), "", *told(overall.results())]
    for student, found in overall.ranks().items():
        lines += ["", ranked(student, found)]
    return "\n".join(lines)


def ranked(student: str, found: Ranks) -> str:
    """Mean ranks of the arms with one student, in a line."""
    placed = ", ".join(f"{arm} {rank:.2f}" for arm, rank in zip(found.arms, found.means, strict=True))
    return f"Mean ranks, {student}: {placed}. {found.said}"


def of_set(overall: Overall, name: str) -> str:
    """One set of several: its table, and what does not carry over from one set to another; all of it descriptive."""
    alone = overall.alone(name)
    return "\n".join([*rows(alone), *aside(overall, name)])


def aside(overall: Overall, name: str) -> list[str]:
    """Labels to reach the targets and labels saved, set by set: a mean of them over sets would mean nothing."""
    study, here = overall.study, overall.sets[name]
    reached = reaches(here, study.pairs, study.targets)
    return [*reached, *savings(here, study.contrasts, study.targets), *forecasts(here, study.contrasts)]


def rows(overall: Overall) -> list[str]:
    """A line for each arm and student that ran, and what is to be known of the arms."""
    return [*sheet(overall).lines, *notes(overall)]


def sheet(overall: Overall) -> Sheet:
    """A row for each arm and student that ran."""
    full = bool(overall.full)
    there = [pair for pair in overall.pairs if overall.cells(*pair)]
    head = tuple(name for name in _HEAD if full or name != SHARE)
    return Sheet(head, tuple(_row(overall, arm, student, full) for arm, student in there), left=2)


def notes(overall: Overall) -> list[str]:
    """What is to be known of the arms that ran, a line each."""
    found = {a.name: f"{a.shown}: {a.note}." for each in overall.comparisons for a in each.arms if a.note}
    ran = [pair for pair in overall.pairs if overall.cells(*pair)]
    unmoved = [f"{arm} ({student}): {UNMOVED}" for arm, student in ran if _unmoved(overall, arm, student)]
    return [*(found[name] for name in dict.fromkeys(arm for arm, _ in ran) if name in found), *unmoved]


def _unmoved(overall: Overall, arm: str, student: str) -> bool:
    """Whether there are several shuffles, and none that changes anything."""
    curves = [[cell.curve for cell in each.of(arm, student)] for each in overall.comparisons]
    scores = [[tuple(point.accuracy for point in curve) for curve in of_set] for of_set in curves]
    return all(len(set(each)) == 1 for each in scores) and any(len(each) > 1 for each in scores)


def _row(overall: Overall, arm: str, student: str, full: bool) -> tuple[str, ...]:
    cells, budget = overall.cells(arm, student), overall.study.budget
    names = dict.fromkeys(shown(each, each.arm(arm), student) for each in overall.comparisons if each.of(arm, student))
    accuracy, macro = overall.estimate(arm, student), overall.estimate(arm, student, "macro_f1")
    filled, share = filled_share(cells), overall.share_of_full(arm, student)
    return (
        " / ".join(names),
        student or "(LLM itself)",
        str(len(cells)),
        count(used(cells, budget, "human_labels")),
        count(used(cells, budget, "machine_labels")),
        percent(accuracy),
        *([percent(share)] if full else []),
        _share(macro.mean),
        percent(overall.height(arm, student)),
        f"{mean(cells, lambda cell: cell.cost.human_seconds) / 60:.1f}",
        count(mean(cells, lambda cell: cell.cost.tokens_in + cell.cost.tokens_out)),
        count(mean(cells, lambda cell: cell.cost.seconds)),
        "–" if math.isnan(filled) else f"{100 * filled:.0f} %",
    )


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.1f} %"


def curve_rows(overall: Overall) -> list[dict[str, object]]:
    """Mean learning curves with their intervals, a row an amount: over labels and over whatever else was spent."""
    found: list[dict[str, object]] = []
    for name, each in overall.sets.items():
        for arm, student in overall.pairs:
            for axis in AXES:
                if _spends(each.of(arm, student), axis):
                    found += [{"data": name, **row} for row in _curve(each, arm, student, axis)]
    return found


def _spends(cells: Sequence[Cell], axis: Axis) -> bool:
    """Whether there is a curve over that axis, and it says more than that nothing was spent."""
    amounts = [spent(cell, point, axis) for cell in cells for point in cell.curve]
    return bool(amounts) and (axis == "labels" or max(amounts) > 0)


def _curve(comparison: Comparison, arm: str, student: str, axis: Axis) -> list[dict[str, object]]:
    both = [contrasts.curve(comparison, arm, student, axis, metric) for metric in METRICS]
    return [
        {
            "arm": arm,
            "student": student,
            "axis": axis,
            "amount": float(places[0][0]),
            "shuffles": places[0][1].n,
            **{
                f"{metric}{what}": value
                for metric, (_, height) in zip(METRICS, places, strict=True)
                for what, value in (("", height.mean), ("_low", height.low), ("_high", height.high))
            },
        }
        for places in zip(*both, strict=True)
    ]
