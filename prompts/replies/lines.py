"""What a line of a reply is: only ids, an entry about one id, prose with ids in it, or text."""

import re
from itertools import pairwise
from typing import Literal, NamedTuple

from prompts.replies.known import Known
from prompts.replies.polarity import WEAK, Verdict, Weight, grade, is_contrast, is_refused, verdict, weight
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
_GOES_ON = re.compile(r"[^\w,]*, (?:and|then|also) [^\w,]*", re.IGNORECASE)
_ASIDE = re.compile(r"[(\[][*_'\"#]*$")
_BEHIND = re.compile(r"[*_'\"]*[)\]]")
_TEXT_FOLLOWS = re.compile(
    r"[*'\")_]{0,4}(?:\] |: |(?: - |[.)] )(?=\S+ (?!is\b|are\b|was\b|were\b|should\b|would\b|seem)))"
)
_CLAUSE_END = re.compile(r"[.!?][*'\")\]]* |; | - ")
_NOT_CHOSEN = frozenset(("were", "was", "would", "could", "if"))
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
    found = _in_asides(text, _without_text(text, runs(text, tokens), tokens))
    if not found:
        return Line(text, "text" if tokens else "blank", (), verdict(text), weight(text))
    listed = {token.start for run in found for token in run}
    if all(token.kind != "word" or token.start in listed for token in tokens):
        rest = text[found[-1][-1].end :] if len(found[-1]) == 1 else ""
        called = tuple(map(_called, found))
        return _pair(text, found) or Line(text, "pure", called, verdict(rest), weight(rest))
    rest = text[found[0][-1].end :]
    said = verdict(rest)
    if _subject(text, found[0], alone=len(found) == 1 or (said is not None and not _offers_more(text, found))):
        called = tuple(run for run in found if run[0].explicit)
        return Line(text, "entry", called or (found[0],), said, weight(rest))
    return Line(text, "prose", tuple(found), verdict(text))


def _offers_more(text: str, found: list[tuple[Token, ...]]) -> bool:
    """Whether a line that speaks of one id goes on to offer others: `17 is easy, so I choose 42`."""
    leads = [text[before[-1].end : after[0].start][-240:] for before, after in pairwise(found)]
    return any(grade(lead) >= WEAK and not is_refused(lead) for lead in leads)


def _without_text(text: str, found: list[tuple[Token, ...]], tokens: list[Token]) -> list[tuple[Token, ...]]:
    """Keep the subject of `[58] 12 angry men`: what follows its sign is a text, if that goes on in words."""
    if not found or len(found[0]) < 2 or not _is_margin(text[: found[0][0].start]):
        return found
    first, second, last = found[0][0], found[0][1], found[0][-1]
    gap = text[first.end : second.start]
    words = any(
        token.kind == "word" and token.start > last.end and text[last.end : token.start].isspace() for token in tokens
    )
    sign = _TEXT_FOLLOWS.match(text, first.end)
    many = len(found[0]) > 2 and sign is not None and sign[0].strip("*'\")_ ") not in ("]", ":")
    if not words or many or sign is None or sign.end() != second.start or "[" in gap:
        return found
    return [(first,), *found[1:]]


def _is_margin(lead: str) -> bool:
    opening = _MARKUP.match(lead)
    return all(is_noun(word) for word in re.findall(r"\w+", lead[opening.end() if opening else 0 :]))


def _in_asides(text: str, found: list[tuple[Token, ...]]) -> list[tuple[Token, ...]]:
    """Join ids that stand behind their descriptions, as in `the 2001 one (17) and the mixed one (42)`."""
    aside = {run[0].start for run in found if _is_aside(text, run)}
    if len(aside) < 2:
        return found
    joined: list[list[Token]] = []
    open_ = False
    for run in found:
        stands_aside = run[0].start in aside
        between = text[joined[-1][-1].end : run[0].start] if open_ and stands_aside else ""
        if between and not is_refused(between[-240:]) and not _SENTENCE_END.search(between):
            joined[-1] += run
        elif stands_aside or any(token.kind == "id" for token in run):
            joined.append(list(run))
            open_ = stands_aside
    return list(map(tuple, joined))


def _is_aside(text: str, run: tuple[Token, ...]) -> bool:
    before = text[max(0, run[0].start - 12) : run[0].start]
    described = _ASIDE.search(before) is not None and re.search(r"\w\W*$", before) is not None
    return len(run) == 1 and described and _BEHIND.match(text, run[0].end) is not None


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
        mark = _CLAUSE_END.search(gap[:20]) if wordy and found[-1] else None
        ends = mark is not None and _speaks(text, tokens, index, always=mark[0][0] in ".!?")
        ends = ends or (token.kind == "id" and len(found[-1]) == 1 and _turns(text, found[-1][0], token))
        if (token.kind == "word" and not element) or ends:
            found.append([])
        if token.kind in ("id", "unknown") or element:
            found[-1].append(token)
    return [tuple(run) for run in found if any(token.kind in ("id", "unknown") for token in run)]


def _speaks(text: str, tokens: list[Token], index: int, always: bool) -> bool:
    """Whether a token starts a sentence about ids, not the next entry of a list."""
    for last, following in pairwise(tokens[index : index + 12]):
        gap = text[last.end : following.start]
        if following.kind == "word":
            return last.kind != "glue" and gap.isspace() and (always or following.value in _NOT_CHOSEN)
        if _SENTENCE_END.search(gap[:20]):
            return False
    return False


def _turns(text: str, before: Token, token: Token) -> bool:
    """Whether an id goes on with the choice behind a contrast, as in `42 instead of 17, and 58 rather than 63`."""
    goes_on = _GOES_ON.fullmatch(text[before.end : token.start]) is not None
    return goes_on and is_contrast(text[max(0, before.start - 24) : before.start])


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
        sign = _LIST_SEPARATOR.match(text, last.end)
        return sign is not None and (alone or not sign[0].endswith("."))
    return _SEPARATOR.match(text, first.end) is not None or (alone and text[first.end : first.end + 1] == " ")
