"""What a reader has to know before calling it selection: who really chose, and from where in the list."""

import math
from collections import Counter
from collections.abc import Sequence

from agent.domain import Batch, Pick
from agent.query.llm import FILLED_BY

MOST_FILLED = 0.2
"""Above this share of filled picks, an arm bears the name of its fallback."""


def filled_share(batches: Sequence[Batch]) -> float:
    """Share of the LLM's picks, 0 to 1, that a fallback had to make; nan where the LLM was not asked for any."""
    picks = _asked(batches)
    return sum(pick.filled for pick in picks) / len(picks) if picks else math.nan


def position_quartiles(batches: Sequence[Batch]) -> tuple[float, float, float, float]:
    """Shares of the LLM's own picks by quarter of the list they stood in, first to last; sum to 1.

    A quarter each is what no preference for positions looks like; nan where the LLM picked nothing.
    """
    places = [(p.shown, p.listed) for p in _asked(batches) if p.shown is not None and p.listed is not None]
    if not places:
        return (math.nan, math.nan, math.nan, math.nan)
    counts = Counter(4 * shown // listed for shown, listed in places)
    first, second, third, last = (counts[i] / len(places) for i in range(4))
    return first, second, third, last


def arm_name(batches: Sequence[Batch], name: str = "llm") -> str:
    """`name`, or the name of the fallback where that made more than 20 % of the LLM's picks."""
    share = filled_share(batches)
    if math.isnan(share) or share <= MOST_FILLED:
        return name
    fallbacks = Counter(pick.why.removeprefix(FILLED_BY) for pick in _asked(batches) if pick.filled)
    return fallbacks.most_common(1)[0][0]


def _asked(batches: Sequence[Batch]) -> list[Pick]:
    """Picks that the LLM made or should have made."""
    return [pick for batch in batches for pick in batch.picks if pick.filled or pick.listed is not None]
