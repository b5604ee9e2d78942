"""What came of an ablation: its effects over paired shuffles, those that were named beforehand tested together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agent.query.diagnose import Overlap
from evaluation.ablation import Ablation, Measure, Selecting, arm_name
from evaluation.ablation_design import Combination, Contrast, possible, weights
from evaluation.ablation_watch import Labelled, Run, Selected, Summary, ece, overlapping, summed
from evaluation.compare import holm
from evaluation.shuffles import Effect, disagreeing, effect

ALPHA = 0.05


@dataclass(frozen=True)
class Found:
    """One effect."""

    contrast: Contrast
    effect: Effect
    """In the unit of the measure, 0.01 is a point; its p is not corrected and nan where the effect was not named."""
    by_set: tuple[tuple[str, Effect], ...]
    """Descriptive; empty with one set."""
    p: float
    """Corrected for the number of named effects (Holm); nan where the effect was not named, or is undefined."""
    tested: bool
    beside: tuple[Summary, Summary]
    """Runs with the level, and those with the reference that they are held against; of an interaction, runs that raise
    it and runs that lower it."""
    overlap: Overlap | None
    """Of the picks of runs that differ in this factor alone; None for interactions, and where nothing is selected."""

    @property
    def verdict(self) -> str:
        if not self.tested:
            return "descriptive"
        if math.isnan(self.p):
            return "undefined: too few shuffles, or a value is missing"
        words = "an effect" if self.p < ALPHA else "no evidence of an effect"
        return "; ".join(filter(None, [words, disagreeing(self.by_set)]))


@dataclass(frozen=True)
class Results:
    """An ablation with its runs of whole shuffles."""

    ablation: Ablation
    runs: tuple[Run, ...]

    @property
    def shuffles(self) -> dict[str, tuple[int, ...]]:
        """Whole ones, by set."""
        return {
            name: tuple(sorted({run.plan.shuffle for run in self.runs if run.plan.data == name}))
            for name in self.ablation.sets
        }

    def of(self, wanted: Sequence[Combination], name: str = "") -> list[Run]:
        """Runs of some cells of the design, of one set where it is named."""
        arms = {arm_name(each) for each in wanted}
        return [run for run in self.runs if run.plan.arm in arms and name in ("", run.plan.data)]

    def summary(self, wanted: Sequence[Combination]) -> Summary:
        """What stands beside the score of some cells.

        Calibration error is the mean over cells and sets: one cell's overconfidence would hide the doubts of another.
        """
        apart = [summed(self.of([cell], name)).ece for cell in wanted for name in self.ablation.sets]
        known = [each for each in apart if not math.isnan(each)]
        update = {"ece": float(np.mean(known)) if known else math.nan}
        return summed(self.of(wanted)).model_copy(update=update)

    def values(self, measure: Measure) -> dict[str, list[list[float]]]:
        """By set, for each whole shuffle the measure of each cell in the order of the design."""
        subject = self.ablation.subject
        budget = subject.budget if isinstance(subject, Selecting) else None
        known = {(run.plan.data, run.plan.shuffle, run.plan.arm): value(run, measure, budget) for run in self.runs}
        arms = [arm_name(each) for each in self.ablation.design]
        return {
            name: [[known[name, shuffle, arm] for arm in arms] for shuffle in shuffles]
            for name, shuffles in self.shuffles.items()
        }

    def mean(self, wanted: Sequence[Combination], measure: Measure, name: str = "") -> Effect:
        """Of some cells of the design: their mean in each shuffle is one value. Descriptive."""
        design = self.ablation.design
        kept = np.array([each in wanted for each in design])
        found = self.values(measure)
        groups = [
            [float(np.mean(np.array(row)[kept])) for row in rows] for of, rows in found.items() if name in ("", of)
        ]
        return effect(groups, test=False)


def value(run: Run, measure: Measure, budget: int | None = None) -> float:
    """The measure of one run at its end; nan where it is undefined, or where people gave other than `budget` labels."""
    if measure == "ece":
        return ece(run.watched) if isinstance(run.watched, Labelled) else math.nan
    if measure == "label_mass":
        return run.watched.mass if isinstance(run.watched, Labelled) else math.nan
    last = run.cell.curve[-1]
    return float(getattr(last, measure)) if budget in (None, last.human_labels) else math.nan


def effects(results: Results, measure: Measure | None = None) -> tuple[Found, ...]:
    """Every effect that the design can show: those that were named, corrected together, and the others, descriptive.

    Args:
        measure: another one than the ablation's; nothing is tested on it.
    """
    ablation = results.ablation
    named = () if measure not in (None, ablation.measure) else ablation.tested
    rest = [each for each in possible(ablation.factors, ablation.fraction) if each not in named]
    values = results.values(measure or ablation.measure)
    found = [(each, _effect(ablation, each, values, test=True)) for each in named]
    corrected = holm([each.p for _, each in found])
    untested = [(each, _effect(ablation, each, values, test=False), math.nan) for each in rest]
    tested = [(each, of, p) for (each, of), p in zip(found, corrected, strict=True)]
    return tuple(_found(results, each, of, p, values, each in named) for each, of, p in (*tested, *untested))


def _effect(
    ablation: Ablation, contrast: Contrast, values: Mapping[str, Sequence[Sequence[float]]], *, test: bool
) -> Effect:
    """One value a shuffle: the weighted sum over the cells."""
    weight = weights(contrast, ablation.factors, ablation.fraction)
    used = np.flatnonzero(weight)  # a value that counts for nothing may be undefined
    # Sums that are 0 may come out a last bit off it, always to the same side, and would pass for an effect.
    groups = [[round(float(np.array(row)[used] @ weight[used]), 12) for row in rows] for rows in values.values()]
    return effect(groups, test=test)


def _found(
    results: Results,
    contrast: Contrast,
    overall: Effect,
    p: float,
    values: Mapping[str, Sequence[Sequence[float]]],
    tested: bool,
) -> Found:
    ablation = results.ablation
    weight = weights(contrast, ablation.factors, ablation.fraction)
    sides = [
        results.of([cell for cell, w in zip(ablation.design, weight, strict=True) if sign * w > 0]) for sign in (1, -1)
    ]
    alone = [(name, _effect(ablation, contrast, {name: rows}, test=False)) for name, rows in values.items()]
    return Found(
        contrast=contrast,
        effect=overall,
        by_set=tuple(alone) if len(alone) > 1 else (),
        p=p,
        tested=tested,
        beside=(summed(sides[0]), summed(sides[1])),
        overlap=overlapping(_pairs(results, contrast)) if contrast.order == 1 else None,
    )


def _pairs(results: Results, contrast: Contrast) -> list[tuple[Selected | Labelled, Selected | Labelled]]:
    """Runs of the same shuffle that differ in one factor alone: with the level, and with the reference."""
    name, level = contrast.parts[0]
    reference = results.ablation.factors[name][0]
    known = {(run.plan.data, run.plan.shuffle, run.plan.arm): run.watched for run in results.runs}
    found: list[tuple[Selected | Labelled, Selected | Labelled]] = []
    for cell in results.ablation.design:
        other = cell | {name: reference}
        if cell[name] != level or other not in results.ablation.design:
            continue
        for data, shuffles in results.shuffles.items():
            found += [(known[data, s, arm_name(cell)], known[data, s, arm_name(other)]) for s in shuffles]
    return found
