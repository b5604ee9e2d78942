"""What of a reply is the answer of this turn: no thoughts, and nothing that the model made up behind it."""

import re
from collections.abc import Iterator

_THOUGHT = re.compile(r"<(/?)(?:think(?:ing)?|thoughts?|reasoning)>", re.IGNORECASE)
_ROLE = re.compile(
    r"^[ \t>]*(?:#{1,6} |\*\*|\[)?(?:user|human|assistant|system)(?:\*\*|\])?[ \t]*(?::|$)"
    r"|^#{1,6} (?:instances|instructions?|input|task)\b"
    r"|<\|[^|\n]{1,24}\|>",
    re.IGNORECASE | re.MULTILINE,
)
_MAX_TURNS = 4  # each may be read as an answer: a bound keeps the time linear


def answer_part(text: str) -> str:
    """Return what follows the thoughts of a reasoning model (`<think> … </think>`), up to a thought that never ends.

    The whole text if it has no thoughts; nothing if it is all one thought.
    """
    start = 0
    for tag in _THOUGHT.finditer(text):
        if tag[1]:
            start = tag.end()
    opened = next((tag for tag in _THOUGHT.finditer(text, start)), None)
    return text[start : opened.start() if opened else len(text)]


def is_thought(text: str) -> bool:
    """Whether a reply is all thoughts, the last of them without an end."""
    return not answer_part(text).strip() and _THOUGHT.search(text) is not None


def turns(text: str) -> Iterator[str]:
    """Yield the beginnings of a reply that end where a line or a control token starts another turn; shortest first."""
    for count, role in enumerate(_ROLE.finditer(text)):
        if count == _MAX_TURNS:
            return
        if text[: role.start()].strip():
            yield text[: role.start()]
