"""What a line of a reply is: only ids, an entry about one id, prose with ids in it, or text."""

import re
from typing import Literal, NamedTuple

from prompts.replies.known import Known
from prompts.replies.polarity import Verdict, Weight, verdict, weight
from prompts.replies.scan import Token, is_noun, scan

LineKind = Literal["blank", "text", "pure", "entry", "prose"]

_MARKUP = re.compile(r"(?:[\s>*+#|'\"(\[{<_=-]|\[[ xX]\])*")
_CHECKBOX = re.compile(r"[\s>*+-]*\[([ xX])\] ?")
_SEPARATOR = re.compile(
    r"[*'\"_)\]}>|,]{0,4} ?(?::|-|\.(?!\d)|\)|\]|\||=|,|$|\(|[*'\"]|(?:because|since|due to|as it|for its|which)\b)",
    re.IGNORECASE,
)
_LIST_SEPARATOR = re.compile(r"[*'\"_)\]]{0,4} ?(?::|- |\.)")
_SENTENCE_END = re.compile(r"[.!?][*'\")\]]* ")
_KEY_END = re.compile(r"[\"']\s?:")
_LIST_MARK = ",;:[(\"'|{"


class Line(NamedTuple):
    """A line with its lists of ids. `runs` holds each maximal list; an `entry` has one, its subject, at the start."""

    text: str
    kind: LineKind
    runs: tuple[tuple[Token, ...], ...]
    verdict: Verdict | None = None
    weight: Weight = "words"
    """How surely the verdict is one."""


def classify(text: str, known: Known) -> Line:
    """Say what a line is."""
    box = _CHECKBOX.match(text)
    if box is None:
        return _classify(text, known)
    line = _classify(text[box.end() :], known)
    ticked: Verdict = "no" if box[1] == " " else "yes"
    return line._replace(verdict=ticked, weight="only") if line.kind in ("pure", "entry") else line


def _classify(text: str, known: Known) -> Line:
    tokens = scan(text, known)
    found = runs(text, tokens)
    if not found:
        return Line(text, "text" if tokens else "blank", (), verdict(text), weight(text))
    listed = {token.start for run in found for token in run}
    if all(token.kind != "word" or token.start in listed for token in tokens):
        rest = text[found[-1][-1].end :] if len(found[-1]) == 1 else ""
        called = tuple(map(_called, found))
        return _pair(text, found) or Line(text, "pure", called, verdict(rest), weight(rest))
    rest = text[found[0][-1].end :]
    said = verdict(rest)
    if _subject(text, found[0], alone=said is not None or len(found) == 1):
        called = tuple(run for run in found if run[0].explicit)
        return Line(text, "entry", called or (found[0],), said, weight(rest))
    return Line(text, "prose", tuple(found), verdict(text))


def _called(run: tuple[Token, ...]) -> tuple[Token, ...]:
    """Of "5 [ID: 15], 8 [ID: 18]", keep what is called an id."""
    called = tuple(token for token in run if token.explicit)
    return called if called and not run[0].explicit else run


def _pair(text: str, found: list[tuple[Token, ...]]) -> Line | None:
    """Read `17: 4` as an entry with a score; a score of 0 is a no."""
    run = found[0]
    if len(found) > 1 or len(run) != 2 or text[run[0].end : run[1].start].strip("*'\" ") not in (":", "=", ":="):
        return None
    zero = text[run[1].start : run[1].end] == "0"
    return Line(text, "entry", ((run[0],),), "no" if zero else None, "only")


def runs(text: str, tokens: list[Token]) -> list[tuple[Token, ...]]:
    """Return the maximal lists of ids: tokens between which only list punctuation and glue words stand."""
    wordy = any(token.kind == "word" for token in tokens)
    found: list[list[Token]] = [[]]
    for index, token in enumerate(tokens):
        gap = text[tokens[index - 1].end : token.start] if index else text[: token.start]
        after = text[token.end : tokens[index + 1].start] if index + 1 < len(tokens) else ","
        element = token.kind == "word" and _is_element(gap, after, bool(found[-1]))
        ends = wordy and found[-1] and _SENTENCE_END.search(gap[:20]) and _speaks(text, tokens, index)
        if (token.kind == "word" and not element) or ends:
            found.append([])
        if token.kind in ("id", "unknown") or element:
            found[-1].append(token)
    return [tuple(run) for run in found if any(token.kind in ("id", "unknown") for token in run)]


def _speaks(text: str, tokens: list[Token], index: int) -> bool:
    """Whether a token starts a sentence of words, not the next entry of a list."""
    following = tokens[index + 1] if index + 1 < len(tokens) else None
    return following is not None and following.kind == "word" and text[tokens[index].end : following.start].isspace()


def _is_element(before: str, after: str, inside: bool) -> bool:
    """Whether a word stands alone between the marks of a list; behind a colon only where the list starts."""
    left, right = before.rstrip()[-1:], after.lstrip()[:1]
    if _KEY_END.match(after):
        return False
    opens = re.search(r"[,;|]", before[-12:]) is not None if inside else left != "" and left in _LIST_MARK
    return opens and right != "" and right in ",;)]}\"'|"


def _subject(text: str, run: tuple[Token, ...], alone: bool) -> bool:
    """Whether a line speaks about the ids that it starts with; without a sign behind them, only if `alone`."""
    opening = _MARKUP.match(text)
    first, last = run[0], run[-1]
    lead = text[opening.end() if opening else 0 : first.start]
    if len(lead) > 40 or not all(is_noun(word) for word in re.findall(r"\w+", lead)):
        return False
    if first is not last:
        return _LIST_SEPARATOR.match(text, last.end) is not None
    return _SEPARATOR.match(text, first.end) is not None or (alone and text[first.end : first.end + 1] == " ")
