"""What many paired shuffles say: studentised bootstrap intervals and sign-flip tests, within data sets as strata.

A *shuffle* is a new order of one fixed pool, with its seed batch and every other random choice. The interval here
covers other shuffles of the same pools measured on the same test sets; it says nothing of other test items and other
data sets. `evaluation.compare` has the interval for a few seeds that covers other test items as well.

- **Interval**: studentised wild bootstrap (Wu 1986; Liu 1988; Davidson and Flachaire 2008): the deviations from each
  set's mean get random signs, and the 95 % quantile of |mean*| / error* replaces Student's. It is the sign-flip test
  turned into an interval, so that the two disagree at the edge only. It takes deviations above and below to be alike.
  The equal-tailed bootstrap-t, which estimates the skew of ten values, holds the truth a little more often with wider
  intervals (`evaluation/bench/cover.py`). With fewer than six shuffles in a set there are too few patterns of signs,
  and Student's t with Satterthwaite's degrees of freedom stands in. With fewer than ten in all there are enough, unless
  differences tie, as accuracies on a small test set do: then the wider of the two is taken. `Effect.method` says which.
- **p**: under the null hypothesis the sign of each shuffle's difference is as likely plus as minus (Fisher 1935). All
  sign patterns are counted where there are at most 20,000, else that many are drawn and the observed one is added to
  both sides of the fraction. Patterns are compared by the mean over its standard error, which is taken within sets as
  that of the interval is (Janssen 1997): of one set it orders them as the mean alone does, and of several it does not
  take for noise that sets differ.

With several sets the effect is the plain mean of their means: every set counts once, whatever its number of shuffles.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy import stats

from evaluation.compare import LEVEL, Limits
from evaluation.metrics import Floats

RESAMPLES = 9_999
"""Chosen so that limits at 95 % are order statistics: (RESAMPLES + 1) times 0.95 and 0.025 are whole."""
FLIPS = 20_000
LEAST = 6
"""Shuffles of each set from which the bootstrap is used. With five, no sign pattern can give p < 0.05 either."""
ENOUGH = 10
"""Shuffles of all sets from which it stands alone; with fewer it is never narrower than Student's t."""

BY_T = f"Of fewer than {LEAST} shuffles of a set, and of fewer than {ENOUGH} where wider, intervals are Student's (t)."
"""Said where a set has fewer than `ENOUGH`."""

Method = Literal["wild bootstrap-t", "student-t", "none"]
_UNKNOWN: Limits = (math.nan, math.nan)


@dataclass(frozen=True)
class Effect:
    """A mean over shuffles, averaged over sets; for differences, of a minus b."""

    mean: float
    low: float
    high: float
    n: int
    """Shuffles of all sets together."""
    sets: int
    p: float = math.nan
    """Two-sided, of the hypothesis that the mean is 0; nan where it was not tested."""
    method: Method = "none"
    """How the interval was made; `none` where there is none: one shuffle, no spread, or an undefined value."""
    exact: bool = False
    """True where p counts all sign patterns."""


def effect(groups: Sequence[Sequence[float]], *, test: bool = True, seed: int = 0) -> Effect:
    """The mean of the groups' means with its 95 % interval and, where asked for, the p-value of a mean of 0.

    Args:
        groups: for each data set one value a shuffle; a value that is nan makes the effect undefined.
        test: False for values that are no differences.
        seed: of the resamples.
    """
    arrays = [np.asarray(group, dtype=np.float64) for group in groups]
    n, sets = sum(map(len, arrays)), len(arrays)
    if not arrays or min(map(len, arrays)) == 0 or any(np.isnan(group).any() for group in arrays):
        return Effect(math.nan, math.nan, math.nan, n, sets)
    mean = float(np.mean([group.mean() for group in arrays]))
    (low, high), method = interval(arrays, seed=seed)
    p, exact = sign_flip(arrays, seed=seed) if test else (math.nan, False)
    return Effect(mean, low, high, n, sets, p, method, exact)


def interval(groups: Sequence[Floats], *, seed: int = 0) -> tuple[Limits, Method]:
    """The 95 % limits of the mean of the groups' means, and how they were found."""
    if min(map(len, groups)) < 2:
        return _UNKNOWN, "none"
    mean = float(np.mean([group.mean() for group in groups]))
    error = _error(groups)
    # Equal values may differ in their last bit, which is no spread.
    if error < 1e-12:
        return ((0.0, 0.0), "none") if abs(mean) < 1e-12 else (_UNKNOWN, "none")
    by_t = student_t(groups)
    if min(map(len, groups)) < LEAST:
        return by_t, "student-t"
    # An order statistic, since infinite ratios (signs that leave no spread) cannot be interpolated.
    ratios = np.sort(_ratios(groups, seed))
    half = float(ratios[round((RESAMPLES + 1) * LEVEL) - 1]) * error
    if sum(map(len, groups)) < ENOUGH and by_t[1] > mean + half:
        return by_t, "student-t"
    return (mean - half, mean + half), "wild bootstrap-t"


def student_t(groups: Sequence[Floats]) -> Limits:
    """The same limits by Student's t, with Satterthwaite's degrees of freedom; nan where there is no spread."""
    if min(map(len, groups)) < 2 or not _error(groups):
        return _UNKNOWN
    mean = float(np.mean([group.mean() for group in groups]))
    half = float(stats.t.ppf((1 + LEVEL) / 2, _freedom(groups))) * _error(groups)
    return mean - half, mean + half


def sign_flip(groups: Sequence[Floats], *, seed: int = 0) -> tuple[float, bool]:
    """Two-sided p of the hypothesis that each value is as likely plus as minus; True where every pattern was counted.

    Exact p-values are a whole number of patterns over all 2^n; a Monte Carlo one is (1 + hits) / (1 + draws)
    (Phipson and Smyth 2010), and never 0.
    """
    parts = [group[group != 0] for group in groups]
    values = np.concatenate(parts)
    if len(values) < 2:
        return 1.0, True
    found = stats.permutation_test(
        (values,),
        _Studentised(tuple(map(len, groups)), tuple(map(len, parts))),
        permutation_type="samples",
        vectorized=True,
        n_resamples=FLIPS,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue), 2 ** len(values) <= FLIPS


def least_p(n: int, tests: int = 1) -> float:
    """The smallest p that n shuffles can give, the first of so many corrected ones (Holm)."""
    return min(1.0, tests * 2.0 ** (1 - n))


def disagreeing(by_set: Sequence[tuple[str, Effect]]) -> str:
    """Which sets lie above 0 and which below, in words; empty where their intervals do not part so.

    A mean over sets of both kinds speaks for neither.
    """
    above, below = [name for name, one in by_set if one.low > 0], [name for name, one in by_set if one.high < 0]
    return f"the sets disagree: {', '.join(above)} above 0, {', '.join(below)} below" if above and below else ""


@lru_cache(maxsize=64)
def counts(n: int, seed: int) -> Floats:
    """How often each of n shuffles is drawn in each resample: (RESAMPLES, n), rows sum to n; read only."""
    drawn = np.random.default_rng([seed, n]).multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)
    drawn.setflags(write=False)
    return drawn


@lru_cache(maxsize=64)
def _signs(n: int, seed: int) -> Floats:
    """(RESAMPLES, n): 1 and -1, equally likely; read only."""
    drawn = np.random.default_rng([seed, n]).choice(np.array([-1.0, 1.0]), size=(RESAMPLES, n))
    drawn.setflags(write=False)
    return drawn


def _ratios(groups: Sequence[Floats], seed: int) -> Floats:
    """(RESAMPLES,): |mean*| / error*, infinite where the signs leave no spread but a mean."""
    moved, squared = np.zeros(RESAMPLES), np.zeros(RESAMPLES)
    for i, group in enumerate(groups):
        n, centred = len(group), group - group.mean()
        shift = _signs(n, seed + i) @ centred / n
        moved += shift
        # Signs do not change squares, so that the spread follows from the mean.
        squared += np.maximum((centred**2).mean() - shift**2, 0) / (n - 1)
    error = np.sqrt(squared)
    without = error < 1e-9 * _error(groups) * len(groups)
    return np.divide(np.abs(moved), error, out=np.where(moved != 0, np.inf, 0.0), where=~without)


def _error(groups: Sequence[Floats]) -> float:
    """Standard error of the mean of the groups' means."""
    return math.sqrt(sum(group.var(ddof=1) / len(group) for group in groups)) / len(groups)


def _freedom(groups: Sequence[Floats]) -> float:
    """Satterthwaite's degrees of freedom; n - 1 for one group."""
    parts = [float(group.var(ddof=1)) / len(group) for group in groups]
    return sum(parts) ** 2 / sum(part**2 / (len(group) - 1) for part, group in zip(parts, groups, strict=True))


@dataclass(frozen=True)
class _Studentised:
    """The mean t of the groups' means over its standard error, as t / sqrt(1 + t^2): of the same order, and finite."""

    sizes: tuple[int, ...]
    """Values of each group."""
    moving: tuple[int, ...]
    """Those that are not 0, and have a sign to flip: only they are handed in."""

    def __call__(self, values: Floats, axis: int) -> Floats:
        """(..., values) to (...)."""
        means, variance = np.zeros(values.shape[:-1]), np.zeros(values.shape[:-1])
        pairs = min(self.sizes) > 1  # a group of one has no spread: then the mean alone is compared
        ends = np.cumsum(self.moving)
        for n, moving, end in zip(self.sizes, self.moving, ends, strict=True):
            group = np.moveaxis(values, axis, -1)[..., end - moving : end]
            mean = group.sum(axis=-1) / n
            means += mean
            if pairs:
                variance += np.maximum((group**2).sum(axis=-1) / n - mean**2, 0) / (n - 1)
        if not pairs:
            return means
        length = np.sqrt(means**2 + variance)
        return np.divide(means, length, out=np.zeros_like(means), where=length > 0)
