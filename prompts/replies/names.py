"""The ids that a list names, ranges written out."""

import re
from typing import NamedTuple

from prompts.replies.candidates import Candidate
from prompts.replies.known import Known
from prompts.replies.scan import Token

_NUMBERED = re.compile(r"(.*?)(\d+)", re.DOTALL)


class Name(NamedTuple):
    """An entry of a list."""

    is_id: bool
    """It names an id that is allowed."""
    value: str


def names(offer: Candidate, known: Known, wanted: int) -> list[Name]:
    """Return (is an allowed id, its name) for every entry of a list, ranges written out."""
    found: list[Name] = []
    for line, run in offer.parts:
        tokens = _without_count(line, run, wanted)
        for index, token in enumerate(tokens):
            between = _range(line, tokens, index, known, wanted)
            found += [Name(True, value) for value in between] or [Name(token.kind == "id", token.value)]
    return found


def _without_count(line: str, run: tuple[Token, ...], wanted: int) -> tuple[Token, ...]:
    """Drop the first number of "choose 3: 5, 8, 9"."""
    if len(run) < 2 or not run[0].bare:
        return run
    written, gap = line[run[0].start : run[0].end], line[run[0].end : run[1].start]
    is_count = written.isascii() and int(written) in (len(run) - 1, wanted)
    return run[1:] if gap.lstrip("*'\") ").startswith(":") and is_count else run


def _range(line: str, tokens: tuple[Token, ...], index: int, known: Known, wanted: int) -> list[str]:
    """Return the ids of a range that ends here, without its first; nothing where no range ends here."""
    if index == 0 or tokens[index].kind != "id" or tokens[index - 1].kind != "id":
        return []
    if _gap(line, tokens, index) not in ("-", "--", "to", "through", "thru", ".."):
        return []
    chained = _gap(line, tokens, index - 1) == "-" or _gap(line, tokens, index + 1) == "-"
    if chained or (len(tokens) == 2 and wanted == 2):
        return []
    first, last = _NUMBERED.fullmatch(tokens[index - 1].value), _NUMBERED.fullmatch(tokens[index].value)
    if first is None or last is None or first[1] != last[1]:
        return []
    low, high = int(first[2]), int(last[2])
    if not low < high <= low + len(known.exact):
        return []
    between = [known.word(f"{first[1]}{number}") for number in range(low + 1, high + 1)]
    return [each for each in between if each is not None] if all(between) else []


def _gap(line: str, tokens: tuple[Token, ...], index: int) -> str:
    """Return what stands between a token of a list and the one before it, brackets and quotes aside."""
    if not 0 < index < len(tokens):
        return ""
    return line[tokens[index - 1].end : tokens[index].start].strip("*'\"_[]#() ")
