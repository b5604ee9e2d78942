"""The lists of ids in a reply, each with a grade that says how plainly it is offered as the answer."""

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from prompts.replies.lines import Line
from prompts.replies.polarity import (
    NONE,
    STRONG,
    WEAK,
    Verdict,
    Weight,
    adds,
    grade,
    is_all_but,
    is_contrast,
    is_example,
    is_heading,
    is_refused,
    is_refused_after,
    is_replacement,
    is_topic,
    last_sentence,
    sentence_key,
    starts_anew,
    starts_over,
)
from prompts.replies.scan import Token

VERDICTS, PURE, BLOCK = 1.8, 1.5, 1.2
Side = Literal["chosen", "refused", "all but", "instead"]

_NEXT_CLAUSE = re.compile(r"(?:^|[,;]|\band|\bthen)\W{0,3}(?:and |then )?(?:instance |id )?[*'\"#(\[]*$")
_WINDOW = 240  # how much text before a list is read to judge it; keeps the time linear


class Candidate(NamedTuple):
    """A list of ids. `line` and `runs` keep what is needed to read ranges and counts."""

    grade: float
    parts: tuple[tuple[str, tuple[Token, ...]], ...]
    """(line, list) for each stretch of it."""
    lead: str = ""
    """The words before it, or its heading."""
    top: int = 0
    """Number of the line of its heading; its first line without one."""
    last: int = 0
    side: Side = "chosen"
    verdicts: bool = False
    """At least half of its entries have one; of fewer it may be the texts that speak so."""
    named: tuple[str, ...] = ()
    """The ids of all entries of a block, those that are turned down too."""
    entries: bool = False
    block: bool = False
    """It fills its lines; else it stands inside a sentence."""
    ends: bool = False
    """Nothing follows it, and it is graded for that."""
    groups: bool = False
    """It is joined from lists under names of labels or topics."""


def candidates(lines: Sequence[Line]) -> Iterator[Candidate]:
    """Yield the lists of a reply in order, those that are not chosen too."""
    header, top, index = "", -1, 0
    while index < len(lines):
        line = lines[index]
        if line.kind in ("pure", "entry"):
            stop = _block_end(lines, index, header)
            yield _block(lines, index, stop, header, top if header else index)
            header, index = "", stop
            continue
        heads = _is_header(line.text, with_ids=bool(line.runs))
        if line.kind == "prose" and not (heads and all(token.kind == "unknown" for run in line.runs for token in run)):
            yield from _inline(line, index)
        if line.kind != "blank":
            header, top = (line.text, index) if heads else ("", -1)
        index += 1


def merged(offers: Sequence[Candidate], lines: Sequence[Line]) -> list[Candidate]:
    """Join a list that goes on: in the next line, under the next heading, one at a time."""
    result: list[Candidate] = []
    for offer in offers:
        before = result[-1] if result else None
        if before is not None and _goes_on(before, offer, lines):
            joined = before.parts + offer.parts
            groups = before.groups or (_are_groups(before, offer) and not is_heading(offer.lead))
            grade_, ends = max(before.grade, offer.grade), offer.ends and (before.ends or before.grade < STRONG)
            result[-1] = before._replace(parts=joined, last=offer.last, grade=grade_, groups=groups, ends=ends)
        else:
            result.append(offer)
    return result


def _goes_on(before: Candidate, after: Candidate, lines: Sequence[Line]) -> bool:
    added = adds(after.lead) or (before.grade < STRONG and adds(last_sentence(after.lead)))
    if added and before.side == after.side == "chosen" and before.last == after.top:
        return True
    if _are_groups(before, after):
        return not any(line.kind != "blank" for line in lines[before.last + 1 : after.top])
    if (
        before.grade < WEAK
        or before.side != after.side
        or any(line.kind != "blank" for line in lines[before.last + 1 : after.top])
    ):
        return False
    if after.lead and before.lead:
        return _same_offer(before, after)
    line, run = before.parts[-1] if before.parts else ("", ())
    open_end = bool(run) and not re.search(r"\w", line[run[-1].end :])
    follows = after.top == before.last + 1 and not after.entries and (after.block or line.rstrip().endswith(","))
    return bool(before.lead) and not after.lead and open_end and follows


def _are_groups(before: Candidate, after: Candidate) -> bool:
    """Whether two lists are parts of one choice under names of labels or topics: `Fresh:`, `Rotten:`, no id in both."""
    both = (before, after)
    if any(each.side != "chosen" or (each.grade >= STRONG and not each.ends and not each.groups) for each in both):
        return False
    if not all(is_topic(each.lead) and (each.block or each.parts[0][0].startswith(each.lead)) for each in both):
        return False
    ids = [{token.value for _, run in each.parts for token in run} for each in both]
    return not ids[0] & ids[1]


def _same_offer(before: Candidate, after: Candidate) -> bool:
    """Whether two leads offer parts of one choice: `Selected for fresh:`, `Selected for rotten:`."""
    if sentence_key(before.lead) == sentence_key(after.lead):
        return True
    if not (before.block and after.block) or starts_anew(after.lead):
        return False
    return (before.grade >= STRONG and after.grade >= STRONG) or (is_heading(before.lead) and is_heading(after.lead))


def _inline(line: Line, index: int) -> Iterator[Candidate]:
    end, said = 0, ""
    for number, run in enumerate(line.runs):
        lead = line.text[max(end, run[0].start - _WINDOW) : run[0].start]
        goes_on = bool(said) and _NEXT_CLAUSE.search(lead) is not None and not re.search(r"[.!?] ", lead)
        lead = said if goes_on else lead
        following = line.runs[number + 1][0].start if number + 1 < len(line.runs) else len(line.text)
        after = line.text[run[-1].end : min(following, run[-1].end + _WINDOW)]
        rated, side = grade(lead), _side(line.text, lead, run)
        if rated == WEAK and starts_over(line.text[max(0, run[0].start - _WINDOW) : run[0].start]):
            rated = STRONG
        if side == "chosen" and (goes_on or rated < STRONG) and is_refused_after(after):
            side = "refused"
        if not (side == "refused" and is_contrast(lead)):
            said = lead if rated >= WEAK and side == "chosen" else ""
        yield Candidate(rated, ((line.text, run),), lead, index, index, side)
        end = run[-1].end


def _side(text: str, lead: str, run: tuple[Token, ...]) -> Side:
    if is_all_but(lead):
        return "all but"
    if is_replacement(text[max(0, run[0].start - _WINDOW) : run[0].start]):
        return "instead"
    example = is_example(text[max(0, run[0].start - _WINDOW) : run[0].start])
    return "refused" if example or is_refused(lead) else "chosen"


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


def _block_end(lines: Sequence[Line], start: int, header: str) -> int:
    """Return where a block ends: lists go on in the next line, entries also behind blank lines and remarks."""
    many, end, blank = _is_many(lines[start]), start + 1, False
    offered = bool(header) and grade(header[-_WINDOW:] + ":") >= STRONG and not is_refused(header[-_WINDOW:])
    for index in range(start + 1, len(lines)):
        line = lines[index]
        if line.kind == "blank":
            blank = True
            if many and not offered:
                break
        elif line.kind in ("pure", "entry"):
            if not _joins(lines[end - 1], line, many, blank and not offered, offered):
                break
            many, end, blank = many or _is_many(line), index + 1, False
        elif many or not _is_remark(line, blank, offered):
            break
        else:
            blank = False
    return end


def _joins(before: Line, line: Line, many: bool, blank: bool, offered: bool) -> bool:
    """Whether a line belongs to the block above it: a list of several ids a line only if it is wrapped."""
    if many or _is_many(line):
        return not blank and before.kind == line.kind == "pure" and (many or offered or before.text.endswith(","))
    return True


def _is_remark(line: Line, blank: bool, offered: bool) -> bool:
    """Whether a line speaks on about the entry above it."""
    bare = line.text.rstrip(" *_")
    if bare.endswith(":") or line.text.startswith("#") or (line.text.startswith("**") and line.text.endswith("**")):
        return False
    leads = [line.text[: run[0].start][-_WINDOW:] for run in line.runs]
    if any(grade(lead) >= (STRONG if offered else WEAK) and not is_refused(lead) for lead in leads):
        return False
    return not blank or line.verdict is not None


def _block(lines: Sequence[Line], start: int, stop: int, header: str, top: int) -> Candidate:
    rated = grade(header[-_WINDOW:] + ":") if header else NONE
    entries = [
        (line, _verdict(lines, index, stop))
        for index, line in enumerate(lines[start:stop], start)
        if line.kind in ("pure", "entry")
    ]
    refused = bool(header) and is_refused(header[-_WINDOW:] if header.endswith(":") else header[-_WINDOW:] + ":")
    kept, judged = ([line for line, _ in entries], False) if refused else _judge(entries, rated == STRONG)
    parts = tuple((line.text, run) for line in kept for run in line.runs)
    pure = all(line.kind == "pure" for line, _ in entries)
    ends = pure and rated < STRONG and not any(line.text.strip() for line in lines[stop:])
    base = STRONG if ends else VERDICTS if judged else PURE if pure else BLOCK
    return Candidate(
        max(rated, base),
        parts,
        header,
        top,
        stop - 1,
        "refused" if refused else "chosen",
        verdicts=2 * sum(said.word is not None and said.weight != "words" for _, said in entries) >= len(entries),
        named=tuple(token.value for line, _ in entries for run in line.runs for token in run if token.kind == "id"),
        entries=any(line.kind in ("entry", "text") for line in lines[start:stop]),
        block=True,
        ends=ends,
    )


class _Said(NamedTuple):
    word: Verdict | None
    weight: Weight


def _verdict(lines: Sequence[Line], index: int, stop: int) -> _Said:
    """Read the verdict of an entry, from its own line or from the remarks under it."""
    line = lines[index]
    if line.verdict is not None:
        return _Said(line.verdict, line.weight)
    for number, later in enumerate(lines[index + 1 : index + 6], index + 1):
        if later.kind in ("pure", "entry") or (
            number >= stop and (later.kind == "blank" or not _is_remark(later, False, False))
        ):
            break
        if later.verdict is not None:
            return _Said(later.verdict, later.weight)
    return _Said(None, "words")


def _judge(entries: Sequence[tuple[Line, _Said]], offered: bool) -> tuple[list[Line], bool]:
    """Keep the entries that are chosen: those with a yes if there is one, else those without a no.

    Words of judgement may be words of the texts. Where a heading offers all entries, only a remark that is nothing but
    a verdict is one; else one that starts with it is too, and one that ends with it where all entries have a verdict.
    """
    every = all(said.word is not None and said.weight != "words" for _, said in entries)
    heard = [
        (line, said.word if said.weight == "only" or (not offered and (every or said.weight == "first")) else None)
        for line, said in entries
    ]
    if any(word == "yes" for _, word in heard) and not offered:
        return [line for line, word in heard if word == "yes"], True
    return [line for line, word in heard if word != "no"], any(word is not None for _, word in heard)
