"""Texts that a model wrote."""

import json
import re
import unicodedata
from typing import Any, cast

from prompts.replies.answers import Items, Refusal
from prompts.replies.turn import answer_part

_NUMBERING = re.compile(
    r"\s*(?:[*_]{0,2}(?:text|example|sentence|item|review|sample|instance)? ?#?"
    r"\(?\d{1,3}(?:\.(?!\d)|[):]|\s?[-–—](?=\s))[*_]{0,2}"
    r"|[-*•·–—+](?=\s)|>)\s*",
    re.IGNORECASE,
)
_PREAMBLE = re.compile(
    r"(?:sure|certainly|of course|okay|ok|here (?:are|is)|below (?:are|is)|the following|i hope|let me know"
    r"|these (?:are|texts|sentences)"
    r"|note:|format:|texts?:|label:|category:|output:|answer:|examples?:|sentences?:)",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"^[*_]{0,2}(?:label|category|sentiment|class)[*_]{0,2}\s*:\s*[*_]{0,2}[\w /-]{1,40}[*_.]{0,3}$", re.IGNORECASE
)
_PREFIX = re.compile(
    r"^[*_]{0,2}(?:text|sentence|review|example|item|question)[*_]{0,2}\s*:\s*[*_]{0,2}\s*", re.IGNORECASE
)
_FENCE = re.compile(r"^\s*(?:```\w*|~~~\w*|\"\"\"|#{1,6}\s.*|[-=_*#]{3,}|<[^<>]{0,60}>)\s*$")
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "„": "“", "*": "*", "_": "_", "`": "`"}
_SAME = re.compile(r"[\W_]+")


def parse_items(text: str | None, *, wanted: int) -> Items | Refusal:
    """Read the texts that a model wrote, one a line, numbered or bulleted or not, or a JSON array; never raises.

    If some lines are numbered or bulleted, only these count: the others are remarks. Numbering, surrounding quotes,
    labels on their own line and repetitions (without regard to case and punctuation) are dropped.

    Args:
        text: the reply as it came.
        wanted: how many texts were asked for; more are cut.

    Returns:
        The texts in order, each once; or a refusal if there are none.
    """
    raw = text if isinstance(text, str) else ""
    if not raw.strip() or wanted < 1:
        return Refusal(reason="the reply is empty" if wanted > 0 else "no text was wanted", raw=raw)
    kept: dict[str, str] = {}
    texts = [each for each in map(_bare, _pieces(answer_part(raw))) if each and _SAME.sub("", each)]
    for each in texts:
        kept.setdefault(_SAME.sub(" ", each).strip().casefold(), each)
    items = tuple(kept.values())
    if not items:
        return Refusal(reason=f"the reply holds no text: {' '.join(raw.split())[:60]!r}", raw=raw)
    return Items(items=items[:wanted], raw=raw, repeated=len(texts) - len(items), cut=max(0, len(items) - wanted))


def _pieces(reply: str) -> list[str]:
    array = _array(reply)
    if array is not None:
        return array
    lines = [line.strip() for line in reply.splitlines() if line.strip() and not _FENCE.match(line)]
    listed = [line for line in lines if _NUMBERING.match(line)]
    lines = listed or [line for line in lines if not _PREAMBLE.match(line.lstrip("*_ ")) and not line.endswith(":")]
    return [line for line in (_unnumbered(line) for line in lines) if not _LABEL.match(line)]


def _array(reply: str) -> list[str] | None:
    start, end = reply.find("["), reply.rfind("]")
    try:
        value = (
            json.loads(reply[start : end + 1]) if 0 <= start < end and re.match(r"\[\s*[\"{]", reply[start:]) else None
        )
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, list):
        return None
    return [found for entry in cast(list[Any], value) if (found := _text_of(entry)) is not None]


def _text_of(entry: Any) -> str | None:
    if isinstance(entry, dict):
        fields = cast(dict[str, Any], entry)
        texts = [value for value in fields.values() if isinstance(value, str)]
        named = [fields[name] for name in ("text", "sentence", "review", "item") if isinstance(fields.get(name), str)]
        return next(iter(named or sorted(texts, key=len, reverse=True)), None)
    return entry if isinstance(entry, str) else None


def _unnumbered(line: str) -> str:
    numbering = _NUMBERING.match(line)
    return line[numbering.end() :] if numbering else line


def _bare(text: str) -> str:
    """Strip what a model puts around a text: a prefix, quotes, emphasis, a table bar.

    Control characters and halves of surrogate pairs, which JSON can spell and no database takes, disappear.
    """
    text = " ".join(_PREFIX.sub("", text.strip().strip("|").rstrip("\\")).split())
    if not text.isprintable():
        text = "".join(each for each in text if unicodedata.category(each) not in ("Cc", "Cs")).strip()
    while len(text) > 1 and _QUOTES.get(text[0]) == text[-1] and text[0] not in text[1:-1].strip(text[0]):
        text = text[1:-1].strip()
    if text.endswith('",'):
        text = text[:-1].strip('"')
    return text
