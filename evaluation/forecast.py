"""Where a learning curve is going: a power law fitted to its rounds, and how well that did on rounds it had not seen.

error(n) = c + a n^-b, a and c at least 0, over human labels, fitted by least squares to the mean curve over shuffles
(Hestness et al. 2017, arXiv:1712.00409; Figueroa et al. 2012, BMC Med. Inform. Decis. Mak. 12:8). A forecast may be off
for three reasons: which shuffles the law was fitted to, the luck of as many other shuffles, and that the curve is no
power law. The first two are read off the shuffles (`Fan`), the third off the held-out rounds of the same curve, by how
much more these were missed (`width`). A curve that turns after its last round cannot be foreseen: the back-test is to
be printed beside every forecast.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.errors import BadInput
from evaluation.compare import LEVEL
from evaluation.curves import Measure, at, grid
from evaluation.findings import counted
from evaluation.metrics import Floats
from evaluation.records import Cell
from evaluation.shuffles import counts

LEAST_POINTS = 4
"""Rounds to fit on: one more than the law has parameters."""
LEAST_SHUFFLES = 6
DRAWS = 999
TRUSTED = 0.9
"""Cover of the back-test below which a forecast's interval is called too narrow."""
PRIOR = 4
"""Held-out rounds that a curve counts as having had before its first, missed by no more than shuffles explain. Chosen
on made-up curves (`evaluation.bench.forecasting`): fewer make intervals of short curves useless, more trust the law."""
LEAST_SPREAD = 1e-4
"""A hundredth of a point. Where all shuffles agree to the last digit a miss is still no infinite one."""
GRID = 2000
"""Numbers of labels at which an interval is looked up, in equal ratios."""
FAR = 1000
"""Times the labels of the last round, beyond which a number of labels is called infinite."""
_EXPONENTS = np.geomspace(0.05, 3.0, 60)


@dataclass(frozen=True)
class Law:
    """error(n) = c + a n^-b, one law a row."""

    a: Floats
    b: Floats
    c: Floats

    def value(self, labels: float) -> Floats:
        """(laws,): 1 - error(labels)."""
        return self.values(np.array([labels], dtype=np.float64))[:, 0]

    def values(self, labels: Floats) -> Floats:
        """(laws, labels)"""
        return 1 - self.c[:, None] - self.a[:, None] * labels ** -self.b[:, None]

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


@dataclass(frozen=True)
class Fan:
    """Where a curve may go from its rounds: the law of the mean over shuffles, and what it may be off by."""

    law: Law
    resampled: Law
    """One law for each resample of shuffles."""
    shuffles: int
    luck: float
    """Variance of the mean over as many other shuffles, at the last two rounds."""

    @classmethod
    def of(cls, x: Floats, y: Floats, seed: int) -> "Fan":
        luck = float(y[:, -2:].var(axis=0, ddof=1).mean()) / len(y)
        return cls(fit(x, y.mean(axis=0)[None]), fit(x, _resampled(y, seed)), len(y), luck)

    def moved(self, labels: Floats, beside: Floats | float = 0.0) -> Floats:
        """(labels,): variance of the forecast less what goes with it, over which shuffles there were.

        Args:
            beside: (laws, 1 or labels): what is subtracted from the forecast in each resample.
        """
        # Resampled means vary by the variance over n shuffles, not over n - 1.
        return (self.resampled.values(labels) - beside).var(axis=0, ddof=1) * self.shuffles / (self.shuffles - 1)

    def spread(self, labels: Floats, beside: Floats | float = 0.0) -> Floats:
        """(labels,): standard deviation of the forecast less what as many other shuffles show, if the law holds."""
        return np.maximum(np.sqrt(self.moved(labels, beside) + self.luck), LEAST_SPREAD)


@dataclass(frozen=True)
class Miss:
    """A held-out round before its interval is known."""

    later: int
    """Which round, from 0."""
    from_points: int
    forecast: float
    spread: float
    came: float
    expected: float
    """Standard deviation of what it is missed by, if the law holds. It came on the shuffles that the law was fitted to,
    whose luck is in both, so that this is less than `spread`."""

    @property
    def square(self) -> float:
        """1 on average if the law holds."""
        return ((self.came - self.forecast) / self.expected) ** 2


def misses(x: Floats, y: Floats, seed: int = 0) -> list[Miss]:
    """Forecasts of every later round from the first four, the first five, and so on.

    Args:
        x: (rounds,)
        y: (shuffles, rounds)
    """
    found, means = list[Miss](), _resampled(y, seed)
    for first in range(LEAST_POINTS, len(x)):
        fan, later = Fan.of(x[:first], y[:, :first], seed), x[first:]
        forecast, spread = fan.law.values(later)[0], fan.spread(later)
        expected = np.maximum(np.sqrt(fan.moved(later, means[:, first:])), LEAST_SPREAD)
        for i in range(len(later)):
            numbers = (float(each[i]) for each in (forecast, spread, y[:, first:].mean(axis=0), expected))
            found.append(Miss(first + i, first, *numbers))
    return found


def width(known: Sequence[Miss]) -> float:
    """Half of the 95 % interval in units of the spread, from the held-out rounds that are known: a quantile of t.

    Its scale is the mean square of what they were missed by over what was expected, with `PRIOR` rounds of scale 1
    before them (the predictive t of a scaled inverse chi-squared; Gelman et al., Bayesian Data Analysis, 3rd ed.,
    §2.6). Every miss has the same share in that mean, so that a later round, which is forecast from more beginnings,
    counts for more there; but misses are no more degrees of freedom than there are rounds.
    """
    from scipy.stats import t

    rounds = len({miss.later for miss in known})
    square = float(np.mean([miss.square for miss in known])) if known else 0.0
    scale = (PRIOR + rounds * square) / (PRIOR + rounds)
    return float(t.ppf(1 - (1 - LEVEL) / 2, PRIOR + rounds)) * math.sqrt(scale)


def value(cells: Sequence[Cell], labels: float, measure: Measure = "accuracy", seed: int = 0) -> Range:
    """The mean over as many shuffles that the curve should have at so many labels, 0 to 1. Raises as `heights` does."""
    x, y = heights(cells, measure)
    fan = Fan.of(x, y, seed)
    return _around(
        float(fan.law.value(labels)[0]), width(misses(x, y, seed)) * float(fan.spread(np.array([labels]))[0])
    )


def labels_saved(
    a: Sequence[Cell], b: Sequence[Cell], budget: int, measure: Measure = "accuracy", seed: int = 0
) -> Range:
    """Labels that b would need beyond the budget to come where a is at the budget; below 0 where b is ahead.

    `inf` where b's law levels off below that. Shuffles are resampled in pairs. The interval is from the fewest to the
    most labels at which b's interval holds a's height. Before b's first round, where a law fitted to what
    came after may be anywhere, nothing is forecast: a lower end at that round means "or fewer".

    Raises:
        BadInput: as `heights` does for b, or a has no value at the budget.
    """
    both = sorted({cell.seed for cell in a} & {cell.seed for cell in b})
    x, y = heights([cell for cell in b if cell.seed in both], measure)
    points = [at(cell, budget) for cell in sorted(a, key=lambda cell: cell.seed) if cell.seed in both]
    reached = np.array([math.nan if point is None else getattr(point, measure) for point in points])
    if np.isnan(reached).any():
        raise BadInput(f"the arm has no value at {budget} labels on every shuffle", "forecast from finished runs")
    fan, drawn = Fan.of(x, y, seed), counts(len(both), seed)[:DRAWS] @ reached / len(both)
    needed = max(float(fan.law.labels_for(reached.mean())[0]), float(x[0]))
    labels = np.geomspace(x[0], FAR * x[-1], GRID)
    ahead = fan.law.values(labels)[0] - reached.mean()
    half = width(misses(x, y, seed)) * fan.spread(labels, drawn[:, None])
    may, must_not = np.flatnonzero(ahead + half >= 0), np.flatnonzero(ahead - half < 0)
    low = labels[may[0]] if len(may) else math.inf
    high = labels[0] if not len(must_not) else math.inf if must_not[-1] == GRID - 1 else labels[must_not[-1]]
    return Range(needed - budget, min(needed, float(low)) - budget, max(needed, float(high)) - budget)


def backtest(curves: Sequence[Sequence[Cell]], measure: Measure = "accuracy", seed: int = 0) -> Backtest:
    """Fits each curve on its first rounds, four or more, and forecasts every later one.

    The interval of each knows the held-out rounds among the first ones and no others. What comes is the mean over the
    same shuffles: their luck is in the fit as well as in the outcome, which makes the test a little kinder than other
    shuffles would be.

    Raises:
        BadInput: as `heights` does, or no curve has a round to hold out.
    """
    tests: list[HeldOut] = []
    for cells in curves:
        x, y = heights(cells, measure)
        found = misses(x, y, seed)
        for miss in found:
            half = width([known for known in found if known.later < miss.from_points]) * miss.spread
            forecast = _around(miss.forecast, half)
            tests.append(HeldOut(float(x[miss.later]), miss.from_points, forecast, miss.came))
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
        there = f"{counted(len(x), 'point')} of the curve over {counted(len(cells), 'shuffle')}"
        what = f"{there}: too few to forecast from"
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


def _around(value: float, half: float) -> Range:
    """No measure lies outside 0 and 1."""
    return Range(value, max(value - half, 0.0), min(value + half, 1.0))
