"""JSON inside a reply, also as Python writes it: where it stands, and what it holds."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_OPENING = re.compile(r"^[ \t]*(?=[\[{])", re.MULTILINE)
_MAX_VALUES = 20  # each attempt may read the rest of the text: a bound keeps the time linear
_MAX_LOOSE = 20_000
_BRACKET = re.compile(r"[\[\]{}]")
_TRAILING_COMMA = re.compile(r",(?=\s*[\]}])")
_WORDS = {"True": "true", "False": "false", "None": "null"}
_PYTHON = re.compile(r"\b(?:True|False|None)\b")
_SINGLE = re.compile(r"(?<![\w'])'|'(?![\w'])")


class Value(NamedTuple):
    """A decoded array or object and where it stood."""

    value: Any
    start: int
    end: int


def values(text: str) -> Iterator[Value]:
    """Yield the arrays and objects that start a line, in order; what is no JSON is left out."""
    position = 0
    for count, found in enumerate(_OPENING.finditer(text)):
        if count == _MAX_VALUES:
            return
        if found.end() >= position and (read := _read(text, found.end())):
            yield read
            position = read.end


def _read(text: str, start: int) -> Value | None:
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return _loose(text, start)
    return Value(value, start, end)


def _loose(text: str, start: int) -> Value | None:
    """Read what differs from JSON in its quotes, its words or a comma before a bracket."""
    end = _closing(text, start)
    if end is None:
        return None
    source = text[start:end]
    if '"' not in source:
        source = _SINGLE.sub('"', source)
    source = _PYTHON.sub(lambda word: _WORDS[word[0]], _TRAILING_COMMA.sub("", source))
    try:
        return Value(json.loads(source), start, end)
    except (ValueError, RecursionError):
        return None


def _closing(text: str, start: int) -> int | None:
    depth = 0
    for bracket in _BRACKET.finditer(text, start, start + _MAX_LOOSE):
        depth += 1 if bracket[0] in "[{" else -1
        if depth == 0:
            return bracket.end()
    return None


def scalar(value: Any) -> str | None:
    """Return a number, a truth value or a string as one line; None for anything else."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return " ".join(str(value).split()) if isinstance(value, (int, float, str)) else None
