"""A line of a reply as tokens: ids, what looks like an id, words that glue a list together, other words."""

import re
from typing import Literal, NamedTuple

from prompts.replies.known import NOUNS, Known
from prompts.replies.polarity import is_replacement

Kind = Literal["id", "unknown", "glue", "word"]

_NOUN = re.compile(rf"(?:{NOUNS})(?:e?s)?|ids|indices|indexes|entries|cases", re.IGNORECASE)
_PLURAL = (
    rf"(?:{NOUNS})s|indices|indexes|entries|ones|points|labels|classes|words|steps|reasons|strategies|criteria|times"
)
_GLUE = re.compile(
    r"and|or|then|also|plus|followed|by|to|through|thru|first|second|third|fourth|fifth|next|finally|lastly|1st|2nd|3rd|\dth"
    r"|und|oder|sowie|et|ou|y|e|o|en|og|och|и|[第号號番번個个和与與及跟と或및]{1,4}|および|及び|以及|还有",
    re.IGNORECASE,
)
"""Words that stand between ids, `and` in other languages among them, and what numbers an id in some."""
_COUNTED = re.compile(
    rf"[ -](?:most|best|more|of|other|different|diverse|selected|chosen|informative|additional|remaining|difficult"
    rf"|hardest|unlabell?ed|given|total|distinct|unique|out|such)\b"
    r"|[ -](?:minutes?|mins?|hours?|seconds?|days?|weeks?|months?|years?|decades?|centur(?:y|ies)|stars?"
    r"|percent|per cent|times|people|persons?|actors?|actress(?:es)?|characters?|viewers?|films?|movies?|scenes?"
    r"|jokes?|laughs?|lines?|pages?|episodes?|sequels?|dollars?|euros?|pounds?|cents?|bucks|million|billion|thousand|hundred|degrees"
    r"|miles|kilomet(?:er|re)s|km|kg|tokens?|letters?|pm|am|p\.m|a\.m|o'clock)\b"
    rf"|(?: (?!and\b|or\b|is\b|are\b|was\b|has\b|because\b|since\b|as\b|for\b)[a-z'-]{{1,20}}){{0,3}} (?:{_PLURAL})\b",
    re.IGNORECASE,
)
_GOES_ON = re.compile(r"[\"')\]]*\s?(?:,|;|and\b|&)\s?(?:and )?[\"'#(\[]*\w*\d", re.IGNORECASE)
_NUMBER = re.compile(
    r"\d{1,2}:[0-5]\d ?[ap]\.?m\b"
    r"|\d{4}-\d\d-\d\d|\d+(?:\.\d+)+|\d{1,3}(?:,\d{3})+(?![\d])|\d+ ?/ ?(?:5|10|100)\b(?! ?/)"
)
_CONTRACTION = re.compile(r"'(?:m|s|t|d|ll|ve|re)\b", re.IGNORECASE)
_REMARK = re.compile(r"[*'\"\]_]{0,4} ?\(")
_SPACED_LIST = re.compile(r"\d, ")
_CONTEXT = re.compile(
    r"step|strateg(?:y|ies)|criteri(?:on|a)|class|cluster|group|score[sd]?|round|phase|part|section|reason|confidence"
    r"|rat(?:ing|ed)|level|figure|table|chapter|page|difficulty|informativeness|diversity|probability|relevance|stage|rank|category|type"
    r"|version|temperature|priority|importance|gpt|qwen",
    re.IGNORECASE,
)
_QUANTIFIER = re.compile(
    r"of|all|only|exactly|than|these|those|top|first|last|least|about|total|another|other|the|with|have|has|needs?|up|most"
    r"|your|my|our",
    re.IGNORECASE,
)
_STOP = re.compile(
    r"an?|i|the|no|yes|none|or|and|in|on|is|it|as|at|be|by|do|go|he|if|me|my|of|so|to|up|us|we|am|are|was|not|for|but"
    r"|all|any|one|two",
    re.IGNORECASE,
)


_IS = re.compile(r" (?:is|isn't|was|has)\b", re.IGNORECASE)
_SECOND = re.compile(r"\b[A-Z],? (?:and|or) $")


class Token(NamedTuple):
    """A word of a line. `value` is the id for an id, else the word in lower case."""

    kind: Kind
    value: str
    start: int
    end: int
    explicit: bool = False
    """The word "id" stands right before it."""
    bare: bool = False
    """A plain number without a noun or a sign before it: in prose it may be something else."""


def scan(line: str, known: Known) -> list[Token]:
    """Cut a line into tokens; a remark in parentheses right behind an id is left out."""
    tokens: list[Token] = []
    position = 0
    for found in known.pattern.finditer(line):
        if found.start() < position:
            continue
        token = _token(line, found, known, tokens)
        tokens.append(token)
        position = token.end
        if token.kind in ("id", "unknown"):
            position = _past_remark(line, position)
    return tokens


def is_noun(word: str) -> bool:
    """Whether a word is one that stands before an id: `id`, `instance`, `text`, …"""
    return _NOUN.fullmatch(word) is not None


def _token(line: str, found: re.Match[str], known: Known, before: list[Token]) -> Token:
    start, word = found.start(), found[0]
    long = known.at(line, start, word)
    if long is not None:
        return Token("id", long[0], start, long[1], _explicit(line, start, before))
    if word[0].isdigit() and (number := _NUMBER.match(line, start)):
        read = _number(line, number[0], start, known)
        if read is not None:
            return read
    name, end = known.word(word), found.end()
    if name is not None and _stands_for_itself(line, start, end, word, before):
        named = _named(line, start, before)
        return Token("id", name, start, end, _explicit(line, start, before), bare=word.isdecimal() and not named)
    if known.resembles(word) and _stands_for_itself(line, start, end, word, before):
        return Token("unknown", word, start, end)
    glue = _GLUE.fullmatch(word) is not None or _NOUN.fullmatch(word) is not None
    return Token("glue" if glue else "word", word.casefold(), start, end)


def _number(line: str, written: str, start: int, known: Known) -> Token | None:
    """Read 1,024 and 3.0 as ids where they are; 0.85 and 4/5 as numbers that are none; None leaves it to the words."""
    end = start + len(written)
    if "," in written:
        whole, pieces = known.word(written.replace(",", "")), written.split(",")
        separate = all(piece in known.exact for piece in pieces) and not _SPACED_LIST.search(line)
        return Token("id", whole, start, end) if whole is not None and not separate else None
    integral = re.fullmatch(r"(\d+)\.0+", written)
    name = known.word(integral[1]) if integral else None
    return Token("id", name, start, end) if name is not None else Token("glue", written, start, end)


def _stands_for_itself(line: str, start: int, end: int, word: str, before: list[Token]) -> bool:
    """Whether an id's spelling is meant as an id here, not as a count, a score, or a part of another word."""
    if _in_compound(line, start, end) and not _named(line, start, before):
        return False
    if _STOP.fullmatch(word) or (word.isalpha() and len(word) == 1):
        return _in_list(line, start, end, alone=word.isupper()) or _named(line, start, before)
    if not word.isdecimal() or _named(line, start, before):
        return True
    if _COUNTED.match(line, end) or line[end : end + 1] == "%" or line[start - 1 : start] in ("$", "€"):
        return False
    counts = _CONTEXT.fullmatch(_previous(line, start, before)) or (
        _QUANTIFIER.fullmatch(_previous(line, start, before)) and line[before[-1].end : start].isspace()
    )
    if counts and word != "1" and _IS.match(line, end) and not _CONTEXT.fullmatch(_previous(line, start, before)):
        return True
    if not counts or _GOES_ON.match(line, end) is not None:
        return True
    return is_replacement(line[max(0, start - 80) : start])


def _in_compound(line: str, start: int, end: int) -> bool:
    joined_before = start > 1 and line[start - 1] in "-'" and line[start - 2].isalnum() and line[start - 2].isalpha()
    joined_after = line[end : end + 1] in ("-", "'") and line[end + 1 : end + 3].isalpha() and line[end] == "-"
    contraction = _CONTRACTION.match(line, end) is not None
    return joined_before or joined_after or (contraction and line[start:end].isalpha())


def _in_list(line: str, start: int, end: int, alone: bool) -> bool:
    """Whether list punctuation or a margin stands on both sides; behind it is enough for a capital."""
    left, right = line[max(0, start - 3) : start].rstrip(), line[end : end + 5].lstrip()
    opens = not left or left[-1] in ",;:[(\"'{*|&#" or line[max(0, start - 4) : start].casefold().endswith("and ")
    closes = not right or right[0] in ",;:])\"'}*|&." or right.casefold().startswith("and")
    return (closes and (opens or alone)) or (alone and _SECOND.search(line[max(0, start - 8) : start]) is not None)


def _previous(line: str, start: int, before: list[Token]) -> str:
    """The word right before, if only spaces or a sign stand between; else nothing."""
    if not before:
        return ""
    gap = line[before[-1].end : start]
    return before[-1].value if gap.strip(" :=#*'\"[(_-") == "" else ""


def _named(line: str, start: int, before: list[Token]) -> bool:
    if line[start - 1 : start] in ("#", "[") and start:
        return True
    return _NOUN.fullmatch(_previous(line, start, before)) is not None


def _explicit(line: str, start: int, before: list[Token]) -> bool:
    return _previous(line, start, before) in ("id", "ids", "idx", "index")


def _past_remark(line: str, position: int) -> int:
    """Skip ` (…)` right behind an id, unless the parentheses hold an id that is called one."""
    opening = _REMARK.match(line, position)
    if opening is None:
        return position
    closing = line.find(")", opening.end(), opening.end() + 300)
    if closing < 0 or re.search(r"\bids?\b", line[opening.end() : closing], re.IGNORECASE):
        return position
    return closing + 1
