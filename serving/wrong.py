"""What is wrong with something that was sent, in one line: which field, why, and the value that was given."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

LONGEST = 80
"""Characters of a value that are shown."""


def told(errors: Sequence[Any], sent: object, start: Sequence[str] = ()) -> str:
    """The first of pydantic's errors, or of a field that may be several things the one that came farthest in.

    Args:
        sent: all that was checked.
        start: what the places of the errors begin with, outside of `sent`, such as `("body",)`.
    """
    field = errors[0]["loc"][: len(start) + 1]
    first = max((each for each in errors if each["loc"][: len(field)] == field), key=lambda each: len(each["loc"]))
    loc, message, given = tuple(first["loc"]), str(first["msg"]).removeprefix("Value error, "), first.get("input")
    if first["type"] == "json_invalid" and "error" in first.get("ctx", {}) and len(loc) > len(start):
        message, given = f"no JSON: {first['ctx']['error']} at character {loc[-1]}", sent  # as FastAPI says it
        loc = loc[: len(start)]
    fields = _fields(loc[len(start) :], sent, missing=first["type"] == "missing")
    where = ".".join(map(str, (*start, *fields)))
    return f"{where + ': ' if where else ''}{message} (given: {shown(given)})"


def shown(value: object) -> str:
    """A value as text, on one line, shortened; JSON where it is neither text nor bytes."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)
    # Far more than is shown, and far less than what may have been sent.
    line = "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text[: 8 * LONGEST])
    line = " ".join(line.split())
    return line if len(line) <= LONGEST and len(text) <= 8 * LONGEST else f"{line[: LONGEST - 1]}…"


def _fields(loc: Sequence[Any], sent: object, *, missing: bool) -> list[Any]:
    """The parts of a place that name a field or an entry; of a union it also says which kind was tried."""
    found: list[Any] = []
    for n, part in enumerate(loc, 1):
        if isinstance(sent, Mapping) and (part in sent or (missing and n == len(loc))):
            sent = sent.get(part)
        elif isinstance(sent, Sequence) and isinstance(part, int) and part < len(sent):
            sent = sent[part]
        else:
            continue
        found.append(part)
    return found
