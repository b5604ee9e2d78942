"""The lists of ids in a reply, each with a grade that says how plainly it is offered as the answer."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from prompts.replies.known import NOUNS
from prompts.replies.lines import Line, Verdict, verdict
from prompts.replies.scan import Token

STRONG, WEAK, VERDICTS, NEAR, BLOCK, NONE = 3.0, 2.0, 1.8, 1.4, 1.2, 0.0

_STRONG = re.compile(
    r"\b(?:final|answer|selected|selection|chosen|choices?|picks?|picked|conclusion|output|result|boxed|response)\b",
    re.IGNORECASE,
)
_HENCE = re.compile(r"\b(?:therefore|thus|hence|in conclusion|in summary|to sum up|finally)\b", re.IGNORECASE)
_WEAK = re.compile(
    r"\b(?:choose|select|pick|label|suggest|annotate|recommend|go with|opt for|best|useful|informative|ids?"
    r"|indices|instances|list"
    r"|following|ranking|rank"
    r"|order|ranked)\b",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:choose|select|pick|label|suggest|annotate|recommend|go with|opt for)(?: [\w'-]+){0,4}\W*$", re.IGNORECASE
)
_NOUN = re.compile(rf"\b(?:(?:{NOUNS})s?|ids|indices|entries|follow\w*)\W*$", re.IGNORECASE)
_ENDS_OPEN = re.compile(r"(?:[:=>{\[]|\b(?:is|are|be))[\s*'\"_(\[{<>:=#-]*$", re.IGNORECASE)
_EXAMPLE = re.compile(
    r"\bfor example|\bfor instance|\be\.g\."
    r"|\bexample(?: output| answer| reply)?\s*:|\ban example|\bif you\b|such as",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(
    r"\b(?:not|n't|never|skip\w*|exclud\w*|reject\w*|omit\w*|discard\w*|unselect\w*|remaining|others?|rest"
    r"|without|avoid\w*"
    r"|ignor\w*|left out|leave out|drop\w*|except|other than|besides|none of|unlike|can't|cannot|don't|won't"
    r"|wouldn't|unchosen)\b",
    re.IGNORECASE,
)
_NEGATIVE_AFTER = re.compile(
    r"[^.;\w]*(?:\w+ ){0,3}?(?:not|n't|skipped|excluded|rejected|omitted|ignored|less|too|already|(?:is|are)n't"
    r"|should ?n't)\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[.!?;,] |\bbut\b|\bso\b|\n", re.IGNORECASE)
_NEXT_CLAUSE = re.compile(r"(?:[,;]|\band|\bthen) ?(?:and |then )?(?:instance |id )?[*'\"#(\[]*$")
_SENTENCE = re.compile(r"(?<!e\.g)(?<!i\.e)[.!?;] ")
_WINDOW = 240  # how much text before a list is read to judge it; keeps the time linear


class Candidate(NamedTuple):
    """A list of ids. `line` and `runs` keep what is needed to read ranges and counts."""

    grade: float
    parts: tuple[tuple[str, tuple[Token, ...]], ...]
    """(line, list) for each stretch of it."""
    lead: str = ""
    first: int = 0
    last: int = 0
    """Numbers of the first and last line."""
    verdicts: bool = False
    entries: bool = False
    block: bool = False
    """It fills its lines; else it stands inside a sentence."""


def candidates(lines: Sequence[Line]) -> Iterator[Candidate]:
    """Yield the lists of a reply in order; those offered as examples or as *not* chosen are left out."""
    header, index = "", 0
    while index < len(lines):
        line = lines[index]
        if line.kind in ("pure", "entry"):
            stop = _block_end(lines, index)
            yield from _block(lines, index, stop, header)
            header, index = "", stop
            continue
        if line.kind == "prose":
            yield from _inline(line, index)
        if line.kind != "blank":
            header = line.text if _is_header(line.text, with_ids=bool(line.runs)) else ""
        index += 1


def grade(lead: str) -> float:
    """Say how plainly the words before a list offer it as the answer."""
    sentence = _SENTENCE.split(lead)[-1]
    is_open = _ENDS_OPEN.search(lead) is not None
    hence = _HENCE.search(sentence) is not None
    if (is_open and _STRONG.search(sentence)) or (hence and _WEAK.search(sentence)):
        return STRONG
    weak = _WEAK.search(sentence) if is_open else _VERB.search(sentence)
    if weak or (is_open and hence):
        return WEAK
    return NEAR if _NOUN.search(sentence) else NONE


def is_refused(lead: str) -> bool:
    """Whether the words before a list say that it is an example, or that these are not chosen."""
    if _EXAMPLE.search(_SENTENCE.split(lead)[-1]):
        return True
    return _NEGATIVE.search(_CLAUSE.split(lead)[-1]) is not None


def _inline(line: Line, index: int) -> Iterator[Candidate]:
    end, said = 0, ""
    for run in line.runs:
        lead = line.text[max(end, run[0].start - _WINDOW) : run[0].start]
        lead = said if said and _NEXT_CLAUSE.search(lead) else lead
        after = line.text[run[-1].end : run[-1].end + _WINDOW]
        rated = grade(lead)
        example = _EXAMPLE.search(_SENTENCE.split(line.text[max(0, run[0].start - _WINDOW) : run[0].start])[-1])
        if example or is_refused(lead) or (rated < STRONG and _NEGATIVE_AFTER.match(after)):
            said = ""
        else:
            said = lead if rated >= WEAK else ""
            yield Candidate(rated, ((line.text, run),), _key(lead), index, index)
        end = run[-1].end


def _key(lead: str) -> str:
    return re.sub(r"[\W\d]+", " ", _SENTENCE.split(lead)[-1]).strip().casefold()


def _is_header(text: str, with_ids: bool) -> bool:
    bare = text.rstrip(" *_'\"")
    if with_ids:
        return bare.endswith(":")
    return (
        bare.endswith(":")
        or text.startswith(("#", "**", "<"))
        or (len(bare) <= 60 and not bare.endswith((".", "!", "?")))
    )


def _is_many(line: Line) -> bool:
    return line.kind == "pure" and sum(map(len, line.runs)) > 1


def _block_end(lines: Sequence[Line], start: int) -> int:
    """Return where a block ends: lists go on in the next line, entries also behind blank lines and remarks."""
    many, end, blank = _is_many(lines[start]), start + 1, False
    for index in range(start + 1, len(lines)):
        line = lines[index]
        if line.kind == "blank":
            blank = True
            if many:
                break
        elif line.kind in ("pure", "entry"):
            if not _joins(lines[end - 1], line, many, blank):
                break
            many, end, blank = many or _is_many(line), index + 1, False
        elif many or not _is_remark(line, blank):
            break
        else:
            blank = False
    return end


def _joins(before: Line, line: Line, many: bool, blank: bool) -> bool:
    """Whether a line belongs to the block above it: a list of several ids a line only if it is wrapped."""
    if many or _is_many(line):
        return not blank and before.kind == line.kind == "pure" and (many or before.text.endswith(","))
    return True


def _is_remark(line: Line, blank: bool) -> bool:
    """Whether a line speaks on about the entry above it."""
    bare = line.text.rstrip(" *_")
    if bare.endswith(":") or line.text.startswith("#") or (line.text.startswith("**") and line.text.endswith("**")):
        return False
    if any(grade(line.text[: run[0].start][-_WINDOW:]) >= WEAK for run in line.runs):
        return False
    return not blank or line.verdict is not None


def _block(lines: Sequence[Line], start: int, stop: int, header: str) -> Iterator[Candidate]:
    if header and is_refused(header[-_WINDOW:]):
        return
    rated = grade(header[-_WINDOW:] + ":") if header else NONE
    entries = [
        (line, _verdict(lines, index, stop))
        for index, line in enumerate(lines[start:stop], start)
        if line.kind in ("pure", "entry")
    ]
    kept, judged = _judge(entries, only_leading=rated == STRONG)
    parts = tuple((line.text, run) for line in kept for run in line.runs)
    if not any(line.text.strip() for line in lines[stop:]) and all(line.kind == "pure" for line, _ in entries):
        rated = STRONG
    base = VERDICTS if judged else BLOCK + 0.3 if all(line.kind == "pure" for line, _ in entries) else BLOCK
    is_list = any(line.kind == "entry" for line, _ in entries)
    yield Candidate(max(rated, base), parts, "", start, stop - 1, judged, is_list, block=True)


def _verdict(lines: Sequence[Line], index: int, stop: int) -> tuple[Verdict | None, bool]:
    """Read the verdict of an entry, from its own line or from the remarks under it."""
    line = lines[index]
    if line.verdict is not None:
        return line.verdict, line.leading
    for later in lines[index + 1 : min(stop, index + 6)]:
        if later.kind in ("pure", "entry"):
            break
        if later.verdict is not None:
            return later.verdict, verdict(later.text)[1]
    return None, False


def _judge(entries: list[tuple[Line, tuple[Verdict | None, bool]]], only_leading: bool) -> tuple[list[Line], bool]:
    """Keep the entries that are chosen: those with a yes if there is one, else those without a no."""
    # few words of judgement among many entries are words of the texts, not verdicts
    sparse = sum(word is not None for _, (word, _) in entries) * 2 < len(entries)
    said = [(line, word if leading or not (only_leading or sparse) else None) for line, (word, leading) in entries]
    if any(word == "yes" for _, word in said) and not only_leading:
        return [line for line, word in said if word == "yes"], True
    return [line for line, word in said if word != "no"], any(word is not None for _, word in said)
