"""Cleaning and splitting: no copies, nothing of the test part in the pool, and a count of everything taken out."""

import hashlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from agent.errors import BadInput
from evaluation.datasets import DataCard, Row
from prompts.messages import Frozen

NEAR = 0.8
"""Jaccard similarity of two texts' word sets from which they count as copies of one another."""

Part = Literal["development", "release"]
DEVELOPMENT_TENTHS = 4

_NOT_WORDS = re.compile(r"[\W_]+")


class SplitReport(Frozen):
    """What cleaning and splitting did, in rows."""

    source: int
    """Rows read."""
    part: str = ""
    """Which part of the groups was used; empty: all."""
    other_part: int = 0
    """Left out because their group belongs to the other part."""
    contradictory: int = 0
    """Taken out because the same text bears different labels."""
    exact: int = 0
    """Taken out as copies, apart from case, punctuation and white space, of an earlier row."""
    near: int = 0
    """Taken out because their word set is nearly an earlier row's."""
    leaked_text: int = 0
    """Taken out of the pool part because they are copies or near copies of a text in the test part."""
    leaked_group: int = 0
    """Taken out of the pool part because their group (such as the film) is in the test part."""
    near_threshold: float = Field(default=NEAR, gt=0.0, le=1.0)
    pool: int = 0
    test: int = 0
    pool_labels: dict[str, int] = {}
    test_labels: dict[str, int] = {}
    seed: int = 0


class Split(Frozen):
    """Rows of both parts, in random order."""

    pool: tuple[Row, ...]
    test: tuple[Row, ...]
    report: SplitReport


def part_of(row: Row) -> Part:
    """By a hash of the row's group (of its text where it has none): four tenths are for development, for good."""
    digest = hashlib.sha256(_group(row).encode()).digest()
    return "development" if digest[0] % 10 < DEVELOPMENT_TENTHS else "release"


def split(
    card: DataCard,
    rows: Sequence[Row],
    *,
    pool: int = 1000,
    test: int = 1000,
    seed: int = 0,
    part: Part | None = None,
) -> Split:
    """Draws a test part and a pool that share no text, no near copy of a text and no group.

    Only rows of the named part are used (of both where it is None): what prompts, thresholds and sizes are chosen on is
    `development`, what results are reported on is `release`. Rows are cleaned first: contradictory texts, copies and
    near copies go. Then whole groups are drawn at random for the test part until it holds enough rows; both parts are
    sampled down to the sizes asked for. Label shares are the data's own.

    Raises:
        BadInput: too few rows are left for the sizes asked for.
    """
    rng = np.random.default_rng(seed)
    clean, report = deduplicate([row for row in rows if part is None or part_of(row) == part])
    chosen = _groups(clean, test, rng)
    tested = _sample([row for row in clean if _group(row) in chosen], test, rng)
    rest, leaks = guard([row for row in clean if _group(row) not in chosen], tested)
    if len(tested) < test or len(rest) < pool:
        raise BadInput(
            f"{card.name!r} has {len(clean)} rows after cleaning, which is too few for a pool of {pool} and a test "
            f"part of {test} without shared groups",
            "ask for less",
        )
    pooled = _sample(rest, pool, rng)
    found = {"pool": pool, "test": test, "pool_labels": _count(pooled), "test_labels": _count(tested)}
    found |= {"seed": seed, "part": part or "", "other_part": len(rows) - report.source, "source": len(rows)}
    return Split(pool=pooled, test=tested, report=report.model_copy(update={**leaks, **found}))


def deduplicate(rows: Sequence[Row], near: float = NEAR) -> tuple[tuple[Row, ...], SplitReport]:
    """The rows of which no other is a copy, in their order; of copies the first is kept."""
    by_text: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_text[fold(row.text)].append(row)
    agreed = [same for same in by_text.values() if len({row.label for row in same}) == 1]
    first = [same[0] for same in agreed]
    unlike = _Similar(near, [row.text for row in first])
    kept = tuple(row for row in first if not unlike.seen(row.text, add=True))
    report = SplitReport(
        source=len(rows),
        contradictory=len(rows) - sum(map(len, agreed)),
        exact=sum(map(len, agreed)) - len(first),
        near=len(first) - len(kept),
        near_threshold=near,
    )
    return kept, report


def guard(pool: Sequence[Row], test: Sequence[Row], near: float = NEAR) -> tuple[tuple[Row, ...], dict[str, int]]:
    """The pool without rows that share a text, a near copy or a group with the test part, and the counts of them."""
    groups = {row.group for row in test if row.group}
    apart = [row for row in pool if row.group not in groups]
    folded = {fold(row.text) for row in test}
    similar = _Similar(near, [row.text for row in (*test, *apart)])
    for row in test:
        similar.seen(row.text, add=True)
    kept = tuple(row for row in apart if fold(row.text) not in folded and not similar.seen(row.text))
    return kept, {"leaked_group": len(pool) - len(apart), "leaked_text": len(apart) - len(kept)}


def fold(text: str) -> str:
    """The text without case, punctuation and superfluous white space; a text of nothing else stays as it is."""
    return _NOT_WORDS.sub(" ", text.casefold()).strip() or text.strip()


class _Similar:
    """Finds word sets at a Jaccard similarity of at least `near` without comparing all pairs.

    Two sets of sizes a and b can only be that similar if they share a word among the first a - ceil(near * a) + 1 of
    each, in any fixed order (prefix filter; Chaudhuri et al. 2006, Bayardo et al. 2007). The order here is rare words
    first, by their counts in `corpus`, which keeps the lists of the index short.
    """

    def __init__(self, near: float, corpus: Iterable[str]) -> None:
        self._near = near
        self._counts = Counter(word for text in corpus for word in set(fold(text).split()))
        self._sets: list[frozenset[str]] = []
        self._index: dict[str, list[int]] = defaultdict(list)

    def seen(self, text: str, *, add: bool = False) -> bool:
        """True where a text added before is similar; adds this one where none is and `add` is set."""
        words = frozenset(fold(text).split())
        order = sorted(words, key=lambda word: (self._counts[word], word))
        prefix = order[: len(order) - math.ceil(self._near * len(order) - 1e-9) + 1]
        rows = {row for word in prefix for row in self._index.get(word, ())}
        if any(self._alike(words, self._sets[row]) for row in rows):
            return True
        if add:
            for word in prefix:
                self._index[word].append(len(self._sets))
            self._sets.append(words)
        return False

    def _alike(self, a: frozenset[str], b: frozenset[str]) -> bool:
        # Compared without division, so that 4 of 5 words are 0.8 exactly.
        return len(a & b) >= self._near * len(a | b)


def _group(row: Row) -> str:
    return row.group or row.id


def _groups(rows: Sequence[Row], wanted: int, rng: np.random.Generator) -> set[str]:
    """Groups in random order until they hold `wanted` rows."""
    sizes = Counter(_group(row) for row in rows)
    names = sorted(sizes)
    chosen: set[str] = set()
    held = 0
    for i in rng.permutation(len(names)):
        if held >= wanted:
            break
        chosen.add(names[i])
        held += sizes[names[i]]
    return chosen


def _sample(rows: Sequence[Row], wanted: int, rng: np.random.Generator) -> tuple[Row, ...]:
    return tuple(rows[i] for i in rng.permutation(len(rows))[:wanted])


def _count(rows: Iterable[Row]) -> dict[str, int]:
    return dict(sorted(Counter(row.label for row in rows).items()))
