"""Learning curves: what an arm reached at a number of human labels, over its seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evaluation import metrics
from evaluation.axes import Axis, spent
from evaluation.compare import Difference, Estimate, estimate, paired, resamples
from evaluation.metrics import Floats
from evaluation.records import Cell, Comparison, Point
from evaluation.shuffles import Effect

Measure = Literal["accuracy", "macro_f1"]

LEFT_OUT = -1
NO_ANSWER = -2
"""In predictions: an item that was not predicted and does not count."""


def at(cell: Cell, amount: float, axis: Axis = "labels") -> Point | None:
    """The last point at which at most that much was spent; None before the first.

    A curve is a step function: between two points the student is the one trained at the first of them, and after the
    last point nothing more was bought. Of several points at one amount the last stands.
    """
    reached = [point for point in cell.curve if spent(cell, point, axis) <= amount]
    # Of equals `max` keeps the first, so the order is turned.
    return max(reversed(reached), key=lambda point: spent(cell, point, axis), default=None)


def grid(cells: Sequence[Cell], most: float = math.inf, axis: Axis = "labels") -> tuple[float, ...]:
    """Amounts at which any of the cells has a point, from the one that all have reached."""
    amounts = {spent(cell, point, axis) for cell in cells for point in cell.curve}
    first = max((min(spent(cell, point, axis) for point in cell.curve) for cell in cells), default=0)
    return tuple(sorted(amount for amount in amounts if first <= amount <= most))


def area(cell: Cell, low: float, high: float, measure: Measure = "accuracy", axis: Axis = "labels") -> float:
    """Area under the learning curve from `low` to `high` on the axis, divided by high - low: the mean height.

    Trapezoid rule on the cell's own points, interpolated linearly at both ends and level after the last point. nan
    where the curve starts after `low`, holds an undefined value, or high <= low.
    """
    values = {spent(cell, point, axis): getattr(point, measure) for point in cell.curve}
    if any(map(math.isnan, (*values, *values.values()))):
        return math.nan
    x = np.array(sorted(values), dtype=float)
    y = np.array([values[amount] for amount in x], dtype=float)
    if not high > low or x[0] > low:
        return math.nan
    inner = x[(x > low) & (x < high)]
    grid_x = np.concatenate([[low], inner, [high]])
    return float(np.trapezoid(np.interp(grid_x, x, y), grid_x) / (high - low))


def measured(gold: metrics.Ints, predicted: metrics.Ints, classes: int, point: Point) -> Point:
    """The point with accuracy, macro-F1 and the predictions filled in.

    Args:
        gold: (n,) class indices of the test items.
        predicted: (n,) class indices, -1 for an item that is left out, -2 for one that got no answer.
        point: labels and cost so far.
    """
    kept = predicted != LEFT_OUT
    return point.model_copy(
        update={
            "accuracy": metrics.accuracy(gold[kept], predicted[kept]),
            "macro_f1": metrics.macro_f1(gold[kept], predicted[kept], classes),
            "predictions": tuple(int(each) for each in predicted),
        }
    )


@dataclass(frozen=True)
class Height:
    """One place of a mean learning curve."""

    labels: float
    """Or whatever else the curve runs over."""
    value: Estimate | Effect


class Evidence:
    """Estimates and paired differences of a comparison, all on the same bootstrap resamples of its test items."""

    def __init__(self, comparison: Comparison, measure: Measure = "accuracy") -> None:
        self.comparison = comparison
        self.measure: Measure = measure
        self._gold = None if comparison.gold is None else np.array(comparison.gold)
        self._weights = None if not comparison.gold else resamples(len(comparison.gold))
        self._known: dict[tuple[int, ...], Floats] = {}

    def estimate(self, arm: str, student: str, labels: float | None = None) -> Estimate:
        """The arm's mean over seeds at so many human labels (the budget where None)."""
        points = self._points(arm, student, labels)
        return estimate(self._values(points), self._replicates(points), fixed=self._fixed(arm))

    def mean(self, arm: str, student: str) -> float:
        """The arm's mean over seeds at the budget, without the work for an interval; nan where it is undefined."""
        values = self._values(self._points(arm, student, None))
        return float(np.mean(values)) if values else math.nan

    def difference(
        self, a: str, b: str, student: str, labels: float | None = None, b_student: str | None = None
    ) -> Difference:
        """Arm a minus arm b over the seeds that both have, and over the test items that both predicted.

        An arm that no seed changes goes with every seed.

        Args:
            b_student: the student of b, where it is another one (empty for the LLM's own labels).
        """
        left = self._points(a, student, labels)
        right = self._points(b, student if b_student is None else b_student, labels)
        left, right = self._common(*_matched(left, right, self._fixed(a), self._fixed(b)))
        both = self._replicates(left), self._replicates(right)
        replicates = None if both[0] is None or both[1] is None else both[0] - both[1]
        return paired(self._values(left), self._values(right), replicates, fixed=self._fixed(a) and self._fixed(b))

    def items(self, arm: str, student: str) -> int | None:
        """How many test items the arm was measured on at the budget, the fewest of its seeds; None where unknown."""
        kept = [
            point.predictions for point in self._points(arm, student, None).values() if point.predictions is not None
        ]
        return min((len(row) - row.count(LEFT_OUT) for row in kept), default=None)

    def curve(self, arm: str, student: str) -> tuple[Height, ...]:
        """The arm's mean learning curve up to the budget, where every seed has a value."""
        cells = self.comparison.of(arm, student)
        counts = grid(cells, self.comparison.budget)
        return tuple(Height(count, self.estimate(arm, student, count)) for count in counts)

    def area(self, arm: str, student: str, low: float) -> Estimate:
        """Mean over seeds of the area under the curve from `low` to the budget; its interval covers seeds only."""
        cells = self.comparison.of(arm, student)
        values = [area(cell, low, self.comparison.budget, self.measure) for cell in cells]
        return estimate(values, fixed=self._fixed(arm))

    def _fixed(self, arm: str) -> bool:
        return self.comparison.arm(arm).fixed

    def _points(self, arm: str, student: str, labels: float | None) -> dict[int, Point]:
        """By seed. A cell that has no point yet at so many labels counts with an undefined one."""
        wanted = self.comparison.budget if labels is None else labels
        cells = self.comparison.of(arm, student)
        return {cell.seed: at(cell, wanted) or Point(human_labels=0) for cell in cells}

    def _common(self, a: dict[int, Point], b: dict[int, Point]) -> tuple[dict[int, Point], dict[int, Point]]:
        """Both sides measured on the items that neither left out, seed by seed."""
        return (
            {seed: self._beside(point, b[seed]) for seed, point in a.items()},
            {seed: self._beside(point, a[seed]) for seed, point in b.items()},
        )

    def _beside(self, point: Point, other: Point) -> Point:
        if self._gold is None or point.predictions is None or other.predictions is None:
            return point
        if LEFT_OUT not in other.predictions:
            return point
        mine = np.where(np.array(other.predictions) == LEFT_OUT, LEFT_OUT, np.array(point.predictions))
        return measured(self._gold, mine, len(self.comparison.classes), point)

    def _replicates(self, points: dict[int, Point]) -> Floats | None:
        """The measure on each resampled test set, mean over seeds: (resamples,). None where predictions are missing."""
        if self._weights is None or self._gold is None or not points:
            return None
        rows = [self._resampled(point.predictions) for point in points.values() if point.predictions is not None]
        return np.mean(rows, axis=0) if len(rows) == len(points) else None

    def _resampled(self, predictions: tuple[int, ...]) -> Floats:
        """One seed's measure on each resampled test set, worked out once for each distinct set of predictions."""
        assert self._gold is not None
        assert self._weights is not None
        if predictions not in self._known:
            classes = len(self.comparison.classes)
            found = resampled(self._gold, np.array(predictions), self._weights, classes, self.measure)
            self._known[predictions] = found
        return self._known[predictions]

    def _values(self, points: dict[int, Point]) -> list[float]:
        return [getattr(point, self.measure) for point in points.values()]


def resampled(gold: metrics.Ints, predicted: metrics.Ints, weights: Floats, classes: int, measure: Measure) -> Floats:
    """The measure on each resample: (resamples,), as `evaluation.metrics` would give it on the items drawn."""
    kept = np.flatnonzero(predicted != LEFT_OUT)
    gold, predicted, weights = gold[kept], predicted[kept], weights[:, kept]
    right = (gold == predicted).astype(np.float32)
    if measure == "accuracy":
        return _ratio(weights @ right, weights.sum(axis=1))
    of_gold = np.eye(classes, dtype=np.float32)[gold]
    said = np.zeros_like(of_gold)
    answered = np.flatnonzero(predicted >= 0)
    said[answered, predicted[answered]] = 1
    scores = _ratio(2 * (weights @ (of_gold * right[:, None])), weights @ (of_gold + said))
    present = ~np.isnan(scores)
    return _ratio(np.where(present, scores, 0).sum(axis=1), present.sum(axis=1))


def _ratio(top: Floats, bottom: Floats | metrics.Ints) -> Floats:
    """nan where nothing was drawn."""
    return np.divide(top, bottom, out=np.full(top.shape, np.nan, dtype=np.float32), where=bottom > 0)


def _matched(
    a: dict[int, Point], b: dict[int, Point], a_fixed: bool, b_fixed: bool
) -> tuple[dict[int, Point], dict[int, Point]]:
    if a_fixed and not b_fixed and a:
        a = dict.fromkeys(b, next(iter(a.values())))
    if b_fixed and not a_fixed and b:
        b = dict.fromkeys(a, next(iter(b.values())))
    seeds = [seed for seed in a if seed in b]
    return {seed: a[seed] for seed in seeds}, {seed: b[seed] for seed in seeds}
