"""What a reader has to know before calling it selection: who really chose, and from where in the list."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache

import numpy as np

from agent.domain import Batch, Cost, Pick
from agent.query.llm import FILLED_BY

MOST_FILLED = 0.2
"""Above this share of filled picks, an arm bears the name of its fallback."""

EQUAL_GAPS = 0.7
"""Above this share of equal gaps, positions count as an arithmetic progression (1, 5, 9, 13…)."""
_DRAWS = 4000


def filled_share(batches: Sequence[Batch]) -> float:
    """Share of the LLM's picks, 0 to 1, that a fallback had to make; nan where the LLM was not asked for any."""
    picks = _asked(batches)
    return sum(pick.filled for pick in picks) / len(picks) if picks else math.nan


def position_quartiles(batches: Sequence[Batch]) -> tuple[float, float, float, float]:
    """Shares of the LLM's own picks by quarter of the list they stood in, first to last; sum to 1.

    A quarter each is what no preference for positions looks like, whatever the length of lists: a place that lies in
    two quarters counts for both, by its parts. nan where the LLM picked nothing.
    """
    places = [(p.shown, p.listed) for p in _asked(batches) if p.shown is not None and p.listed is not None]
    if not places:
        return (math.nan, math.nan, math.nan, math.nan)
    begins, listed = np.array(places, dtype=np.float64).T
    ends = [np.clip(4 * (begins + 1) - quarter * listed, 0, listed) for quarter in range(4)]
    starts = [np.clip(4 * begins - quarter * listed, 0, listed) for quarter in range(4)]
    first, second, third, last = (float(np.mean(end - start)) / 4 for end, start in zip(ends, starts, strict=True))
    return first, second, third, last


def arm_name(batches: Sequence[Batch], name: str = "llm") -> str:
    """`name`, or the name of the fallback where that made more than 20 % of the LLM's picks."""
    share = filled_share(batches)
    if math.isnan(share) or share <= MOST_FILLED:
        return name
    fallbacks = Counter(pick.why.removeprefix(FILLED_BY) for pick in _asked(batches) if pick.filled)
    return fallbacks.most_common(1)[0][0]


@dataclass(frozen=True)
class Progressions:
    """Lists whose picks stand in an arithmetic progression."""

    share: float
    """Of the lists, 0 to 1; nan where there are none."""
    chance: float
    """The share that picks at random from lists of the same lengths would have."""
    lists: int
    """Lists with at least three picks of the LLM's own; fewer make no progression."""


def progressions(batches: Sequence[Batch]) -> Progressions:
    """How often the LLM counts instead of choosing: more than 70 % of the gaps between its picks are equal.

    Positions are put in ascending order first. Three picks of a short list are a progression by chance quite often,
    so the share means something beside `chance` only. Batches recorded before picks named their list are left out.
    """
    places: dict[tuple[int, int], list[int]] = defaultdict(list)
    lengths: dict[tuple[int, int], int] = {}
    for number, batch in enumerate(batches):
        for pick in batch.picks:
            if pick.listing is not None and pick.shown is not None and pick.listed is not None:
                places[number, pick.listing].append(pick.shown)
                lengths[number, pick.listing] = pick.listed
    kept = [key for key in places if len(places[key]) >= 3]
    if not kept:
        return Progressions(math.nan, math.nan, 0)
    kinds = Counter((len(places[key]), lengths[key]) for key in kept)
    chance = sum(count * _by_chance(picks, listed) for (picks, listed), count in kinds.items()) / len(kept)
    return Progressions(sum(_even(places[key]) for key in kept) / len(kept), chance, len(kept))


@dataclass(frozen=True)
class Overlap:
    """What two selections from one pool have in common."""

    jaccard: float
    """Texts in both over texts in either, 0 to 1; nan where nothing was picked."""
    chance: float
    """Its expectation for two random selections of these sizes."""
    p: float
    """How often two such selections share as many texts or more."""
    shared: int


def overlap(first: Sequence[Batch], second: Sequence[Batch], among: int) -> Overlap:
    """Whether a selector chooses the same texts once the pool is shuffled: near `chance`, it looks at the order only.

    The LLM's own picks count, not those of its fallback.

    Args:
        among: texts that both could choose from: the pool, or the window where both were shown the same one.
    """
    return shared(own_ids(first), own_ids(second), among)


def own_ids(batches: Sequence[Batch]) -> frozenset[str]:
    """Ids of the texts that the LLM chose itself."""
    return frozenset(pick.example.id for pick in _own(batches))


def shared(a: AbstractSet[str], b: AbstractSet[str], among: int) -> Overlap:
    """What two sets of ids, each chosen from the same `among` texts, have in common; nan where one is empty."""
    from scipy.stats import hypergeom

    if not a or not b or among < max(len(a), len(b)):
        return Overlap(math.nan, math.nan, math.nan, len(a & b))
    both = np.arange(min(len(a), len(b)) + 1)
    likely = hypergeom.pmf(both, among, len(a), len(b))
    chance = float((likely * both / (len(a) + len(b) - both)).sum())
    both_have = len(a & b)
    return Overlap(both_have / len(a | b), chance, float(likely[both_have:].sum()), both_have)


@dataclass(frozen=True)
class Replies:
    """How the LLM answered, over all lists that were asked; nan where none was, or where it was not counted."""

    lists: int
    """Asked, those that came out short and were asked again among them."""
    refused: float
    """Share of lists without a usable answer."""
    failed: float
    """Share of lists without any answer."""
    miscounted: float
    """Share of lists that were answered with too few or too many texts."""
    unknown: float
    """Ids that were not in the list, for each pick that was."""
    repeated: float
    """Ids named again, for each pick."""


def replies(batches: Sequence[Batch]) -> Replies:
    """Refusals, wrong counts and repeats, from the notes that `LlmChoose` leaves with its batches."""
    asked = noted(batches, "lists")
    lists = sum(asked) + sum(noted(batches, "asked_again"))
    picks = sum(noted(batches, "chosen"))

    def share(what: str, of: float) -> float:
        known = noted(batches, what)
        return sum(known) / of if of and len(known) == len(asked) else math.nan

    return Replies(
        int(lists),
        share("refused", lists),
        share("failed", lists),
        share("miscounted", lists),
        share("unknown", picks),
        share("repeated", picks),
    )


def noted(batches: Sequence[Batch], name: str) -> list[float]:
    """What batches note under a name; a selector inside another one has its notes under a longer one, `first_lists`."""
    found = [note for batch in batches for note in batch.notes.items()]
    return [value for key, value in found if key == name or key.endswith(f"_{name}")]


def class_shares(batches: Sequence[Batch], labels: Mapping[str, str], names: Sequence[str]) -> dict[str, float]:
    """Shares of the LLM's own picks by their label, in the order of `names`; nan where no pick has one.

    Args:
        labels: gold or people's labels by example id; picks without one do not count.
    """
    found = Counter(labels[pick.example.id] for pick in _own(batches) if pick.example.id in labels)
    total = found.total()
    return {name: found[name] / total if total else math.nan for name in names}


@dataclass(frozen=True)
class Price:
    """What the LLM used up for each text that it chose itself; nan where it chose none."""

    tokens: float
    seconds: float


def price(batches: Sequence[Batch]) -> Price:
    asked = [batch for batch in batches if any(pick.filled or pick.listed is not None for pick in batch.picks)]
    cost, picks = sum((batch.cost for batch in asked), Cost()), len(_own(asked))
    if not picks:
        return Price(math.nan, math.nan)
    return Price((cost.tokens_in + cost.tokens_out) / picks, cost.seconds / picks)


def _even(places: Sequence[int]) -> bool:
    gaps = np.diff(np.sort(places))
    return Counter(gaps.tolist()).most_common(1)[0][1] > EQUAL_GAPS * len(gaps)


@cache
def _by_chance(picks: int, listed: int) -> float:
    rng = np.random.default_rng(0)
    return float(np.mean([_even(rng.choice(listed, picks, replace=False).tolist()) for _ in range(_DRAWS)]))


def _own(batches: Sequence[Batch]) -> list[Pick]:
    """Picks that the LLM made itself."""
    return [pick for pick in _asked(batches) if not pick.filled]


def _asked(batches: Sequence[Batch]) -> list[Pick]:
    """Picks that the LLM made or should have made."""
    return [pick for batch in batches for pick in batch.picks if pick.filled or pick.listed is not None]
