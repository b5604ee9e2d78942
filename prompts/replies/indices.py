"""Which instances a model chose.

The reply is read in this order, and the rules are all there is:

1. Spelling: digits, dashes, commas and quotes of any script count as ASCII; the thoughts of a reasoning model
   (`<think>`) are dropped. An id is matched exactly, else without regard to case, leading zeros or a noun glued to it,
   where only one allowed id fits. Ids are whole words: `1` is never found in `11`, nor `a1` in `a12`.
2. Not ids: counts ("3 instances", "of 20"), scores ("score 5", 0.85, 4/5, 90%), steps ("Step 2"), numbering (1., 2., 3.
   in front of ids or of text), remarks in parentheses behind an id.
3. Lists are what competes: ids with only separators between them, in a line, over several lines, as bullets, as a
   table, as JSON, or as entries ("17: the film …"). A list is left out if it is given as an example, as not chosen, or
   if it echoes the whole list of instances.
4. The best offer wins, and among equals the last: a list behind "Selected:", "Final answer:", "Therefore I choose",
   in JSON, or alone at the very end; then behind a verb or a noun ("I would pick"); then verdicts entry by entry
   ("Instance 3: select. Instance 4: skip"); then a block of entries; then a list in prose; then scattered mentions,
   if there are no more than wanted.
5. `3-7` (or "3 to 7") stands for all ids between, if all of them are allowed; else for its two ends.
6. What is left: in order, each once, unknown ones dropped, at most as many as wanted.
"""

import re
from collections.abc import Collection

from prompts.replies.answers import Indices, Refusal
from prompts.replies.candidates import BLOCK, STRONG, VERDICTS, WEAK, Candidate, candidates, grade
from prompts.replies.known import Known
from prompts.replies.lines import Line, classify
from prompts.replies.plain import answer_part
from prompts.replies.rewrite import read_lines
from prompts.replies.scan import Token

_SPOKEN_OF = re.compile(r"[\"')\]*]{0,3}(?::| (?:is|because|since|would|has|should|for|as)\b)")
_NUMBERED = re.compile(r"(.*?)(\d+)", re.DOTALL)
_NOTHING = re.compile(
    r"(.*?)[\s*'\"_(\[{]*\b(?:none|nothing|n/a|no (?:instances?|items?|texts?|ids?))\b\W*$", re.IGNORECASE
)
_DECLINES = re.compile(
    r"\b(?:i(?:'m| am) sorry|i can(?:'t|not)|i(?:'m| am) (?:unable|not able)|as an ai|apologi[sz]e)\b", re.IGNORECASE
)


def parse_indices(text: str | None, *, allowed: Collection[str], wanted: int) -> Indices | Refusal:
    """Read the chosen ids from a reply; never raises on any text.

    Args:
        text: the reply as it came.
        allowed: the ids that were shown.
        wanted: how many may be chosen, at least 0.

    Returns:
        The ids in the order of the reply, each once, at most `wanted`; or a refusal that says why there are none.
    """
    raw = text if isinstance(text, str) else ""
    if not raw.strip():
        return Refusal(reason="the reply is empty", raw=raw)
    if wanted < 1 or not allowed:
        return Refusal(reason="no instance was wanted" if wanted < 1 else "no instance was shown", raw=raw)
    known = Known(allowed)
    lines = [classify(line, known) for line in read_lines(answer_part(raw), known)]
    offers = _merged(list(candidates(lines)))
    offers = [offer for offer in offers if not _is_echo(offer, known, wanted)]
    names = _choose(offers, lines, known, wanted)
    ids = list(dict.fromkeys(value for is_id, value in names if is_id))
    unknown = tuple(dict.fromkeys(value for is_id, value in names if not is_id))
    if not ids:
        return Refusal(reason=_reason(raw, lines, unknown), raw=raw)
    repeated = sum(is_id for is_id, _ in names) - len(ids)
    return Indices(ids=tuple(ids[:wanted]), raw=raw, unknown=unknown, repeated=repeated, cut=max(0, len(ids) - wanted))


def _choose(offers: list[Candidate], lines: list[Line], known: Known, wanted: int) -> list[tuple[bool, str]]:
    nothing = _says_none(lines)
    strong = [offer for offer in offers if offer.grade >= STRONG]
    useful = [offer for offer in strong if _has_id(offer)] or strong
    if useful and useful[-1].last >= nothing:
        return _names(useful[-1], known, wanted)
    if nothing >= 0:
        return []
    offers = [offer for offer in offers if _has_id(offer)]
    best = max((offer.grade for offer in offers), default=0.0)
    if best < WEAK and _declines(lines) and all(map(_is_single, offers)):
        return []
    blocks = [offer for offer in offers if offer.grade >= BLOCK and offer.block and not _is_single(offer)]
    if best < VERDICTS and not blocks:
        return _mentions(offers, known, wanted)
    if best < VERDICTS:
        return _names(blocks[-1], known, wanted)
    equals = [offer for offer in offers if offer.grade == best]
    if best < STRONG and len(equals) > 1 and all(_is_single(offer) for offer in equals):
        return [name for offer in equals for name in _names(offer, known, wanted)]
    return _names(equals[-1], known, wanted)


def _mentions(offers: list[Candidate], known: Known, wanted: int) -> list[tuple[bool, str]]:
    """Read prose without a list: all that is mentioned, if it is not more than wanted; else the last list."""
    lists = [offer for offer in offers if not _is_single(offer)]
    spoken = [
        offer for offer in offers if not (_is_single(offer) and offer.parts[0][1][0].bare and not _is_subject(offer))
    ]
    names = [name for offer in spoken for name in _names(offer, known, wanted)]
    if len({value for is_id, value in names if is_id}) <= wanted:
        return names
    return _names(lists[-1], known, wanted) if lists else []


def _is_subject(offer: Candidate) -> bool:
    """Whether a lone number stands behind a colon, or is spoken of as a text is."""
    line, run = offer.parts[0]
    behind_colon = line[max(0, run[0].start - 4) : run[0].start].rstrip(" *'\"[(").endswith(":")
    return behind_colon or _SPOKEN_OF.match(line, run[-1].end) is not None


def _is_single(offer: Candidate) -> bool:
    return sum(len(run) for _, run in offer.parts) == 1


def _has_id(offer: Candidate) -> bool:
    return any(token.kind == "id" for _, run in offer.parts for token in run)


def _merged(offers: list[Candidate]) -> list[Candidate]:
    """Join a list that goes on: in the next line, or as `Selected: 3`, `Selected: 7`, one at a time."""
    result: list[Candidate] = []
    for offer in offers:
        before = result[-1] if result else None
        if before is not None and before.grade >= WEAK and offer.first - before.last <= 1 and _goes_on(before, offer):
            joined = before.parts + offer.parts
            result[-1] = before._replace(parts=joined, last=offer.last, grade=max(before.grade, offer.grade))
        else:
            result.append(offer)
    return result


def _goes_on(before: Candidate, after: Candidate) -> bool:
    if after.lead:
        return after.lead == before.lead
    line, run = before.parts[-1]
    open_end = not re.search(r"\w", line[run[-1].end :])
    return bool(before.lead) and open_end and after.first == before.last + 1 and not after.entries


def _is_echo(offer: Candidate, known: Known, wanted: int) -> bool:
    """Whether a block of entries is the list of instances itself, without a word on which of them are chosen."""
    if not offer.entries or offer.verdicts or offer.grade >= WEAK:
        return False
    ids = {token.value for _, run in offer.parts for token in run if token.kind == "id"}
    return len(ids) > wanted and ids >= set(known.exact.values())


def _names(offer: Candidate, known: Known, wanted: int) -> list[tuple[bool, str]]:
    """Return (is an allowed id, its name) for every entry of a list, ranges written out."""
    names: list[tuple[bool, str]] = []
    for line, run in offer.parts:
        tokens = _without_count(line, run, wanted)
        for index, token in enumerate(tokens):
            between = _range(line, tokens, index, known, wanted)
            names += [(True, value) for value in between] or [(token.kind == "id", token.value)]
    return names


def _without_count(line: str, run: tuple[Token, ...], wanted: int) -> tuple[Token, ...]:
    """Drop the first number of "choose 3: 5, 8, 9"."""
    if len(run) < 2 or not run[0].bare:
        return run
    written, gap = line[run[0].start : run[0].end], line[run[0].end : run[1].start]
    is_count = written.isascii() and int(written) in (len(run) - 1, wanted)
    return run[1:] if gap.lstrip("*'\") ").startswith(":") and is_count else run


def _range(line: str, tokens: tuple[Token, ...], index: int, known: Known, wanted: int) -> list[str]:
    """Return the ids of a range that ends here, without its first; nothing where no range ends here."""
    if index == 0 or tokens[index].kind != "id" or tokens[index - 1].kind != "id":
        return []
    if _gap(line, tokens, index) not in ("-", "--", "to", "through", "thru", ".."):
        return []
    chained = _gap(line, tokens, index - 1) == "-" or _gap(line, tokens, index + 1) == "-"
    if chained or (len(tokens) == 2 and wanted == 2):
        return []
    first, last = _NUMBERED.fullmatch(tokens[index - 1].value), _NUMBERED.fullmatch(tokens[index].value)
    if first is None or last is None or first[1] != last[1]:
        return []
    low, high = int(first[2]), int(last[2])
    if not low < high <= low + len(known.exact):
        return []
    between = [known.word(f"{first[1]}{number}") for number in range(low + 1, high + 1)]
    return [each for each in between if each is not None] if all(between) else []


def _gap(line: str, tokens: tuple[Token, ...], index: int) -> str:
    """Return what stands between a token of a list and the one before it, brackets and quotes aside."""
    if not 0 < index < len(tokens):
        return ""
    return line[tokens[index - 1].end : tokens[index].start].strip("*'\"_[]#() ")


def _says_none(lines: list[Line]) -> int:
    """Return the number of the last line that says "Selected: none"; -1 without one."""
    for index in range(len(lines) - 1, -1, -1):
        found = _NOTHING.match(lines[index].text[:400])
        if found and not lines[index].runs and (not found[1].strip() or grade(found[1]) >= STRONG):
            return index
    return -1


def _declines(lines: list[Line]) -> bool:
    return _DECLINES.search(" ".join(line.text for line in lines[:5])[:400]) is not None


def _reason(raw: str, lines: list[Line], unknown: tuple[str, ...]) -> str:
    if unknown:
        return f"the reply names only ids that were not shown: {', '.join(unknown[:5])[:80]}"
    if _declines(lines):
        return "the model declined to choose"
    if _says_none(lines) >= 0:
        return "the model chose none"
    if any(line.runs for line in lines):
        return "ids are mentioned, but not as a choice"
    return f"the reply names no id: {' '.join(raw.split())[:60]!r}"
