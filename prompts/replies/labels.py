"""Which label a model gave, and why."""

import re
from collections.abc import Collection
from typing import NamedTuple

from prompts.replies.answers import Label, Rationale, Refusal
from prompts.replies.plain import plain
from prompts.replies.turn import answer_part

_MARKERS = re.compile(
    r"\b(?:label|category|class|answer|natural|verdict|classification|sentiment|topic)\b[\s*_'\"]{0,6}(?::|=|\bis\b|->)",
    re.I,
)
_OPENING = re.compile(r"[\s*_'\"(\[{<#>:-]*")
_CLOSING = re.compile(r"[*_'\"\])}>]{0,4} ?(?:[.,:;!\n(-]|$)")
_NEGATION = re.compile(
    r"(?:\bnot|n't|\bneither|\bnor|\bnever|\bthan|\brather than|\binstead of)[\s*_'\"]+"
    r"(?:a |an |the |really |very )?[*_'\"]{0,3}$",
    re.I,
)
_REASON = re.compile(r"\b(?:reason|reasoning|rationale|explanation|because)[\s*_]{0,4}:[\s*_]*", re.IGNORECASE)
_GAP = re.compile(r"[\s_-]+")


def parse_label(text: str | None, *, words: Collection[str]) -> Label | Refusal:
    """Read one label from a reply; never raises on any text.

    In this order: the word behind the last "Label:" (or "Category:", "Answer is", …); the word that the reply starts
    with, if the sentence ends there; the only word that the reply mentions and does not negate. Case, and spaces,
    hyphens and underscores inside a word, do not matter where the words stay different without them. A word inside a
    longer one (`spam` in `not spam`) is not found.

    Args:
        text: the reply as it came.
        words: the label words that were allowed.

    Returns:
        The word as it is spelt in `words`; or a refusal if the reply names none, or several.
    """
    raw = text if isinstance(text, str) else ""
    if not raw.strip():
        return Refusal(reason="the reply is empty", raw=raw)
    finder = _finder(words)
    if finder is None:
        return Refusal(reason="no label was allowed", raw=raw)
    reply = plain(answer_part(raw)).strip()
    reply = reply if finder.exact else reply.casefold()
    word = _marked(reply, finder) or _first(reply, finder)
    labels = sorted({word} if word else _mentioned(reply, finder))
    match labels:
        case [label]:
            return Label(label=label, raw=raw)
        case []:
            return Refusal(reason=f"the reply names no label: {' '.join(raw.split())[:60]!r}", raw=raw)
        case _:
            return Refusal(reason=f"the reply names several labels: {', '.join(labels)[:80]}", raw=raw)


def parse_rationale(text: str | None, *, words: Collection[str]) -> Rationale | Refusal:
    """Read a label and the reason given for it: what stands behind "Reason:", else what stands around the label.

    Args:
        text: the reply as it came.
        words: the label words that were allowed.

    Returns:
        Both; or a refusal if the reply names no label, or several, or gives no reason.
    """
    label = parse_label(text, words=words)
    if isinstance(label, Refusal):
        return label
    reply = answer_part(label.raw)
    marks = list(_MARKERS.finditer(reply))
    explicit = _REASON.search(reply)
    if explicit:
        end = marks[-1].start() if marks and marks[-1].start() >= explicit.end() else len(reply)
        reason = reply[explicit.end() : end]
    elif marks and re.search(r"\w", reply[: marks[-1].start()]):
        reason = reply[: marks[-1].start()].rsplit("\n", 1)[0]
    else:
        reason = _after_first(reply[marks[-1].end() :] if marks else reply)
    reason = " ".join(reason.split()).strip(" *_#-")
    if not re.search(r"\w", reason):
        return Refusal(reason="the reply gives no reason", raw=label.raw)
    return Rationale(label=label.label, reason=reason, raw=label.raw)


def _after_first(reply: str) -> str:
    """Return what follows the first line or the first sentence end."""
    parts = re.split(r"\n|[.:;,-] ", reply.strip(), maxsplit=1)
    return parts[1] if len(parts) == 2 else ""


def _normal(word: str) -> str:
    return _GAP.sub(" ", plain(word)).strip().casefold() or plain(word).strip()


class _Finder(NamedTuple):
    """Finds label words in a reply; `words` are theirs by the groups of the pattern, which knows one case only."""

    pattern: re.Pattern[str]
    words: tuple[str, ...]
    exact: bool
    """Whether case counts; else the reply has to be case-folded."""

    def word(self, found: re.Match[str]) -> str:
        return self.words[(found.lastindex or 1) - 1]


def _finder(words: Collection[str]) -> _Finder | None:
    """A finder of all words, longest first; None where no word holds a character."""
    spelt = {_normal(word): word for word in words}
    exact = len(spelt) < len(set(words))
    if exact:  # words that differ in case or punctuation only are taken literally
        spelt = {plain(word).strip(): word for word in words}
    keys = sorted((key for key in spelt if key), key=len, reverse=True)
    if not keys:
        return None
    forms = [re.escape(key) if exact else r"[\s_-]".join(map(re.escape, key.split(" "))) for key in keys]
    joined = "|".join(f"({form})" for form in forms)
    pattern = re.compile(rf"(?<![^\W_])(?:{joined})(?![^\W_])")
    return _Finder(pattern, tuple(spelt[key] for key in keys), exact)


def _marked(reply: str, finder: _Finder) -> str | None:
    """Return the word right behind the last marker that has one."""
    for marker in reversed(list(_MARKERS.finditer(reply))):
        opening = _OPENING.match(reply, marker.end())
        found = finder.pattern.match(reply, opening.end() if opening else marker.end())
        if found:
            return finder.word(found)
    return None


def _first(reply: str, finder: _Finder) -> str | None:
    opening = _OPENING.match(reply)
    found = finder.pattern.match(reply, opening.end() if opening else 0)
    return finder.word(found) if found and _CLOSING.match(reply, found.end()) else None


def _mentioned(reply: str, finder: _Finder) -> set[str]:
    return {
        finder.word(found)
        for found in finder.pattern.finditer(reply)
        if not _NEGATION.search(reply[max(0, found.start() - 30) : found.start()])
    }
