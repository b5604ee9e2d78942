"""Which instances a model chose.

A reply is thoughts, then an answer, then perhaps turns that the model made up. The answer holds lists of ids: some are
offered, some are turned down. It is read in this order, and the rules are all there is:

1. What is read: what follows the thoughts of a reasoning model (`<think>`), up to a thought that never ends; and where
   a complete answer is followed by a line of another turn (`User:`, a control token), the answer before it.
2. Spelling: digits, dashes, commas and quotes of any script count as ASCII, and a word ends where a script without
   spaces begins. An id is matched exactly, else without regard to case, leading zeros, a noun glued to it, or a dash
   inside (`K-7`; in a list also `k 7`), where only one allowed id fits; a number also behind other letters (`ex17`)
   where all ids are numbers, and in words behind a noun (`instances seven and nine`). Ids are whole words: `1` is never
   found in `11`, nor `a1` in `a12`.
3. Not ids: counts ("3 instances", "90 minutes"), scores ("score 5", 0.85, 4/5, 90%), times, steps ("Step 2"), numbering
   (1., 2., 3. in front of ids or of text, as long as it counts so), remarks in parentheses behind an id, what stands in
   quotes beside an id, the text behind the id and sign that a line starts with (`[58] 12 angry men`).
4. Lists are what competes: ids with only separators or an "and" of any language between them, in a line, over several
   lines, as bullets, as a table, as JSON, as entries ("17: the film …"), or behind their descriptions ("the ironic one
   (17)"). A heading and its list are the same in one line and in several. Lists under names of labels or topics that
   follow each other and share no id are one. A sentence about ids behind a list is not part of it.
   An example and a list beside words that turn it down ("No:", "Easy:", "17 is dull", "rather than 17", "58 was close")
   are not chosen. Nor are entries that only repeat the list of instances, from any place to any other, and groups, if
   they are more than wanted.
   `All but 3 and 7` is all others where so many are wanted and nothing else is offered, else nothing.
5. The best offer wins, and among equals the last: a list behind "Selected:", "Final answer:", "Therefore I choose", in
   JSON, or alone at the very end; then behind a verb or a noun ("I would pick", "that leaves"), a quality ("Hard:");
   then verdicts entry by entry ("Instance 3: select", "17: not worth a label", a tick); then a block of entries; then a
   list in prose; then scattered mentions, if there are no more than wanted. Offers in the same words but for numbers
   and ordinals, under headings that follow each other, or that add to the one before ("and add 71") are one. Of a reply
   that was cut off only what stands behind such words, or in JSON, counts.
   What a sentence takes back afterwards ("On second thought, I drop 17") is dropped; what is to replace an id ("I
   replace 17 with 71") stands in its place.
6. `3-7` (or "3 to 7") stands for all ids between, if all of them are allowed; else for its two ends.
7. What is left: in order, each once, unknown ones dropped, at most as many as wanted.
"""

import re
from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import NamedTuple

from prompts.replies.answers import Indices, Refusal
from prompts.replies.candidates import BLOCK, VERDICTS, Candidate, candidates, merged
from prompts.replies.known import Known
from prompts.replies.lines import Line, classify
from prompts.replies.names import Name, names
from prompts.replies.polarity import STRONG, WEAK, grade, is_heading, is_offer, sentence_key, starts_anew, starts_over
from prompts.replies.rewrite import read_lines
from prompts.replies.scan import Token
from prompts.replies.turn import answer_part, is_thought, turns

_SPOKEN_OF = re.compile(r"[\"')\]*]{0,3}(?::|,? (?:is|because|since|would|has|should|for|as)\b)")
_NOTHING = re.compile(
    r"(.*?)[\s*'\"_(\[{]*\b(?:none|nothing|n/a|no (?:instances?|items?|texts?|ids?))\b\W*$", re.IGNORECASE
)
_DECLINES = re.compile(
    r"\b(?:i(?:'m| am) sorry|i can(?:'t|not)|i(?:'m| am) (?:unable|not able)|as an ai|apologi[sz]e)\b", re.IGNORECASE
)


class Reading(NamedTuple):
    """The lines of a reply, and the lists in them."""

    known: Known
    lines: list[Line]
    offers: list[Candidate]


def parse_indices(text: str | None, *, allowed: Collection[str], wanted: int, cut: bool = False) -> Indices | Refusal:
    """Read the chosen ids from a reply; never raises on any text.

    Args:
        text: the reply as it came.
        allowed: the ids that were shown.
        wanted: how many may be chosen, at least 0.
        cut: whether the reply broke off at its token limit. Then only what is plainly offered as the answer counts.

    Returns:
        The ids in the order of the reply, each once, at most `wanted`; or a refusal that says why there are none.
    """
    raw = text if isinstance(text, str) else ""
    if not raw.strip():
        return Refusal(reason="the reply is empty", raw=raw)
    if wanted < 1 or not allowed:
        return Refusal(reason="no instance was wanted" if wanted < 1 else "no instance was shown", raw=raw)
    known, part = Known(allowed), answer_part(raw)
    if is_thought(raw):
        return Refusal(reason="the reply is a thought that does not end", raw=raw)
    for turn in turns(part):
        reading = _read(turn, known, wanted)
        if any(_is_complete(offer, reading) for offer in reading.offers):
            return _answer(raw, reading, _choose(reading, wanted, cut=False), wanted)
    reading = _read(part, known, wanted)
    chosen = _exchanged(_choose(reading, wanted, cut), reading, wanted)
    return _answer(raw, reading, _without_torn(chosen, raw, known) if cut else chosen, wanted)


def _read(text: str, known: Known, wanted: int) -> Reading:
    lines = [classify(line, known) for line in read_lines(text, known)]
    offers = merged(list(candidates(lines)), lines)
    return Reading(known, lines, [offer for offer in offers if not _is_echo(offer, known, wanted)])


def _answer(raw: str, reading: Reading, chosen: list[Name], wanted: int) -> Indices | Refusal:
    ids = list(dict.fromkeys(name.value for name in chosen if name.is_id))
    unknown = tuple(dict.fromkeys(name.value for name in chosen if not name.is_id))
    if not ids:
        return Refusal(reason=_reason(raw, reading.lines, unknown), raw=raw)
    repeated = sum(name.is_id for name in chosen) - len(ids)
    return Indices(ids=tuple(ids[:wanted]), raw=raw, unknown=unknown, repeated=repeated, cut=max(0, len(ids) - wanted))


def _is_complete(offer: Candidate, reading: Reading) -> bool:
    """Whether a list is an answer that nothing need follow: plainly offered, or all that there is."""
    if offer.side != "chosen" or offer.grade < STRONG or not _has_id(offer):
        return False
    return not offer.ends or all(
        line.kind == "blank" for line in reading.lines[: offer.last + 1] if line.kind != "pure"
    )


def _without_torn(chosen: list[Name], raw: str, known: Known) -> list[Name]:
    """Drop the last id of a reply that broke off in it, if it may be the start of another."""
    torn = chosen and chosen[-1].is_id and raw.endswith(chosen[-1].value)
    longer = torn and any(each != chosen[-1].value and each.startswith(chosen[-1].value) for each in known.exact)
    return chosen[:-1] if longer else chosen


def _choose(reading: Reading, wanted: int, cut: bool) -> list[Name]:
    known, nothing = reading.known, _says_none(reading.lines)
    offers = [offer for offer in reading.offers if offer.side == "chosen" and not (cut and offer.ends)]
    strong = [offer for offer in offers if offer.grade >= STRONG]
    useful = [offer for offer in strong if _has_id(offer)] or strong
    if useful and useful[-1].last >= nothing:
        return [name for offer in _one_by_one(useful, reading.lines) for name in names(offer, known, wanted)]
    if nothing >= 0 or cut:
        return []
    spared = [offer for offer in reading.offers if offer.side == "all but"]
    if spared and all(offer.grade < WEAK for offer in offers):
        return _others(names(spared[-1], known, wanted), known, wanted)
    return _best([offer for offer in offers if _has_id(offer)], reading, wanted)


def _exchanged(found: list[Name], reading: Reading, wanted: int) -> list[Name]:
    """Do what the reply says afterwards: `On second thought, I drop 17`, `I replace 17 with 71` (in its place)."""
    replaced = {before.top for before, offer in pairwise(reading.offers) if offer.side == "instead"}
    for before, offer in pairwise(reading.offers):
        if offer.side == "refused" and offer.top not in replaced and starts_over(_before(offer)):
            found = [name for name in found if name.value not in {token.value for token in _tokens(offer)}] or found
        if offer.side != "instead" or before.top != offer.top:
            continue
        old = {token.value for token in _tokens(before)}
        place = next((place for place, name in enumerate(found) if name.value in old), None)
        if place is not None:
            kept = [name for name in found[place:] if name.value not in old]
            found = [*found[:place], *names(offer, reading.known, wanted), *kept]
    return found


def _before(offer: Candidate) -> str:
    line, run = offer.parts[0]
    return line[max(0, run[0].start - 240) : run[0].start]


def _one_by_one(strong: list[Candidate], lines: list[Line]) -> list[Candidate]:
    """Return the last plain offer; all of them if each offers one id in the same words, with remarks between them."""
    keys = {sentence_key(offer.lead) for offer in strong}
    between = lines[strong[0].last : strong[-1].top]
    again = any(starts_anew(line.text[:400]) for line in between)
    return strong if keys != {""} and len(keys) == 1 and all(map(_is_single, strong)) and not again else strong[-1:]


def _others(spared: list[Name], known: Known, wanted: int) -> list[Name]:
    """Return all ids but some, if that is as many as may be chosen; else nothing says which of them."""
    ids = {name.value for name in spared if name.is_id}
    others = [each for each in known.exact.values() if each not in ids]
    return [Name(True, each) for each in others] if ids and len(others) <= wanted else []


def _best(offers: list[Candidate], reading: Reading, wanted: int) -> list[Name]:
    """Read the best of the offers that no words make plain."""
    known = reading.known
    best = max((offer.grade for offer in offers), default=0.0)
    if best < WEAK and _declines(reading.lines) and all(map(_is_single, offers)):
        return []
    blocks = [offer for offer in offers if offer.grade >= BLOCK and offer.block and not _is_single(offer)]
    if best < VERDICTS and not blocks:
        return _mentions(offers, reading, wanted)
    if best < VERDICTS:
        return names(blocks[-1], known, wanted)
    equals = [offer for offer in offers if offer.grade == best]
    same = len({sentence_key(offer.lead) for offer in equals}) == 1
    ids = {token.value for offer in equals for token in _tokens(offer) if token.kind == "id"}
    if all(map(_is_single, equals)) or (same and len(ids) <= wanted):
        return [name for offer in equals for name in names(offer, known, wanted)]
    return names(equals[-1], known, wanted)


def _mentions(offers: list[Candidate], reading: Reading, wanted: int) -> list[Name]:
    """Read prose without a list: all that is mentioned, if it is not more than wanted; else the last list."""
    known = reading.known
    lists = [offer for offer in offers if not _is_single(offer)]
    spoken = [
        offer for offer in offers if not (_is_single(offer) and offer.parts[0][1][0].bare and not _is_subject(offer))
    ]
    refused = {token.value for offer in reading.offers if offer.side == "refused" for token in _tokens(offer)}
    found = [name for offer in spoken for name in names(offer, known, wanted) if name.value not in refused]
    if len({name.value for name in found if name.is_id}) <= wanted:
        return found
    return names(lists[-1], known, wanted) if lists else []


def _is_subject(offer: Candidate) -> bool:
    """Whether a lone number stands behind a colon, or is spoken of as a text is."""
    line, run = offer.parts[0]
    before = line[max(0, run[0].start - 6) : run[0].start]
    behind_colon = before.rstrip(" *'\"[(").endswith((":", " -")) or before.endswith(("(", "["))
    return behind_colon or _SPOKEN_OF.match(line, run[-1].end) is not None


def _tokens(offer: Candidate) -> Iterator[Token]:
    return (token for _, run in offer.parts for token in run)


def _is_single(offer: Candidate) -> bool:
    return sum(1 for _ in _tokens(offer)) == 1


def _has_id(offer: Candidate) -> bool:
    return any(token.kind == "id" for token in _tokens(offer))


def _is_echo(offer: Candidate, known: Known, wanted: int) -> bool:
    """Whether a block of entries is the list of instances itself, or a part of it in the order shown, or sorts it.

    In all of these nothing says which of the instances are chosen; a list that is no longer than wanted is a choice.
    """
    if offer.groups:
        return len({token.value for token in _tokens(offer) if token.kind == "id"}) > wanted
    ids = list(dict.fromkeys(offer.named))
    if len(ids) <= wanted:
        return False
    if not offer.entries or offer.verdicts:
        return False
    offered = bool(offer.lead) and (is_heading(offer.lead) or grade(offer.lead + ":") >= STRONG or is_offer(offer.lead))
    return set(ids) >= set(known.exact.values()) or (not offered and known.in_order(ids))


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
