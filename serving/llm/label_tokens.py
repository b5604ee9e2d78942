"""Which tokens of a vocabulary say that an answer starts with a label word."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from agent.errors import BadInput

MOST_IDS = 128
"""vLLM returns log-probabilities for at most so many chosen tokens."""
SHORTEST_PIECE = 3
"""A shorter piece of a word begins too many other words to speak for it."""

Piece = tuple[int, str]
"""A token's id and its text, empty where it is not known."""
Tokenize = Callable[[str], Sequence[Piece]]


class LabelTokens:
    """Finds the first tokens of label words, asking the server's tokenizer once for each spelling.

    A word is looked for as it is spelled and after a space, then in lower, capital and upper case with and without a
    space before it. The first token of the word's own spelling always speaks for it; that of another case does if it
    is the whole word or a piece of at least three letters. A token that two words share speaks for neither.

    """

    def __init__(self) -> None:
        self._pieces: dict[str, tuple[Piece, ...]] = {}
        self._known: dict[tuple[str, ...], dict[str, tuple[int, ...]]] = {}
        self._lock = threading.Lock()

    def of(self, words: tuple[str, ...], tokenize: Tokenize) -> dict[str, tuple[int, ...]]:
        """The ids that speak for each word; no id twice.

        Args:
            tokenize: the tokens of a text, without special tokens. What it raises is raised.

        Raises:
            BadInput: two words begin with the same token as they are spelled, a word has no token, or there are
                more words than a server reads at once.
        """
        with self._lock:
            if words not in self._known:
                self._known[words] = self._assign(words, tokenize)
            return self._known[words]

    def _assign(self, words: tuple[str, ...], tokenize: Tokenize) -> dict[str, tuple[int, ...]]:
        own = {word: _own(word, self._split(word, tokenize)) for word in words}
        _distinct(words, own)
        found = {word: [token] for word, token in own.items()}
        # Spelling by spelling for all words, so that each word is looked for as thoroughly as the others.
        for spell in _SPELLINGS:
            more = {word: _case(self._split(spell(word), tokenize)) for word in words}
            if sum(len({*found[word], *more[word]}) for word in words) > MOST_IDS:
                break
            found = {word: list(dict.fromkeys([*found[word], *more[word]])) for word in words}
        shared = {
            token for token, count in Counter(t for tokens in found.values() for t in tokens).items() if count > 1
        }
        lost = [word for word in words if own[word] in shared]
        if lost:
            others = sorted(word for word in words if own[lost[0]] in found[word] and word != lost[0])
            raise _alike(lost[0], others[0])
        return {word: tuple(token for token in tokens if token not in shared) for word, tokens in found.items()}

    def _split(self, text: str, tokenize: Tokenize) -> tuple[Piece, ...]:
        if text not in self._pieces:
            self._pieces[text] = tuple(tokenize(text))
        return self._pieces[text]


def _own(word: str, pieces: Sequence[Piece]) -> int:
    if not word.strip() or not pieces:
        raise BadInput(f"the label word {word!r} has no token", "give every label a word that can be written")
    return pieces[0][0]


def _case(pieces: Sequence[Piece]) -> tuple[int, ...]:
    # Vocabularies mark a space before a word by a letter of their own.
    enough = len(pieces) == 1 or (pieces and len(pieces[0][1].strip("Ġ▁ ")) >= SHORTEST_PIECE)
    return (pieces[0][0],) if enough else ()


def _spellings() -> Iterator[Callable[[str], str]]:
    for change in (str, str.lower, str.capitalize, str.upper):
        yield lambda word, change=change: change(word)
        yield lambda word, change=change: " " + change(word)


_SPELLINGS = tuple(_spellings())


def _distinct(words: tuple[str, ...], own: dict[str, int]) -> None:
    if len(words) > MOST_IDS:
        hint = "use fewer labels, or have the model write its label out"
        raise BadInput(f"{len(words)} label words; a server reads at most {MOST_IDS} at once", hint)
    seen: dict[int, str] = {}
    for word in words:
        if own[word] in seen:
            raise _alike(seen[own[word]], word)
        seen[own[word]] = word


def _alike(one: str, other: str) -> BadInput:
    what = f"the label words {one!r} and {other!r} cannot be told apart by their first token"
    return BadInput(what, "give one of them another word")
