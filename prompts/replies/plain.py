"""One spelling for what means the same: digits, dashes, commas, quotes and spaces of any script as ASCII."""

import re
import unicodedata

_COMMAS = frozenset("，、،﹐､；؛︐︑;")
_DOUBLE = frozenset("“”„‟«»「」『』″〝〞＂")
_SINGLE = frozenset("‘’‚‛‹›′`´＇")
_INVISIBLE = frozenset("\ufe0e\ufe0f\u20e3")  # variation selectors and the enclosing keycap
_DASHES = frozenset("−⁃ー➖")
_BULLETS = frozenset("•·▪◦●○■□‣⁌⁍∙・►▶→⇒➤✦★☆")
_CHECKED = frozenset("✓✔✅☑☒👍")  # a box that is ticked in any way
_CROSSED = frozenset("✗✘❌✖❎👎")
_SPACES = re.compile(r"[ \t\v\f]+")
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fff\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
_SEAM = re.compile(rf"(?<=[{_UNSPACED}])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9])(?=[{_UNSPACED}])")
_MARKS = "".join(sorted(_CHECKED | _CROSSED))
_MARK = re.compile(rf"(?<=\w)[ ,;]{{1,3}}(?=[{_MARKS}])")
_MARKED = re.compile(rf"^[ \t]*[{_MARKS}].*", re.MULTILINE)
_BOX = re.compile(
    rf"^([\s>*+{''.join(sorted(_BULLETS))}-]*(?:\d{{1,3}}[.)] )?)([{_MARKS}])\ufe0f? ?(?=\S)",
    re.MULTILINE,
)


def plain(text: str) -> str:
    """Return the text in ASCII where it has an equivalent, without control characters and with single spaces.

    Takes time linear in the length. Ticks become ` yes ` and crosses ` no `, so that verdicts are words; in front of a
    line they are boxes, `[x]` and `[ ]`. Where a script without spaces (Chinese, Japanese, …) meets ASCII a word ends.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii():
        text = _MARKED.sub(lambda found: _MARK.sub("\n", found[0]), text)
        text = _BOX.sub(lambda found: f"{found[1]}[{'x' if found[2] in _CHECKED else ' '}] ", text)
    strange = {ord(character): _spell(character) for character in set(text) if not " " <= character <= "~"}
    strange[ord("`")] = "'"
    return _SPACES.sub(" ", _SEAM.sub(" ", text.translate(strange)))


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
