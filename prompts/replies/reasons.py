"""Why a model chose what it chose: the line it wrote about each instance."""

import re
from collections.abc import Collection

from prompts.replies.known import NOUNS, Known
from prompts.replies.turn import answer_part

LONGEST = 300
_ENTRY = re.compile(
    rf"[\s*_#>-]*(?:\d+[.)]\s+)?(?:(?:{NOUNS})\s+)?[\[(\"'*]*(\w+)[\])\"'*]*\s*(?:[:=–—-]|\bis\b|\s)\s*(.*\w.*)",
    re.IGNORECASE,
)


def parse_reasons(text: str | None, *, allowed: Collection[str]) -> dict[str, str]:
    """What stands behind an id at the start of a line, by id; the first line where an id has several.

    Args:
        text: the reply as it came.
        allowed: the ids that were shown; no other becomes a key.

    Returns:
        At most `LONGEST` characters an id, one line each; nothing for ids without such a line. Never raises.
    """
    known, reasons = Known(allowed), dict[str, str]()
    for line in answer_part(text if isinstance(text, str) else "").splitlines():
        entry = _ENTRY.match(line[:2000])
        id_ = known.word(entry[1]) if entry else None
        if entry and id_ is not None:
            reasons.setdefault(id_, " ".join(entry[2].split()).strip(" *_")[:LONGEST])
    return reasons
