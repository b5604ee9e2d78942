"""Several arms over several data sets: do they differ at all (Friedman), and which from which (Nemenyi)?

After Demšar (2006, JMLR 7:1-30). One number a data set and arm, usually the mean over shuffles; what varies is the
data set, so this is the only one of our tests that speaks of data sets that were not tried. It knows ranks only, and
with few sets it finds little.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from agent.errors import BadInput
from evaluation.compare import LEVEL
from evaluation.contrasts import At, MeasureSpec, values
from evaluation.findings import p_value
from evaluation.metrics import Floats
from evaluation.records import Comparison

LEAST = 5
"""Data sets below which the test is refused."""


@dataclass(frozen=True)
class Ranks:
    """Arms over data sets; rank 1 is the best."""

    arms: tuple[str, ...]
    """Best mean rank first."""
    means: tuple[float, ...]
    """Mean rank of each arm; equal values in a set share the mean of their ranks."""
    sets: int
    chi2: float
    """Friedman's statistic, corrected for ties; nan where all arms are equal in every set."""
    p: float
    """Of Friedman's hypothesis that all arms rank alike, by the F of Iman and Davenport (1980)."""
    distance: float
    """Nemenyi's critical difference: mean ranks at least so far apart differ at 5 %, all pairs together."""

    @property
    def evidence(self) -> bool:
        """Whether the arms differ at all; without that no pair is told apart."""
        return self.p < 1 - LEVEL

    @property
    def groups(self) -> tuple[tuple[int, int], ...]:
        """First and last place of each longest run of arms not told apart; of all where Friedman finds nothing."""
        last = len(self.arms) - 1
        if not self.evidence:
            return ((0, last),)
        ends = [
            max(j for j in range(i, last + 1) if self.means[j] - self.means[i] < self.distance) for i in range(last + 1)
        ]
        runs = [(i, end) for i, end in enumerate(ends) if end > i]
        return tuple(run for i, run in enumerate(runs) if i == 0 or run[1] > runs[i - 1][1])

    @property
    def said(self) -> str:
        k, n = len(self.arms), self.sets
        if math.isnan(self.p):
            return f"All {k} arms are equal on all {n} data sets."
        test = f"Friedman chi2({k - 1}) = {self.chi2:.2f}, p {p_value(self.p)} (Iman-Davenport), {n} data sets"
        if not self.evidence:
            return f"No evidence that the {k} arms differ. {test}."
        return f"The arms differ. {test}. Nemenyi: mean ranks {self.distance:.2f} apart or more differ at 5 %."


def ranks(table: Sequence[Sequence[float]], arms: Sequence[str]) -> Ranks:
    """Ranks and tests of a table of values, larger is better.

    Args:
        table: (data sets, arms).

    Raises:
        BadInput: fewer than five data sets or three arms, rows of another length, or an undefined value.
    """
    found = np.array([list(row) for row in table if len(row) == len(arms)], dtype=np.float64)
    if len(found) != len(table) or not found.size:
        raise BadInput(f"the table has rows that are not {len(arms)} values long", "give one value an arm")
    if len(found) < LEAST:
        raise BadInput(f"{len(found)} data sets are too few to rank arms over", f"use at least {LEAST}")
    if len(arms) < 3:
        raise BadInput(f"{len(arms)} arms are too few to rank", "compare two arms by a contrast")
    if np.isnan(found).any():
        row, column = np.argwhere(np.isnan(found))[0]
        raise BadInput(f"arm {arms[column]!r} has no value on data set {row}", "rank arms that ran on every set")
    n, k = found.shape
    placed = stats.rankdata(-found, axis=1)
    means = placed.mean(axis=0)
    chi2 = _friedman(found)
    order = [int(i) for i in np.argsort(means, kind="stable")]
    return Ranks(
        arms=tuple(str(arms[i]) for i in order),
        means=tuple(float(means[i]) for i in order),
        sets=n,
        chi2=chi2,
        p=_p(chi2, n, k),
        distance=distance(k, n),
    )


def ranked(sets: Sequence[Comparison], arms: Sequence[str], student: str, measure: MeasureSpec | None = None) -> Ranks:
    """The arms with that student over the sets, each by its mean over shuffles. Raises BadInput as `ranks` does."""
    table = [[_mean(each, arm, student, measure or At()) for arm in arms] for each in sets]
    return ranks(table, arms)


def distance(arms: int, sets: int) -> float:
    """Nemenyi's critical difference at 5 %: q / sqrt(2) * sqrt(k (k + 1) / (6 N)), q of the studentised range."""
    q = float(stats.studentized_range.ppf(LEVEL, arms, np.inf))
    return q / math.sqrt(2) * math.sqrt(arms * (arms + 1) / (6 * sets))


def _friedman(table: Floats) -> float:
    if (table == table[:, :1]).all():
        return math.nan
    return float(stats.friedmanchisquare(*table.T).statistic)


def _p(chi2: float, n: int, k: int) -> float:
    """By F with k - 1 and (k - 1)(n - 1) degrees of freedom; less conservative than the chi-square itself."""
    if math.isnan(chi2):
        return math.nan
    most = n * (k - 1)
    if chi2 >= most * (1 - 1e-12):
        return 0.0
    return float(stats.f.sf((n - 1) * chi2 / (most - chi2), k - 1, (k - 1) * (n - 1)))


def _mean(comparison: Comparison, arm: str, student: str, measure: MeasureSpec) -> float:
    """Areas begin where every arm with that student has a point, so that all arms are measured over one range."""
    cells = comparison.of(arm, student)
    everything = [cell for cell in comparison.cells if cell.student == student]
    found = list(values(cells, measure, comparison.budget, beside=everything).values())
    return float(np.mean(found)) if found else math.nan
