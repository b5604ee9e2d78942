"""How many labels it takes to reach a target, where some shuffles never do.

A shuffle that ended below the target is *right-censored*: it needs more than it had, and how many more nobody knows. It
is never given a number. The median over shuffles is Kaplan and Meier's (1958): where all shuffles end at one budget,
the plain one (of an even number the lower), and `inf`, "not reached", where fewer than half have reached the target.

Labels are read at checkpoints and not interpolated, so that the truth may lie up to one checkpoint lower. One that was
there at its first checkpoint is *left-censored*: fewer might have done, and a median no higher than such an amount is
"at most" that, anything from 0 on.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.axes import Axis, spent
from evaluation.compare import LEVEL
from evaluation.curves import Measure
from evaluation.metrics import Floats
from evaluation.records import Cell
from evaluation.shuffles import counts

LEAST = 6
"""Shuffles from which there is an interval."""


@dataclass(frozen=True)
class Needed:
    """What one shuffle needed: `amount` where it reached the target, more than `amount` where it did not."""

    amount: float
    reached: bool
    early: bool = False
    """Reached at the first checkpoint, after something had been spent: it needed at most that."""


@dataclass(frozen=True)
class Reach:
    """The median over shuffles. `inf` means not reached, in the limits as well; nan limits: too few shuffles."""

    target: float
    median: float
    low: float
    high: float
    reached: int
    n: int
    most: float
    """The most that any shuffle had spent."""
    early: bool = False
    """The median was there at a first checkpoint: it is at most that."""

    def __str__(self) -> str:
        """`24 [16, not reached], 9 of 10 shuffles`; `not reached by 32, 1 of 10 shuffles` where neither end was;
        `at most 8 [0, 8], 10 of 10 shuffles` where it was there at the first look."""
        high = "not reached" if math.isinf(self.high) else _amount(self.high, self.most)
        inside = f" [{_amount(self.low, self.most)}, {high}]" if math.isfinite(self.low) else ""
        most = "at most " if self.early else ""
        return f"{most}{_amount(self.median, self.most)}{inside}, {self.reached} of {self.n} shuffles"


@dataclass(frozen=True)
class Saved:
    """Median need of b minus that of a. A limit that is infinite says that the data set none on that side."""

    low: float
    high: float
    at_least: float
    """What is known of the difference itself: it is `at_least` to `at_most`, equal where both medians were reached."""
    at_most: float
    n: int
    """Shuffles that both have."""

    def told(self, a: str, b: str) -> str:
        """`16 [8, 24]`; `8 to 40 [8, 40]` where one was there at its first checkpoint, at 32 labels; or
        `more than 96 [64, open], random not reached` where one of the medians is not known."""
        if math.isnan(self.at_least):
            return "–"
        inside = "" if math.isnan(self.low) else f" [{_limit(self.low)}, {_limit(self.high)}]"
        if self.at_least == self.at_most:
            return f"{self.at_least:g}{inside}"
        if math.isfinite(self.at_least) and math.isfinite(self.at_most):
            return f"{self.at_least:g} to {self.at_most:g}{inside}"
        if math.isfinite(self.at_least):
            return f"more than {self.at_least:g}{inside}, {b} not reached"
        if math.isfinite(self.at_most):
            return f"less than {self.at_most:g}{inside}, {a} not reached"
        return "neither reached"


def needed(cell: Cell, target: float, measure: Measure = "accuracy", axis: Axis = "labels") -> Needed:
    """The amount at the cell's first checkpoint that is at or above the target; nan where the curve is undefined."""
    points = sorted(((spent(cell, p, axis), getattr(p, measure)) for p in cell.curve), key=lambda each: each[0])
    if any(math.isnan(amount) or math.isnan(value) for amount, value in points):
        return Needed(math.nan, reached=False)
    first = next((amount for amount, value in points if value >= target), None)
    if first is None:
        return Needed(points[-1][0], reached=False)
    return Needed(first, reached=True, early=first == points[0][0] > 0)


def reach(
    cells: Sequence[Cell], target: float, measure: Measure = "accuracy", axis: Axis = "labels", seed: int = 0
) -> Reach:
    """The median need over shuffles with its 95 % interval: percentile bootstrap over shuffles.

    A resample in which fewer than half reached the target has the median `inf`, and counts as such in the quantiles.
    """
    found = [needed(cell, target, measure, axis) for cell in cells]
    reached, most = sum(each.reached for each in found), max((each.amount for each in found), default=math.nan)
    if not found or any(math.isnan(each.amount) for each in found):
        return Reach(target, math.nan, math.nan, math.nan, reached, len(found), most)
    median = float(medians(found, np.ones((1, len(found))))[0])
    low, high = math.nan, math.nan
    if len(found) >= LEAST:
        drawn = medians(found, counts(len(found), seed))
        low, high = _limits(_least(found, drawn))[0], _limits(drawn)[1]
    return Reach(target, median, low, high, reached, len(found), most, early=median <= _first(found))


def saved(
    a: Sequence[Cell],
    b: Sequence[Cell],
    target: float,
    measure: Measure = "accuracy",
    axis: Axis = "labels",
    seed: int = 0,
) -> Saved:
    """What a saves against b on the way to the target, with a 95 % interval over shuffles (resampled in pairs).

    Where one median was not reached, the difference is known on one side only: a at 20 and b not within 128 saves more
    than 108. Where neither was, nothing is known. Where one was there at its first checkpoint, it is anything from 0 to
    that. A limit is the quantile of what each resample leaves possible on that side, so that censoring can only widen
    the interval.
    """
    both = sorted({cell.seed for cell in a} & {cell.seed for cell in b})
    left = [needed(cell, target, measure, axis) for cell in a if cell.seed in both]
    right = [needed(cell, target, measure, axis) for cell in b if cell.seed in both]
    if not both or any(math.isnan(each.amount) for each in (*left, *right)):
        return Saved(math.nan, math.nan, math.nan, math.nan, len(both))
    least, most = _possible(left, right, np.ones((1, len(both))))
    low, high = math.nan, math.nan
    if len(both) >= LEAST:
        lows, highs = _possible(left, right, counts(len(both), seed))
        low, high = _limits(lows)[0], _limits(highs)[1]
    return Saved(low, high, float(least[0]), float(most[0]), len(both))


def medians(found: Sequence[Needed], weights: Floats) -> Floats:
    """(resamples,): the Kaplan-Meier median of each, `inf` where its curve stays above one half.

    Args:
        weights: (resamples, shuffles): how often each shuffle is drawn.
    """
    amounts = np.array([each.amount for each in found])
    reached = np.array([each.reached for each in found])
    times = np.unique(amounts[reached])
    if not len(times):
        return np.full(len(weights), np.inf)
    events = weights @ ((amounts[:, None] == times) & reached[:, None])
    # One that was censored at a checkpoint had been looked at there: it is at risk at that amount.
    at_risk = weights @ (amounts[:, None] >= times)
    shares = np.divide(events, at_risk, out=np.zeros_like(events), where=at_risk > 0)
    below = np.cumprod(1 - shares, axis=1) <= 0.5 + 1e-12
    return np.where(below.any(axis=1), times[below.argmax(axis=1)], np.inf)


def _possible(a: Sequence[Needed], b: Sequence[Needed], weights: Floats) -> tuple[Floats, Floats]:
    """(resamples,) twice: the least and the most that b's median may lie above a's."""
    mine, theirs = medians(a, weights), medians(b, weights)
    a_end, b_end = max(each.amount for each in a), max(each.amount for each in b)
    # A median that was not reached lies anywhere above the last checkpoint.
    low = np.where(np.isinf(mine), -np.inf, np.where(np.isinf(theirs), b_end, _least(b, theirs)) - mine)
    high = np.where(np.isinf(theirs), np.inf, theirs - np.where(np.isinf(mine), a_end, _least(a, mine)))
    return low, high


def _least(found: Sequence[Needed], drawn: Floats) -> Floats:
    """The least that these medians may be: 0 where one is no higher than what a first checkpoint had spent."""
    return np.where(drawn <= _first(found), 0.0, drawn)


def _first(found: Sequence[Needed]) -> float:
    """The highest first checkpoint at which a shuffle was there already."""
    return max((each.amount for each in found if each.early), default=-math.inf)


def _limits(replicates: Floats) -> tuple[float, float]:
    """Order statistics: infinite values cannot be interpolated."""
    ordered, place = np.sort(replicates), round((len(replicates) + 1) * (1 - LEVEL) / 2)
    return float(ordered[place - 1]), float(ordered[-place])


def _limit(value: float) -> str:
    """The data set no limit on a side that is infinite."""
    return "open" if math.isinf(value) else f"{value:g}"


def _amount(value: float, most: float) -> str:
    if math.isnan(value):
        return "–"
    return f"not reached by {most:g}" if math.isinf(value) else f"{value:g}"
