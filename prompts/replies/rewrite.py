"""A reply as plain lines: tables, numbered lists and headed lists with one entry a line, its id first."""

import re
from collections.abc import Callable
from itertools import groupby, pairwise

from prompts.replies.json_lines import json_lines
from prompts.replies.known import Known
from prompts.replies.lines import classify
from prompts.replies.plain import plain
from prompts.replies.polarity import WEAK, grade, is_heading, is_refused, says_plainly, verdict, weight
from prompts.replies.scan import Token, scan

_TABLE_RULE = re.compile(r"[\s|:+-]+")
_ORDINAL = re.compile(
    r"(?:[\s>*+#|'\"(_-]|\[[ xX]\])*?(?:(?:choice|selection|pick|rank|answer|position) ?#?)?"
    r"(\d{1,4}) ?(\.(?!\d)|\)|:|-(?= ))[*_ ]*",
    re.IGNORECASE,
)
_INLINE_ORDINAL = re.compile(r"(?<![\w.,])\(?(\d{1,4})[.)] ")
_LETTERED = re.compile(r"[*(]{0,3}([a-h]|[ivx]{1,4})[.)]{1,2}[*]{0,2} ", re.IGNORECASE)
_TRAILING = re.compile(r"[(\[]([^()\[\]]{1,80})[)\]]\W*$")
_SAYS = re.compile(r"\W*(?:yes|no|select|skip|not|don't|do not|reject|exclude|keep|choose|pick)", re.IGNORECASE)


def table_lines(lines: list[str], known: Known, say: Callable[[str], str | None]) -> list[str]:
    """Replace each Markdown table by one line for each row: its id, and what `say` makes of its cells."""
    result: list[str] = []
    for is_row, group in groupby(lines, key=lambda line: line.count("|") >= 2):
        rows = list(group)
        result += _table(rows, known, say) if is_row and len(rows) > 1 else rows
    return result


def _table(rows: list[str], known: Known, say: Callable[[str], str | None]) -> list[str]:
    cells = [[cell.strip(" *'\"") for cell in row.strip().strip("|").split("|")] for row in rows]
    cells = [row for row, line in zip(cells, rows, strict=True) if not _TABLE_RULE.fullmatch(line)]
    if not cells:
        return rows
    width = max(map(len, cells))
    ids = [[_only_id(row[column], known) if column < len(row) else None for row in cells] for column in range(width)]
    filled = [column for column in range(width) if sum(each is not None for each in ids[column]) * 2 >= len(cells) - 1]
    if not filled:
        return rows
    called = [
        column for column in filled if column < len(cells[0]) and re.search(r"\bid\b", cells[0][column], re.IGNORECASE)
    ]
    counted = [
        column
        for column in filled
        if len(filled) > 1 and _counts([row[column] for row in cells[1:] if column < len(row)])
    ]
    column = next(iter(called or [column for column in filled if column not in counted] or filled))
    return [_row(each, column, row, say) for each, row in zip(ids[column], cells, strict=True)]


def _row(each: str | None, column: int, row: list[str], say: Callable[[str], str | None]) -> str:
    """Return the id of a row and what is said of it; the words of a row without an id."""
    others = [cell for index, cell in enumerate(row) if index != column]
    if each is None:
        return " ".join(others)
    said = next((word for cell in reversed(others) if (word := say(cell))), None)
    return f"{each}: {said}" if said else each


def _only_id(cell: str, known: Known) -> str | None:
    tokens = [token for token in scan(cell, known) if token.kind != "glue"]
    return cell[tokens[0].start : tokens[0].end] if len(tokens) == 1 and tokens[0].kind == "id" else None


def _counts(cells: list[str]) -> bool:
    return [cell.strip(".") for cell in cells] == [str(number) for number in range(1, len(cells) + 1)]


def numbered_lines(lines: list[str], known: Known) -> list[str]:
    """Take the numbering off numbered lists, where it numbers; leave it where the numbers are the ids.

    Numbers that count 1, 2, 3 … number the lines if ids follow them, or if other text does after `1.` or `1)`. They are
    ids if they do not count so, if nothing or a verdict follows them, or if they are written like an entry, `1: text`.
    """
    lines = [_unlettered(piece, known) for line in lines for piece in _split_inline(line)]
    found = [(index, ordinal) for index, line in enumerate(lines) if (ordinal := _ORDINAL.match(line))]
    sequence: list[tuple[int, re.Match[str]]] = []
    result = list(lines)
    for index, ordinal in [*found, (-1, None)]:
        if sequence and (ordinal is None or int(ordinal[1]) != int(sequence[-1][1][1]) + 1):
            _unnumber(result, sequence, known)
            sequence = []
        if ordinal is not None:
            sequence.append((index, ordinal))
    return result


def _unlettered(line: str, known: Known) -> str:
    """Take `a)` or `ii.` from the front of a line, unless it is an id."""
    found = _LETTERED.match(line)
    return line[found.end() :] if found and known.word(found[1]) is None else line


def _unnumber(lines: list[str], sequence: list[tuple[int, re.Match[str]]], known: Known) -> None:
    signs = {ordinal[2] for _, ordinal in sequence}
    if int(sequence[0][1][1]) not in (0, 1) or (len(sequence) == 1 and "-" in signs):
        return
    rests = [lines[index][ordinal.end() :] for index, ordinal in sequence]
    leads = [_lead(rest, known) for rest in rests]
    after = sequence[-1][0] + 1
    jumps = after < len(lines) and (ordinal := _ORDINAL.match(lines[after])) and ordinal[1] not in ("0", "1")
    if jumps and leads.count(None) == len(leads):
        return
    are_ids = signs <= {":", "-"} or not any(map(str.strip, rests)) or any(map(_SAYS.match, rests))
    if are_ids and sum(lead is not None for lead in leads) * 2 < len(leads):
        return
    for (index, _), rest, lead in zip(sequence, rests, leads, strict=True):
        lines[index] = rest if lead is None else lead


def _lead(rest: str, known: Known) -> str | None:
    """Return the rest of a numbered line with its id in front; None if it has none in a place for ids."""
    tokens = scan(rest[:300], known)
    first = next((token for token in tokens if token.kind != "glue"), None)
    if first is not None and first.kind in ("id", "unknown"):
        return rest
    named: Token | None = next((token for token in tokens if token.kind == "id" and token.explicit), None)
    if named is not None:
        return f"[{rest[named.start : named.end]}] {rest}"
    trailing = _TRAILING.search(rest[-100:])
    inside = _only_id(trailing[1], known) if trailing else None
    return f"[{inside}] {rest}" if inside is not None else None


def _split_inline(line: str) -> list[str]:
    """Cut `1. 17 2. 4 3. 9` into its entries."""
    found = list(_INLINE_ORDINAL.finditer(line))
    if len(found) < 2 or [int(each[1]) for each in found] != list(range(1, len(found) + 1)):
        return [line]
    starts = [each.start() for each in found]
    return [line[: starts[0]], *(line[start:end] for start, end in zip(starts, [*starts[1:], len(line)], strict=True))]


def _verdict(cell: str) -> str | None:
    return verdict(cell) if (len(cell) <= 30 and weight(cell) == "only") or says_plainly(cell) else None


_NOUN = r"(?:instance|item|id|text|sample|example|sentence)"
_CONCLUDES = r"final (?:answer|selection|list|choice)|selected(?: instances| ids)?:|therefore\b|answer:|in conclusion\b"
_SAYS_OF = r"(?:is|was|should|would|could|has|does|seems|looks|will|might|may|can)\b"
_NEW_LINE = re.compile(
    r"(?<=[.;!?)])(?<!\n\d[.)])(?<!\n\d\d[.)]) (?=[*'\"_]{0,3}"
    rf"(?:{_NOUN} ?[#\[(]?\w{{1,16}}[*\])_]{{0,3}} ?(?:[:(-]|{_SAYS_OF})|\[\w{{1,16}}\]: |(?:{_CONCLUDES})))"
    r"|(?<=[;.])(?<!\n\d[.])(?<!\n\d\d[.]) (?=[#\[]?\w{1,16}\]?,? (?:because|since|for|as|due)\b)"
    rf"|(?<=[,;]) (?:and )?(?=(?:{_NOUN} )?[#\[]?\w{{1,16}}\]? "
    r"(?:is|isn't|was) (?:not )?(?:worth|selected|chosen|picked|skipped)\b)"
    rf"|(?<=[,;]) (?=[\"'\[#]?(?:{_NOUN} )?[\w-]{{1,24}}[\"'\]]? ?[:=(-] ?"
    r"(?:yes|no|y|n|select|skip|not|don't|do not|reject|exclude|true|false|worth|[01](?=[,;)\n]|$))\b)"
    r"|(?<=[,;]) (?=[#\[]?\w{1,16}\]? (?:yes|no) ?(?:[,;\n]|$))",
    re.IGNORECASE,
)
_NEW_HEADING = re.compile(r"(?<=[.;])(?<!\n\d[.])(?<!\n\d\d[.]) (?=[A-Z][A-Za-z' ()]{1,30}: ?[\"'#\[(*]*\w{0,12}\d)")
_BLOCK_TAG = re.compile(r"</?(?:ul|ol|li|br|p|div|tr|table)\b[^<>\n]{0,80}>", re.IGNORECASE)
_STRUCK = re.compile(r"~~[^~\n]{1,200}~~")
_AND = re.compile(
    r"\b(?:as well as|along with|together with|combined with|in combination with|así como|in addition to)\b",
    re.IGNORECASE,
)
_WORD = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen"
    "|eighteen|nineteen|twenty"
)
_DIGITS = {word: str(number) for number, word in enumerate(_WORD.split("|"), 1)}
_SPELT_ONE = re.compile(rf"\b(?:{_WORD})\b", re.IGNORECASE)
_SPELT = re.compile(
    rf"\b(?:instance|id|number|item|text|example|sentence|review)s?:? (?!one (?:by|of|that|which|is|at)\b)"
    rf"(?:{_WORD})(?:(?:, and |, | and )(?:{_WORD}))*\b(?! (?:{_WORD}|instances|texts|reviews|of)\b)",
    re.IGNORECASE,
)
_NUMERO = re.compile(r"\bno\. ?(?=\d)", re.IGNORECASE)


def _in_digits(found: re.Match[str]) -> str:
    """Write `instances seven and nine` with digits."""
    return _SPELT_ONE.sub(lambda word: _DIGITS[word[0].casefold()], found[0])


def _break(text: str) -> str:
    """Start a new line where a new entry or a conclusion starts inside one."""
    text = _SPELT.sub(_in_digits, _AND.sub("and", text))
    return _NEW_HEADING.sub(
        "\n", _NEW_LINE.sub("\n", "\n" + _NUMERO.sub("#", _STRUCK.sub(" ", _BLOCK_TAG.sub("\n", text))))
    )


_HEADED = re.compile(r"([\s*_#>-]*[^\W\d][^:\d\n]{0,80}:[*_\s]*)(?=\S)")
_BULLET = re.compile(r"[*+-] +(?!\[[ xX]\])")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[\w-]*[ \t]*$", re.MULTILINE)
_QUOTED = re.compile(r'"(?:\\.|[^"\\\n])*"')
_WORDED = re.compile(r"[^\W\d_]{2,}\W+\w")
_SPOKEN_OF = re.compile(
    r"(?<!\w)(?:and )?[#\[(*\"']{0,4}(\w{1,24})"
    r"(?:[\])*\"']{0,4}(?: ?(?:: |- )|,? (?:because|since|as|due|for|which)\b)|\] (?=\w))",
    re.IGNORECASE,
)
_NEXT = re.compile(r"[,;.] (?:and )?$|(?<=[,;]) ?and $")


def read_lines(text: str, known: Known) -> list[str]:
    """Return the lines of a reply in plain spelling, with its structured parts rewritten."""
    spelt = _break(plain(json_lines(_FENCE.sub("", text), known)))
    lines = [_unquoted(line.strip(), known) for line in spelt.split("\n")]
    lines = [_bulleted(piece, known) for line in lines for piece in _headed(line, known)]
    return numbered_lines(table_lines(lines, known, _verdict), known)


def _bulleted(line: str, known: Known) -> str:
    """Put the id of `- the ironic one (17)` in front."""
    bullet = _BULLET.match(line)
    return (_lead(line[bullet.end() :], known) or line) if bullet and _TRAILING.search(line[-100:]) else line


def _headed(line: str, known: Known) -> list[str]:
    """Cut `Selected: [k7] A dull film, [m2] Never` into the heading and its entries."""
    found = _HEADED.match(line)
    if found is None:
        return [line]
    lead, entries = found[1].strip(), _entries(line[found.end() :], known)
    offers = grade(lead) >= WEAK or is_heading(lead) or is_refused(lead)
    return [lead, *entries] if offers and classify(entries[0], known).kind in ("pure", "entry") else [line]


def _entries(rest: str, known: Known) -> list[str]:
    """Cut `k7 because it is like m2, p4 because …` in front of each id of which something is said."""
    said = [found for found in _SPOKEN_OF.finditer(rest) if known.word(found[1]) is not None]
    if not said or re.search(r"\w", rest[: said[0].start()]):
        return [rest]
    cuts = [0, *(found.start() for found in said[1:] if _NEXT.search(rest[: found.start()][-6:])), len(rest)]
    return [rest[start:end].removeprefix("and ") for start, end in pairwise(cuts)]


def _unquoted(line: str, known: Known) -> str:
    """Take the words out of quotes beside an id: they are the text of an instance."""
    bare = _QUOTED.sub(lambda found: '""' if _WORDED.search(found[0]) else found[0], line)
    return bare if bare != line and any(token.kind == "id" for token in scan(bare, known)) else line
