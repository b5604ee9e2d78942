"""How often an attack on a text changes what a machine says of it, beside a benign control on the same text."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.agreement import wilson


@dataclass(frozen=True)
class Flips:
    """Shares, 0 to 1, of texts on which something changed, and their paired difference; nan where there are no texts.

    `low` and `high` bound the difference with 95 % confidence over other texts. They hold for texts that are
    independent: one text must not be in it twice.
    """

    pairs: int
    attack: float
    control: float
    difference: float
    low: float
    high: float

    @property
    def beyond(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


def flips(attacked: Sequence[bool], controlled: Sequence[bool]) -> Flips:
    """Compares what changed under attack with what changed under the control, the same texts in the same order."""
    seen = Counter(zip(attacked, controlled, strict=True))
    both, attack, control, neither = seen[True, True], seen[True, False], seen[False, True], seen[False, False]
    n = seen.total()
    if not n:
        return Flips(0, math.nan, math.nan, math.nan, math.nan, math.nan)
    low, high = paired_interval(both, attack, control, neither)
    return Flips(n, (both + attack) / n, (both + control) / n, (attack - control) / n, low, high)


def paired_interval(both: int, first: int, second: int, neither: int) -> tuple[float, float]:
    """95 % interval of the difference of two shares over the same n items (Newcombe 1998b, method 10).

    The Wilson limits of each share are squared and added, less their correlation, which is lowered by n/2 in its
    numerator where it is positive.

    Args:
        both, first, second, neither: how many items have the property in both conditions, in the first only, in the
            second only, in none; one at least is not 0.
    """
    n = both + first + second + neither
    p, p_low, p_high = wilson(both + first, n)
    q, q_low, q_high = wilson(both + second, n)
    product = (both + first) * (second + neither) * (both + second) * (first + neither)
    cross = both * neither - first * second
    lowered = max(cross - n / 2, 0.0) if cross > 0 else cross
    phi = lowered / math.sqrt(product) if product else 0.0
    down = _added(p - p_low, q_high - q, phi)
    up = _added(p_high - p, q - q_low, phi)
    return p - q - down, p - q + up


def _added(a: float, b: float, correlation: float) -> float:
    return math.sqrt(max(0.0, a * a - 2 * correlation * a * b + b * b))


def pick_changes(before: Sequence[str], after: Sequence[str], target: str) -> tuple[bool, bool]:
    """Whether a text that was not picked before now is, and whether the picks among the others changed.

    Args:
        before: ids picked from the untouched list, without `target`.
        after: ids picked from the list in which `target` was touched.
    """
    return target in after, set(after) - {target} != set(before)
