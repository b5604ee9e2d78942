"""One spelling for what means the same: digits, dashes, commas, quotes and spaces of any script as ASCII."""

import re
import unicodedata

_COMMAS = frozenset("，、،﹐､；؛︐︑;")
_DOUBLE = frozenset("“”„‟«»「」『』″〝〞＂")
_SINGLE = frozenset("‘’‚‛‹›′`´＇")
_INVISIBLE = frozenset("\ufe0e\ufe0f\u20e3")  # variation selectors and the enclosing keycap
_DASHES = frozenset("−⁃ー➖")
_BULLETS = frozenset("•·▪◦●○■□‣⁌⁍∙・►▶→⇒➤✦★☆")
_CHECKED = frozenset("✓✔✅☑☒")  # a box that is ticked in any way
_CROSSED = frozenset("✗✘❌✖❎")
_SPACES = re.compile(r"[ \t\v\f]+")


def plain(text: str) -> str:
    """Return the text in ASCII where it has an equivalent, without control characters and with single spaces.

    Takes time linear in the length. Ticks become ` yes ` and crosses ` no `, so that verdicts are words.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    strange = {ord(character): _spell(character) for character in set(text) if not " " <= character <= "~"}
    strange[ord("`")] = "'"
    return _SPACES.sub(" ", text.translate(strange))


def _spell(character: str) -> str:
    for group, spelling in _GROUPS:
        if character in group:
            return spelling
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    category = unicodedata.category(character)
    if category in _CATEGORIES:
        return _CATEGORIES[category]
    match category:
        case "No":  # ③ and ² stand alone: without the spaces ③⑦ would become 37
            return f" {unicodedata.normalize('NFKC', character)} "
        case "Cc":
            return character if character in "\n\t" else ""
        case _:
            return unicodedata.normalize("NFKC", character)


_CATEGORIES = {"Zl": "\n", "Zp": "\n", "Zs": " ", "Pd": "-", "Cf": "", "Cs": ""}
_GROUPS: tuple[tuple[frozenset[str], str], ...] = (
    (_COMMAS, ","),
    (_DOUBLE, '"'),
    (_SINGLE, "'"),
    (_INVISIBLE, ""),
    (_DASHES, "-"),
    (_BULLETS, "*"),
    (frozenset("№"), "#"),
    (_CHECKED, " yes "),
    (_CROSSED, " no "),
)
