"""Copies of a text: which two are one, taking them out of a set, and keeping a pool apart from a test part."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from evaluation.datasets import NEAR, Row
from prompts.messages import Frozen

_NOT_WORDS = re.compile(r"[\W_]+")
_SPACES = re.compile(r"\s+")
_PAIR = "\x1f"
"""Between the two texts of a pair, and before each word of the second."""


class Copies(Frozen):
    """How many rows were taken out, and why."""

    contradictory: int = 0
    """The same text bears different labels."""
    exact: int = 0
    """Copies, apart from case, punctuation and white space, of an earlier row."""
    near: int = 0
    """Their word set is nearly an earlier row's."""


def deduplicate(rows: Sequence[Row], near: float | None = NEAR) -> tuple[tuple[Row, ...], Copies]:
    """The rows of which no other is a copy, in their order; of copies the first is kept.

    Args:
        near: Jaccard similarity of word sets from which two texts are copies. None: only texts that are equal but for
            case and white space are, and punctuation counts.
    """
    first, found = without_exact(rows, near)
    if near is None:
        return first, found
    unlike = _Similar(near, first)
    kept = tuple(row for row in first if not unlike.seen(row, add=True))
    return kept, found.model_copy(update={"near": len(first) - len(kept)})


def without_exact(rows: Sequence[Row], near: float | None = NEAR) -> tuple[tuple[Row, ...], Copies]:
    """The same without looking for near copies; `near` says what is equal."""
    by_text: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_text[_key(row, near)].append(row)
    agreed = [same for same in by_text.values() if len({row.label for row in same}) == 1]
    first = tuple(same[0] for same in agreed)
    kept = sum(map(len, agreed))
    return first, Copies(contradictory=len(rows) - kept, exact=kept - len(first))


class Leaks(Frozen):
    """How many rows were taken out of the pool part because of the test part."""

    leaked_text: int = 0
    """They are copies or near copies of a text in it."""
    leaked_group: int = 0
    """Their group (such as the film) is in it."""


def guard(pool: Sequence[Row], test: Sequence[Row], near: float | None = NEAR) -> tuple[tuple[Row, ...], Leaks]:
    """The pool without rows that share a text, a near copy or a group with the test part, and the counts of them."""
    groups = {row.group for row in test if row.group}
    apart = [row for row in pool if row.group not in groups]
    keys = {_key(row, near) for row in test}
    unlike = [row for row in apart if _key(row, near) not in keys]
    if near is not None:
        similar = _Similar(near, [*test, *unlike])
        for row in test:  # each of them: an official test part keeps its near copies
            similar.add(row)
        unlike = [row for row in unlike if not similar.seen(row)]
    leaks = Leaks(leaked_group=len(pool) - len(apart), leaked_text=len(apart) - len(unlike))
    return tuple(unlike), leaks


def fold(text: str) -> str:
    """The text without case, punctuation and superfluous white space; a text of nothing else stays as it is."""
    return _NOT_WORDS.sub(" ", text.casefold()).strip() or text.strip()


def _key(row: Row, near: float | None) -> str:
    """Equal for exact copies. A pair is a copy of another where both its texts are."""
    texts = [row.text] if row.text_b is None else [row.text, row.text_b]
    if near is None:
        return _PAIR.join(_SPACES.sub(" ", text.casefold()).strip() for text in texts)
    return _PAIR.join(map(fold, texts))


def _words(row: Row) -> frozenset[str]:
    """The word set of a text; the words of a pair's second text are told apart from those of its first."""
    second = (_PAIR + word for word in fold(row.text_b).split()) if row.text_b is not None else ()
    return frozenset((*fold(row.text).split(), *second))


class _Similar:
    """Finds word sets at a Jaccard similarity of at least `near` without comparing all pairs.

    In any fixed order of words, two sets of sizes a and b can only be that similar if they share at least
    o = near / (1 + near) * (a + b) words. So the first word that they share stands among the first a - o + 1 of the one
    and the first b - o + 1 of the other, and their sizes differ by no more than the factor `near` (prefix, position and
    size filter; Chaudhuri et al. 2006, Bayardo et al. 2007, Xiao et al. 2008). The order here is rare words first, by
    their counts in `corpus`, which keeps the lists of the index short.
    """

    def __init__(self, near: float, corpus: Iterable[Row]) -> None:
        self._near = near
        self._counts = Counter(word for row in corpus for word in _words(row))
        self._sets: list[frozenset[str]] = []
        self._index: dict[str, dict[int, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
        """Word → size of a set → the word's place in the set, and which set."""

    def seen(self, row: Row, *, add: bool = False) -> bool:
        """True where a text added before is similar; adds this one where none is and `add` is set."""
        words, prefix = self._prefix(row)
        if any(self._alike(words, self._sets[each]) for each in self._candidates(prefix, len(words))):
            return True
        if add:
            self._add(words, prefix)
        return False

    def add(self, row: Row) -> None:
        """Adds it, whatever is similar."""
        self._add(*self._prefix(row))

    def _prefix(self, row: Row) -> tuple[frozenset[str], list[str]]:
        """Its words, and the first of them in the order of the index."""
        words = _words(row)
        order = sorted(words, key=lambda word: (self._counts[word], word))
        return words, order[: len(order) - math.ceil(self._near * len(order) - 1e-9) + 1]

    def _add(self, words: frozenset[str], prefix: Sequence[str]) -> None:
        for place, word in enumerate(prefix):
            self._index[word][len(words)].append((place, len(self._sets)))
        self._sets.append(words)

    def _candidates(self, prefix: Sequence[str], size: int) -> set[int]:
        found: set[int] = set()
        for place, word in enumerate(prefix):
            for other, entries in self._index.get(word, {}).items():
                shared = self._near / (1 + self._near) * (size + other) - 1e-9
                if min(size - place, other) >= shared:
                    found.update(each for there, each in entries if other - there >= shared)
        return found

    def _alike(self, a: frozenset[str], b: frozenset[str]) -> bool:
        # Compared without division, so that 4 of 5 words are 0.8 exactly.
        both = len(a & b)
        return both >= self._near * (len(a) + len(b) - both)
