"""Means over seeds and paired differences, with intervals that say what they cover.

Two things could have come out otherwise: the seed (first batch, order of the pool, training) and the test set. With
three seeds the first is known badly, and no number of seeds says anything about the second. So there are two intervals:

- over **seeds**: Student's t with n - 1 degrees of freedom, for this test set;
- over **test items**: percentile bootstrap of the items, drawn once for all arms and seeds (paired by item; a drawn
  item brings its predictions under every seed), for these seeds.

The 95 % interval that is printed covers both: the distances from the mean to the two limits are added in quadrature
on each side (MOVER; Zou and Donner 2008, Statistics in Medicine 27:1693). It is at least as wide as either. Part of the
variation is counted in both, so it errs on the wide side. p is the level at which that interval just touches 0.
Without stored predictions the interval covers seeds only, and says so (`items` is None).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats

from agent.errors import BadInput
from evaluation.metrics import Floats

Limits = tuple[float, float]

LEVEL = 0.95
RESAMPLES = 2000
_UNKNOWN: Limits = (math.nan, math.nan)


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds. `low` and `high` are nan where there is only one seed."""

    mean: float
    low: float
    high: float
    n: int
    """Seeds."""
    seeds: Limits = _UNKNOWN
    """The part of the interval that covers other seeds."""
    items: Limits | None = None
    """The part that covers other test items; None where predictions were not kept."""


@dataclass(frozen=True)
class Difference(Estimate):
    """Mean over seeds of a minus b, in the unit of the measure."""

    p: float = math.nan
    """Two-sided, not corrected for other comparisons. nan where it is undefined."""

    @property
    def evidence(self) -> bool:
        """True where the interval excludes 0."""
        return self.low > 0 or self.high < 0


def estimate(values: Sequence[float], replicates: Floats | None = None, *, fixed: bool = False) -> Estimate:
    """Mean over seeds with its 95 % interval.

    Args:
        values: one for each seed, nan where undefined; one undefined value makes the mean undefined.
        replicates: (resamples,): the mean over the same seeds on each resampled test set.
        fixed: nothing depends on the seed, so that one value stands for all seeds and the spread over seeds is 0.
    """
    spread = _spread(values, replicates, fixed)
    (low, high), seeds, items = spread.interval()
    return Estimate(spread.mean, low, high, spread.n, seeds, items)


def paired(
    a: Sequence[float], b: Sequence[float], replicates: Floats | None = None, *, fixed: bool = False
) -> Difference:
    """Mean of a - b over seeds, where `a[i]` and `b[i]` belong to the same seed.

    Args:
        a: one value for each seed.
        b: the same seeds in the same order.
        replicates: (resamples,): the mean difference over the same seeds on each resampled test set.
        fixed: neither depends on the seed.

    Raises:
        BadInput: the lengths differ.
    """
    if len(a) != len(b):
        raise BadInput(f"{len(a)} values cannot be paired with {len(b)}", "compare arms on the same seeds")
    spread = _spread([x - y for x, y in zip(a, b, strict=True)], replicates, fixed)
    (low, high), seeds, items = spread.interval()
    return Difference(spread.mean, low, high, spread.n, seeds, items, spread.p())


@lru_cache(maxsize=4)
def resamples(items: int, count: int = RESAMPLES, seed: int = 0) -> Floats:
    """How often each item is drawn in each bootstrap resample: (count, items), rows sum to `items`; read only."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(items, np.full(items, 1 / items), size=count).astype(np.float32)
    drawn.setflags(write=False)
    return drawn


def holm(values: Sequence[float]) -> tuple[float, ...]:
    """p-values corrected for being several (Holm 1979): the chance of any false alarm stays at the level.

    An undefined one stays nan and still counts as a comparison made.
    """
    order = sorted(range(len(values)), key=lambda i: (math.isnan(values[i]), values[i]))
    corrected = [math.nan] * len(values)
    floor = 0.0
    for rank, i in enumerate(order):
        if math.isnan(values[i]):
            continue
        floor = max(floor, min(1.0, values[i] * (len(values) - rank)))
        corrected[i] = floor
    return tuple(corrected)


@dataclass(frozen=True)
class _Spread:
    """What is needed to give limits at any level."""

    mean: float
    error: float
    """Standard error over seeds."""
    n: int
    fixed: bool
    replicates: Floats | None

    def seeds(self, alpha: float) -> Limits:
        half = 0.0 if self.fixed else float(stats.t.ppf(1 - alpha / 2, self.n - 1)) * self.error
        return self.mean - half, self.mean + half

    def items(self, alpha: float) -> Limits | None:
        if self.replicates is None:
            return None
        low, high = np.quantile(self.replicates, [alpha / 2, 1 - alpha / 2])
        # A skewed bootstrap may lie to one side of the mean; its limit is then the mean.
        return min(float(low), self.mean), max(float(high), self.mean)

    def limits(self, alpha: float) -> Limits:
        parts = [part for part in (self.seeds(alpha), self.items(alpha)) if part is not None]
        return (
            self.mean - math.hypot(*(self.mean - low for low, _ in parts)),
            self.mean + math.hypot(*(high - self.mean for _, high in parts)),
        )

    @property
    def known(self) -> bool:
        """False where no interval can be given: an undefined mean, one seed, or no source of variation at all."""
        if math.isnan(self.mean):
            return False
        return self.replicates is not None if self.fixed else self.n > 1

    def interval(self) -> tuple[Limits, Limits, Limits | None]:
        """The printed limits, and the parts of them that seeds and test items are responsible for."""
        alpha = 1 - LEVEL
        items = None if math.isnan(self.mean) else self.items(alpha)
        if not self.known:
            return _UNKNOWN, _UNKNOWN, items
        return self.limits(alpha), self.seeds(alpha), items

    def p(self) -> float:
        """The level at which the interval touches 0, by bisection; it cannot be less than one resample's share."""
        if not self.known or (self.replicates is None and self.error == 0 and self.mean != 0):
            return math.nan
        if self.mean == 0:
            return 1.0
        inside, outside = 1e-12, 1.0
        for _ in range(40):
            middle = math.sqrt(inside * outside)
            low, high = self.limits(middle)
            inside, outside = (middle, outside) if low <= 0 <= high else (inside, middle)
        least = 0.0 if self.replicates is None else 1 / (len(self.replicates) + 1)
        return max(inside, least)


def _spread(values: Sequence[float], replicates: Floats | None, fixed: bool) -> _Spread:
    n = len(values)
    mean = float(np.mean(values)) if n else math.nan
    error = float(np.std(values, ddof=1) / math.sqrt(n)) if n > 1 else math.nan
    # Equal values may differ in their last bit, which is no spread.
    error = 0.0 if error < 1e-12 else error
    return _Spread(mean, error, n, fixed, replicates)
