"""The allowed ids, as a model may write them."""

import re
from collections.abc import Collection, Iterable, Sequence

from prompts.replies.plain import plain

NOUNS = (
    "id|idx|index|instance|item|number|nr|num|text|sample|example|sentence|review|document|doc|candidate|option|entry"
    "|datapoint|row|question|message|tweet|case|comment|post|headline|article|record"
)
_GLUED = re.compile(rf"(?:{NOUNS}|ex|inst)_*(\d\w*)", re.IGNORECASE)
_ANY_GLUED = re.compile(r"[^\W\d_]{1,12}_*(\d{2,})")
_CODE = re.compile(r"([^\W\d_]{1,12})\d+")
_APART = re.compile(r"(-| (?=\d+[*'\"\]_]{0,3}(?:[,;:.)\]|]|\s*$| and\b| &)))(\d+)(?!\w)")
_EDGES = re.compile(r"^\W+|\W+$")
_DIGITS = re.compile(r"\d+")
_LETTERS = re.compile(r"[^\W\d_]+")


class Known:
    """Finds an allowed id behind its spelling: exact, else without regard to case or leading zeros if only one fits.

    Args:
        allowed: the ids; what matters of them is their spelling after `plain`.
    """

    def __init__(self, allowed: Collection[str]) -> None:
        keys = [(_key(each), each) for each in dict.fromkeys(str(each) for each in allowed)]
        in_sets = isinstance(allowed, (set, frozenset))
        self._place = None if in_sets else {each: place for place, (_, each) in enumerate(keys)}
        self.exact = _unambiguous(keys)
        self.folded = _single((key.casefold(), each) for key, each in keys)
        self.numbers = _single((str(int(key)), each) for key, each in keys if _is_number(key))
        self.shapes = frozenset(shape(key) for key in self.exact)
        self.pattern = re.compile(
            "|".join([r"\w+", *(re.escape(key) for key in self.exact if not re.search(r"\w", key))])
        )
        self._plain_numbers = all(map(_is_number, self.exact))
        codes = [code[1].casefold() for key in self.exact if (code := _CODE.fullmatch(key))]
        self._letters = frozenset(codes) - self.folded.keys()
        self._long: dict[str, list[int]] = {}
        for key in {key for key in self.exact if re.search(r"\W", key) and re.search(r"\w", key)}:
            first = re.match(r"\w+", key)
            lengths = self._long.setdefault(first[0].casefold() if first else "", [])
            if len(key) not in lengths:
                lengths.append(len(key))
        for lengths in self._long.values():
            lengths.sort(reverse=True)

    def in_order(self, ids: Sequence[str]) -> bool:
        """Whether ids follow each other as they were shown; of a set, whose order is unknown, any do."""
        if self._place is None:
            return True
        places = [self._place[each] for each in ids]
        return places == list(range(places[0], places[0] + len(places)))

    def at(self, line: str, start: int, word: str) -> tuple[str, int] | None:
        """Return the id of more than one word that starts here, and where it ends."""
        for length in self._long.get(word.casefold(), ()):
            end = start + length
            text, following = line[start:end], line[end : end + 1]
            if len(text) == length and not (following.isalnum() and text[-1:].isalnum()):
                found = self.exact.get(text) or self.folded.get(text.casefold())
                if found is not None:
                    return found, end
        return self._apart(line, start + len(word), word)

    def _apart(self, line: str, end: int, letters: str) -> tuple[str, int] | None:
        """Return the id `k7` that is written `k-7`, or in a list `k 7`, and where it ends."""
        if letters.casefold() not in self._letters or not (digits := _APART.match(line, end)):
            return None
        found = self.word(letters + digits[2])
        return None if found is None else (found, digits.end())

    def word(self, word: str) -> str | None:
        """Return the id that a single word stands for, if any."""
        found = self.exact.get(word) or self.folded.get(word.casefold())
        if found is None and _is_number(word):
            found = self.numbers.get(str(int(word)))
        if found is None and word != (bare := word.strip("_")):
            return self.word(bare) if bare else None
        if found is None and (glued := _GLUED.fullmatch(word)):
            return self.word(glued[1])
        if found is None and self._plain_numbers and (glued := _ANY_GLUED.fullmatch(word)):
            return self.word(glued[1])
        return found

    def resembles(self, word: str) -> bool:
        """Whether a word looks like an id, though none that is allowed: a number, or `ex1` where `k7` is one."""
        return word.isdecimal() or (any(map(str.isdigit, word)) and shape(word) in self.shapes)


def shape(word: str) -> str:
    """Return the word with every run of digits as 9 and every run of letters as a."""
    return _LETTERS.sub("a", _DIGITS.sub("9", word))


def _key(each: str) -> str:
    key = plain(each).strip()
    return _EDGES.sub("", key) or key


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= 18


def _groups(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for key, each in pairs:
        if key:
            groups.setdefault(key, []).append(each)
    return groups


def _single(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Map spelling to id where only one id is spelt so."""
    return {key: ids[0] for key, ids in _groups(pairs).items() if len(ids) == 1}


def _unambiguous(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Map spelling to id; a spelling of several ids stands for the one spelt exactly so, or for none."""
    chosen = {
        key: ids[0] if len(ids) == 1 else next((each for each in ids if each == key), None)
        for key, ids in _groups(pairs).items()
    }
    return {key: each for key, each in chosen.items() if each is not None}
