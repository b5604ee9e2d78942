"""Where a learning curve is going: a power law fitted to its rounds, and how well that did on rounds it had not seen.

error(n) = c + a n^-b, a and c at least 0, over human labels, fitted by least squares to the mean curve over shuffles
(Hestness et al. 2017, arXiv:1712.00409; Figueroa et al. 2012, BMC Med. Inform. Decis. Mak. 12:8). The interval comes
from resampled shuffles. It covers other shuffles *if* the curve is a power law; the back-test is what says whether that
may be believed, and is to be printed beside every forecast.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.errors import BadInput
from evaluation.compare import LEVEL
from evaluation.curves import Measure, at, grid
from evaluation.metrics import Floats
from evaluation.records import Cell
from evaluation.shuffles import counts

LEAST_POINTS = 4
"""Rounds to fit on: one more than the law has parameters."""
LEAST_SHUFFLES = 6
DRAWS = 999
TRUSTED = 0.9
"""Cover of the back-test below which a forecast's interval is called too narrow."""
_EXPONENTS = np.geomspace(0.05, 3.0, 60)


@dataclass(frozen=True)
class Law:
    """error(n) = c + a n^-b, one law a row."""

    a: Floats
    b: Floats
    c: Floats

    def value(self, labels: float) -> Floats:
        """(laws,): 1 - error(labels)."""
        return 1 - self.c - self.a * labels**-self.b

    def labels_for(self, value: Floats | float) -> Floats:
        """(laws,): labels at which the value is reached; `inf` where the law levels off below it."""
        room = 1 - np.asarray(value) - self.c
        with np.errstate(divide="ignore", over="ignore"):
            found = np.where(room > 0, self.a / np.where(room > 0, room, 1.0), np.inf) ** (1 / self.b)
        return np.where((self.a == 0) & (room >= 0), 0.0, found)


@dataclass(frozen=True)
class Range:
    """A forecast with its 95 % interval; `inf` says that the law levels off before it gets there."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class HeldOut:
    """One held-out round: what was forecast for it from earlier ones, and what came."""

    labels: float
    from_points: int
    forecast: Range
    came: float

    @property
    def held(self) -> bool:
        return self.forecast.low <= self.came <= self.forecast.high


@dataclass(frozen=True)
class Backtest:
    """All held-out rounds of one or more curves."""

    tests: tuple[HeldOut, ...]

    @property
    def cover(self) -> float:
        """Share of held-out rounds that lay in their 95 % interval."""
        return sum(test.held for test in self.tests) / len(self.tests)

    @property
    def error(self) -> float:
        """Mean absolute error, in the unit of the measure."""
        return sum(abs(test.forecast.value - test.came) for test in self.tests) / len(self.tests)

    def __str__(self) -> str:
        held = sum(test.held for test in self.tests)
        narrow = "; such intervals are too narrow to lean on" if self.cover < TRUSTED else ""
        return (
            f"back-test: {held} of {len(self.tests)} held-out rounds lay in their 95 % interval "
            f"({100 * self.cover:.0f} %), off by {100 * self.error:.1f} points on average{narrow}"
        )


def value(cells: Sequence[Cell], labels: float, measure: Measure = "accuracy", seed: int = 0) -> Range:
    """The mean over shuffles that the curve should have at so many labels. Raises BadInput as `heights` does."""
    x, y = heights(cells, measure)
    return _range(fit(x, y.mean(axis=0)[None]).value(labels), fit(x, _resampled(y, seed)).value(labels))


def labels_saved(
    a: Sequence[Cell], b: Sequence[Cell], budget: int, measure: Measure = "accuracy", seed: int = 0
) -> Range:
    """Labels that b would need beyond the budget to come where a is at the budget; below 0 where b is ahead.

    `inf` where b's law levels off below that. Shuffles are resampled in pairs.

    Raises:
        BadInput: as `heights` does for b, or a has no value at the budget.
    """
    both = sorted({cell.seed for cell in a} & {cell.seed for cell in b})
    x, y = heights([cell for cell in b if cell.seed in both], measure)
    points = [at(cell, budget) for cell in sorted(a, key=lambda cell: cell.seed) if cell.seed in both]
    reached = np.array([math.nan if point is None else getattr(point, measure) for point in points])
    if np.isnan(reached).any():
        raise BadInput(f"the arm has no value at {budget} labels on every shuffle", "forecast from finished runs")
    drawn = counts(len(both), seed)[:DRAWS]
    found = fit(x, y.mean(axis=0)[None]).labels_for(reached.mean()) - budget
    return _range(found, fit(x, _resampled(y, seed)).labels_for(drawn @ reached / len(both)) - budget)


def backtest(curves: Sequence[Sequence[Cell]], measure: Measure = "accuracy", seed: int = 0) -> Backtest:
    """Fits each curve on its first rounds, four or more, and forecasts every later one.

    What comes is the mean over the same shuffles: their luck is in the fit as well as in the outcome, which makes the
    test a little kinder than other shuffles would be.

    Raises:
        BadInput: as `heights` does, or no curve has a round to hold out.
    """
    tests: list[HeldOut] = []
    for cells in curves:
        x, y = heights(cells, measure)
        for first in range(LEAST_POINTS, len(x)):
            one, many = fit(x[:first], y[:, :first].mean(axis=0)[None]), fit(x[:first], _resampled(y[:, :first], seed))
            for later in range(first, len(x)):
                forecast = _range(one.value(x[later]), many.value(x[later]))
                tests.append(HeldOut(float(x[later]), first, forecast, float(y[:, later].mean())))
    if not tests:
        raise BadInput(f"no curve has more than {LEAST_POINTS} rounds", "a forecast that cannot be tested is not given")
    return Backtest(tuple(tests))


def heights(cells: Sequence[Cell], measure: Measure = "accuracy") -> tuple[Floats, Floats]:
    """(rounds,): human labels above 0; (shuffles, rounds): the measure there.

    Raises:
        BadInput: fewer than four rounds or six shuffles, or an undefined value.
    """
    x = [amount for amount in grid(cells) if amount > 0]
    if len(x) < LEAST_POINTS or len(cells) < LEAST_SHUFFLES:
        what = f"a curve of {len(x)} rounds over {len(cells)} shuffles is too little to forecast from"
        raise BadInput(what, f"have at least {LEAST_POINTS} rounds and {LEAST_SHUFFLES} shuffles")
    found = [[at(cell, amount) for amount in x] for cell in sorted(cells, key=lambda cell: cell.seed)]
    y = np.array([[math.nan if point is None else getattr(point, measure) for point in row] for row in found])
    if np.isnan(y).any():
        raise BadInput("a learning curve has an undefined value", "forecast from finished runs")
    return np.array(x, dtype=np.float64), y


def fit(x: Floats, y: Floats) -> Law:
    """The law of each row by least squares: the exponent from a grid of 60, a and c in closed form, both at least 0.

    Args:
        x: (rounds,)
        y: (laws, rounds): values, not errors.
    """
    errors = 1 - y
    best = Law(*(np.zeros(len(y)) for _ in range(3)))
    least = np.full(len(y), np.inf)
    for exponent in _EXPONENTS:
        a, c = _line(x**-exponent, errors)
        off = ((errors - c[:, None] - a[:, None] * x**-exponent) ** 2).sum(axis=1)
        better = off < least
        least = np.where(better, off, least)
        best = Law(np.where(better, a, best.a), np.where(better, exponent, best.b), np.where(better, c, best.c))
    return best


def _line(u: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """(laws,) twice: slope and intercept of the errors over u, each at least 0.

    Where one would be negative the best lies at the edge at which it is 0.
    """
    means, centred = errors.mean(axis=1), u - u.mean()
    slope = errors @ centred / (centred @ centred)
    level = means - slope * u.mean()
    through_zero = errors @ u / (u @ u)
    a = np.where(slope < 0, 0.0, np.where(level < 0, through_zero, slope))
    return a, np.where(slope < 0, means, np.where(level < 0, 0.0, level))


def _resampled(y: Floats, seed: int) -> Floats:
    """(DRAWS, rounds): the mean curve of each resample of shuffles."""
    return counts(len(y), seed)[:DRAWS] @ y / len(y)


def _range(found: Floats, replicates: Floats) -> Range:
    """Percentiles as order statistics, since labels may be infinite."""
    ordered, place = np.sort(replicates), round((len(replicates) + 1) * (1 - LEVEL) / 2)
    return Range(float(found[0]), float(ordered[place - 1]), float(ordered[-place]))
