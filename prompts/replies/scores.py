"""A number for each instance, or an order of the instances."""

import math
import re
from collections.abc import Collection

from prompts.replies.answers import Indices, Refusal, Scores
from prompts.replies.indices import parse_indices
from prompts.replies.known import Known
from prompts.replies.plain import plain
from prompts.replies.rewrite import table_lines
from prompts.replies.scan import Token, scan
from prompts.replies.turn import answer_part

_VALUE = re.compile(
    r"[*'\"\])}_]{0,4} ?(?:[:=,|-]|->|\()?\s?[*'\"\[(_{]{0,4}"
    r"(?:(?:score|rating|value|informativeness|usefulness|difficulty)\w*[*'\"_]{0,4} ?[:=]? ?(?:is |of )?[*'\"_]{0,4})?"
    r"([+-]?\d+(?:\.\d+)?)(?:[*'\"_]{0,3} ?(?:/|out of) ?\d+)?(%?)(?![\w])",
    re.IGNORECASE,
)
_SPLIT = re.compile(r"[;\n]|,(?= ?[\"'{\[]?[^,:;\n]{1,40}[:=])")


def parse_scores(
    text: str | None, *, allowed: Collection[str], low: float = -math.inf, high: float = math.inf, cut: bool = False
) -> Scores | Refusal:
    """Read a score for each id, from lines such as `k7: 4`, a table or a JSON object; never raises on any text.

    Args:
        text: the reply as it came.
        allowed: the ids that were shown.
        low: smallest score that counts.
        high: largest score that counts; one outside the scale is dropped, not clipped.
        cut: whether the reply broke off at its token limit; a score at its very end may lack digits: it is dropped.

    Returns:
        The scores of the ids that got one, the last where an id got several; or a refusal if none did.
    """
    raw = text if isinstance(text, str) else ""
    if not raw.strip():
        return Refusal(reason="the reply is empty", raw=raw)
    part = answer_part(raw)
    part = part[: len(part) - len(re.split(r"\s", part)[-1])] if cut else part
    known, scores, unknown = Known(allowed), dict[str, float](), list[str]()
    lines = [line.strip() for line in plain(part).split("\n")]
    for piece in (piece for line in table_lines(lines, known, _number) for piece in _SPLIT.split(line)):
        pair = _pair(piece, known)
        if pair is None or not low <= pair[1] <= high:
            continue
        token, score = pair
        if token.kind == "id":
            scores[token.value] = score
        else:
            unknown.append(token.value)
    if not scores:
        return Refusal(reason=f"the reply scores no id that was shown: {' '.join(raw.split())[:60]!r}", raw=raw)
    return Scores(scores=scores, raw=raw, unknown=tuple(dict.fromkeys(unknown)))


def _number(cell: str) -> str | None:
    return cell if re.fullmatch(r"[+-]?\d+(?:\.\d+)?(?: ?/ ?\d+)?", cell) else None


def _pair(piece: str, known: Known) -> tuple[Token, float] | None:
    """Read `id: score` at the start of a piece, behind a list number if there is one."""
    numbering = re.match(r"[\s*>#(-]*\d{1,4}[.)] +(?=\D*\w+.*\d)", piece[:200])
    for start in dict.fromkeys((numbering.end() if numbering else 0, 0)):
        rest = piece[start:][:400]
        token = next((token for token in scan(rest, known) if token.kind in ("id", "unknown")), None)
        value = _VALUE.match(rest, token.end) if token else None
        if token and value and not re.search(r"\d", rest[: token.start]):
            return token, float(value[1])
    return None


def parse_ranking(text: str | None, *, allowed: Collection[str], cut: bool = False) -> Indices | Refusal:
    """Read an order of the ids, best first; never raises on any text.

    Args:
        text: the reply as it came.
        allowed: the ids that were shown.
        cut: whether the reply broke off at its token limit.

    Returns:
        The ids that are ranked, each once, read as `parse_indices` reads a choice; or a refusal.
    """
    return parse_indices(text, allowed=allowed, wanted=len(allowed), cut=cut)
