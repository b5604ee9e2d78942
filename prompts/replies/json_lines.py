"""JSON in a reply as a headed list: one entry a line, its id first."""

import re
from collections.abc import Iterator
from typing import Any, cast

from prompts.replies.json_values import scalar, values
from prompts.replies.known import Known
from prompts.replies.polarity import is_refused


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_CHOSEN = _words(
    "selected select selection chosen choice choices answer answers picks picked pick final output result results"
)
_NAMING = _words("ids id indices indexes instances instance list items item numbers texts")
_GOOD = _words(
    "notable best top good yes keep informative useful valuable hard hardest difficult difficulty diverse"
    " diversity informativeness uncertain ambiguous representative recommended recommendations label annotate"
)
_BAD = _words(
    "not non no other others rest note notes reason reasons reasoning thought thoughts analysis rationale"
    " comment comments drop drops dropped bad easy least worst left avoid avoided considered candidates alternatives"
    " backup deselect deselected unselected unchosen unlabeled excluding except redundant uninformative"
)
_BAD_STEM = re.compile(r"reject|exclu|skip|remain|discard|ignor|omit|remov|explan|justif")
_ORDINAL = _words("number no nr index idx position rank order score rating")
_VERDICT = _words("select selected choose chosen pick picked include included decision verdict keep label")
_SAID = re.compile(
    r"(?:do )?(?:not|don't)(?: (?:select|choose|pick|include|keep|label)\w*)?|no|yes|true|false|0|1"
    r"|(?:select|choose|pick|includ|keep|skip|reject|exclud|omit|discard|drop)\w*|chosen",
    re.IGNORECASE,
)
_MAX_DEPTH = 8
_EXACT, _GROUP, _NAME, _ADJECTIVE = 4, 3, 2, 1


def json_lines(text: str, known: Known) -> str:
    """Replace JSON objects, and arrays that hold more than ids, by a headed list; leave everything else."""
    if "{" not in text and not re.search(r"\[\s*[\"']", text):
        return text
    pieces, position = list[str](), 0
    for found in values(text):
        lines = list(_value_lines(found.value, known, 0))
        if not lines:
            continue
        between = text[position : found.start]
        goes_on = bool(pieces) and not between.strip(" \t\n,")
        pieces += [
            "" if goes_on else between,
            "" if goes_on or _denied(between) else "\nSelected:\n",
            "\n".join(lines),
            "\n",
        ]
        position = found.end
    return "".join([*pieces, text[position:]])


def _denied(before: str) -> bool:
    """Whether the line above a value says that these are not chosen."""
    lines = [line for line in before[-400:].replace("```json", "").replace("```", "").splitlines() if line.strip()]
    return bool(lines) and lines[-1].rstrip(" *_").endswith(":") and is_refused(lines[-1])


def _value_lines(value: Any, known: Known, depth: int) -> Iterator[str]:
    """Yield a line for each entry of a decoded value."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for entry in cast(list[Any], value):
            yield from _value_lines(entry, known, depth + 1)
    elif isinstance(value, dict):
        yield from _object_lines(cast(dict[str, Any], value), known, depth)
    elif not isinstance(value, bool) and (said := scalar(value)) is not None:
        yield said


def _object_lines(fields: dict[str, Any], known: Known, depth: int) -> Iterator[str]:
    by_id = [name for name in fields if known.word(name) is not None]
    identity = None if by_id else _identity(fields, known)
    if identity is not None:
        yield _entry(identity, fields)
    elif by_id:
        for name, value in fields.items():
            yield _entry(name, cast(dict[str, Any], value)) if isinstance(value, dict) else f"{name}: {_say(value)}"
    elif lists := _best_fields(fields, nested=True) or _best_fields(fields, nested=False):
        for name in lists:
            yield from _value_lines(fields[name], known, depth + 1)


def _entry(identity: str, fields: dict[str, Any]) -> str:
    """Return an id with the verdict of its record, if that has one."""
    said = next((_say(value) for name, value in fields.items() if _VERDICT & set(_parts(name))), "")
    if not _SAID.fullmatch(said):
        return identity
    return f"{identity}: {'no' if said == '0' else 'yes' if said == '1' else said}"


def _identity(fields: dict[str, Any], known: Known) -> str | None:
    """Return the id of a record: what is called an id, else a field that holds an allowed one, ordinals last."""
    said = {
        name: value
        for name, each in fields.items()
        if not isinstance(each, bool) and (value := scalar(each)) is not None
    }
    parts = {name: _parts(name) for name in said}
    called = [name for name in said if "id" in parts[name] and parts[name] != ["ids"]]
    if called:
        return said[next((name for name in called if known.word(said[name]) is not None), called[0])]
    if any(isinstance(value, (list, dict)) for value in fields.values()):
        return None
    held = [name for name in said if known.word(said[name]) is not None and not set(parts[name]) & (_BAD - {"no"})]
    held = [name for name in held if len(fields) > 1 or set(parts[name]) & (_NAMING | _ORDINAL)]
    real = [name for name in held if not set(parts[name]) & _ORDINAL]
    named = [name for name in held if parts[name] in (["number"], ["no"], ["nr"], ["index"], ["idx"])]
    chosen = real if len(real) == 1 else [] if real else named
    return said[chosen[0]] if chosen else None


def _best_fields(fields: dict[str, Any], nested: bool) -> list[str]:
    """Return the fields that hold the choice, by their names: one where names rank differently, else all of a rank."""
    names = [name for name, value in fields.items() if isinstance(value, (list, dict)) == nested and value is not None]
    ranks = {name: _rank(name) for name in names}
    best = max(ranks.values(), default=0)
    if best < (0 if nested else _NAME):
        return []
    equals = [name for name in names if ranks[name] == best]
    if best == _EXACT:
        return equals[-1:]
    return equals if len(equals) == 1 or best in (_GROUP, _ADJECTIVE) else []


def _rank(name: str) -> int:
    """Say how plainly the name of a field offers what it holds as the choice; below 0 if it does not."""
    parts = _parts(name)
    if any(part in _BAD or _BAD_STEM.match(part) for part in parts):
        return -1
    if any(part in _CHOSEN for part in parts):
        return _EXACT if all(part in _CHOSEN or part in _NAMING for part in parts) else _GROUP
    if parts[:1] in (["rank"], ["position"], ["top"]) and parts[-1].isdecimal():
        return _GROUP
    return _NAME if any(part in _NAMING for part in parts) else int(any(part in _GOOD for part in parts))


def _parts(name: str) -> list[str]:
    return [part.casefold() for part in _PART.findall(name[:200])]


def _say(value: Any) -> str:
    said = scalar(value)
    return " ".join(str(value).split()) if said is None else said
