"""How far people agree with each other, and how far seeing the machine's label moves them."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

Z95 = 1.959963984540054


@dataclass(frozen=True)
class Rating:
    """What one person said of one text, and what the machine had said."""

    item: str
    who: str
    said: str
    """A label, or why there is none; any two equal words agree."""
    machine: str | None = None
    shown: bool = False
    """Whether the person saw the machine's label first."""


@dataclass(frozen=True)
class Pair:
    """Two people on the texts that both have answered."""

    first: str
    second: str
    items: int
    raw: float
    kappa: float


@dataclass(frozen=True)
class Anchoring:
    """Agreement with the machine of people who saw its label, and of those who did not.

    Whether a person sees it is drawn at random for each text, so the difference is the effect of seeing it. `low` and
    `high` bound it with 95 % confidence. nan where one side has no answers.
    """

    shown: int
    shown_agreed: int
    blind: int
    blind_agreed: int
    difference: float
    low: float
    high: float


def raw_agreement(ratings: Iterable[Rating]) -> float:
    """Mean over texts of the share of pairs of people that agree, 0 to 1; nan where no text has two answers."""
    shares = [_agreeing(counts) for counts in _by_item(ratings)]
    return sum(shares) / len(shares) if shares else math.nan


def fleiss_kappa(ratings: Iterable[Rating]) -> float:
    """Agreement beyond chance of any number of people, -1 to 1 (Fleiss 1971, for texts with two answers or more).

    Texts may differ in their number of answers; chance is taken over all answers. nan where no text has two, and where
    all answers are the same.
    """
    items = _by_item(ratings)
    if not items:
        return math.nan
    observed = sum(map(_agreeing, items)) / len(items)
    total = sum(items, Counter[str]())
    n = total.total()
    return _beyond(observed, sum((count / n) ** 2 for count in total.values()))


def cohen_kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Agreement beyond chance of two people on the same texts, in the same order, -1 to 1 (Cohen 1960).

    nan for no texts, and where both gave one and the same answer to all.
    """
    n = len(first)
    if n == 0:
        return math.nan
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    one, other = Counter(first), Counter(second)
    return _beyond(observed, sum(one[said] * other[said] for said in one) / n**2)


def pairs(ratings: Iterable[Rating]) -> tuple[Pair, ...]:
    """Every two people who have answered the same text at least once, those with most such texts first."""
    said: dict[str, dict[str, str]] = {}
    for each in ratings:
        said.setdefault(each.who, {})[each.item] = each.said
    found = [_pair(a, b, said[a], said[b]) for a, b in combinations(sorted(said), 2)]
    return tuple(sorted((pair for pair in found if pair.items), key=lambda pair: -pair.items))


def anchoring(ratings: Iterable[Rating]) -> Anchoring:
    """Counts the answers to texts that the machine had labelled; the interval is Newcombe's (1998, method 10)."""
    seen = Counter((each.shown, each.said == each.machine) for each in ratings if each.machine is not None)
    shown, agreed = seen[True, True] + seen[True, False], seen[True, True]
    blind, alone = seen[False, True] + seen[False, False], seen[False, True]
    if not shown or not blind:
        return Anchoring(shown, agreed, blind, alone, math.nan, math.nan, math.nan)
    (p, p_low, p_high), (q, q_low, q_high) = wilson(agreed, shown), wilson(alone, blind)
    low = p - q - math.hypot(p - p_low, q_high - q)
    high = p - q + math.hypot(p_high - p, q - q_low)
    return Anchoring(shown, agreed, blind, alone, p - q, low, high)


def wilson(successes: int, n: int, z: float = Z95) -> tuple[float, float, float]:
    """A share with its lower and upper bound, 0 to 1 (Wilson 1927). Raises ZeroDivisionError for n = 0."""
    p = successes / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return p, max(0.0, middle - half), min(1.0, middle + half)


def _by_item(ratings: Iterable[Rating]) -> list[Counter[str]]:
    """How often each answer was given to a text, for the texts with two answers or more."""
    counts: dict[str, Counter[str]] = {}
    for each in ratings:
        counts.setdefault(each.item, Counter())[each.said] += 1
    return [found for found in counts.values() if found.total() > 1]


def _agreeing(counts: Mapping[str, int]) -> float:
    n = sum(counts.values())
    return sum(count * (count - 1) for count in counts.values()) / (n * (n - 1))


def _beyond(observed: float, chance: float) -> float:
    return math.nan if math.isclose(chance, 1.0) else (observed - chance) / (1 - chance)


def _pair(a: str, b: str, first: Mapping[str, str], second: Mapping[str, str]) -> Pair:
    both = sorted(first.keys() & second.keys())
    one, other = [first[item] for item in both], [second[item] for item in both]
    raw = sum(x == y for x, y in zip(one, other, strict=True)) / len(both) if both else math.nan
    return Pair(a, b, len(both), raw, cohen_kappa(one, other))
