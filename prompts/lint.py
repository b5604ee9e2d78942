"""The prompting advice of the seminar as checks on every variant of a prompt.

Source: seminar day 2, the slides "Prompting": an opening one (exactly one word, no extra commentary) and four numbered
ones, after OpenAI's "Best practices for prompt engineering".
"""

import re
from collections.abc import Callable, Iterator

from prompts.compose import MARKER
from prompts.messages import Frozen
from prompts.template import Prompt
from prompts.variants import variants

_INCLUDE = re.compile(r'\{% include "([a-z_]+)" %\}\n?')
_JINJA = re.compile(r"\{[{%#].*?[}%#]\}", re.DOTALL)
_DATA = re.compile(r"\{\{ ?\w+(?:\.text)? ?\| ?(?:fence|line\()|\{% for ")
_ITEM = re.compile(r"\{\{ ?item\b")
_HEADING = re.compile(r"^### \S", re.MULTILINE)
_FENCE = re.compile(r"\| ?fence\b")
_ORDER = re.compile(
    r"\b(?:choose|decide|reply|answer|write|label|score|rank|classify|summari[sz]e|extract|give|read)\b", re.IGNORECASE
)
_QUANTITY = re.compile(
    r"\b(?:exactly|at most|at least|between \d+ and|of \d+ to \d+) |\beach .{1,40} from \d+ to \d+\b"
    r"|\b(?:one|\d+|all) (?:line|word|sentence)s?\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?:])\s|\n")
_FORMAT = re.compile(r"\bformat\b", re.IGNORECASE)
_SHOWN = re.compile(r"\bformat\b.{0,400}?(?:<[^<>]+>|\bfor example\b)", re.IGNORECASE | re.DOTALL)
_FLUFF = re.compile(
    r"\b(?:fairly|quite|rather|somewhat|very|really|basically|simply|just|please|maybe|perhaps|possibly|several|various"
    r"|some|a few|a couple|a bit|a lot|many|not too (?:much|many|long|short)|kind of|sort of|try to"
    r"|adequate|sufficient|reasonable|appropriate|suitable|nice"
    r"|good|great|interesting|high[- ]quality|creative|short|brief|long|etc\.?|and so on|as needed"
    r"|if possible|about equal\w*)\b",
    re.IGNORECASE,
)
_ONE_WORD = re.compile(r"\bexactly one (?:word|label)\b", re.IGNORECASE)
_NO_COMMENT = re.compile(r"\bno (?:other text|title|comment|extra)\b|\bnothing (?:else|after)\b", re.IGNORECASE)


class Finding(Frozen):
    """A piece of advice that a variant does not follow."""

    check: str
    prompt: str
    slots: dict[str, str]
    """The first variant that fails the check."""
    message: str


class Draft(Frozen):
    """One variant as it is written, its parts in place."""

    reply: str
    turns: tuple[tuple[str, str], ...]
    """(role, template text) in order."""

    @property
    def text(self) -> str:
        """All turns, one after the other."""
        return "\n".join(text for _, text in self.turns)

    @property
    def prose(self) -> str:
        """The words that stand in the template itself."""
        return _JINJA.sub(" ", self.text)


def instructions_first(draft: Draft) -> str | None:
    """Slide 1: put instructions at the beginning."""
    role, first = draft.turns[0]
    order, data = _ORDER.search(first), _DATA.search(first)
    if role not in ("instructions", "system") or order is None:
        return "the prompt does not start with an instruction"
    return "data stand before the instruction" if data and data.start() < order.start() else None


def context_separated(draft: Draft) -> str | None:
    """Slide 1: separate instruction and context by ### or quotes."""
    bare = [role for role, text in draft.turns if role == "user" and _DATA.search(text) and not _is_separated(text)]
    return "the data stand behind neither ### nor quotes" if bare else None


def context_specific(draft: Draft) -> str | None:
    """Slide 2: be specific about the context: what the texts are."""
    return None if _ITEM.search(draft.text) else "the prompt does not say what a text is: write {{ item | line }}"


def length_specific(draft: Draft) -> str | None:
    """Slide 2: be specific about outcome and length, where the order is given."""
    orders = [sentence for sentence in _SENTENCE.split(draft.text) if _ORDER.search(sentence)]
    return None if any(map(_QUANTITY.search, orders)) else "the prompt does not say how much to write"


def format_specific(draft: Draft) -> str | None:
    """Slide 2: be specific about the format."""
    return None if _FORMAT.search(draft.prose) else "the prompt does not name the format of the answer"


def format_shown(draft: Draft) -> str | None:
    """Slide 3: show the desired output format by an example."""
    return None if _SHOWN.search(draft.text) else "the format is not shown: give an example, or <placeholders>"


def no_fluff(draft: Draft) -> str | None:
    """Slide 4: no fluffy or imprecise words."""
    words = sorted({found[0].casefold() for found in _FLUFF.finditer(draft.prose)})
    return f"imprecise: {', '.join(words)}" if words else None


def one_word(draft: Draft) -> str | None:
    """Opening slide: exactly one word, where a label is asked for."""
    return "say: exactly one word" if draft.reply == "label" and not _ONE_WORD.search(draft.prose) else None


def no_commentary(draft: Draft) -> str | None:
    """Opening slide: no extra commentary, where the reply is only the answer."""
    is_plain = draft.reply in ("label", "items")
    return "say that nothing else is wanted" if is_plain and not _NO_COMMENT.search(draft.prose) else None


CHECKS: tuple[Callable[[Draft], str | None], ...] = (
    instructions_first,
    context_separated,
    context_specific,
    length_specific,
    format_specific,
    format_shown,
    no_fluff,
    one_word,
    no_commentary,
)


def lint(prompt: Prompt) -> tuple[Finding, ...]:
    """Hold every variant of a prompt against the advice.

    Returns:
        One finding for each check that any variant fails, with the first such variant.
    """
    return tuple(_findings(prompt))


def draft(prompt: Prompt, slots: dict[str, str]) -> Draft:
    """Return a variant as it is written."""
    texts = prompt.texts(slots)
    whole = _INCLUDE.sub(lambda found: texts[found[1]], texts[""])
    pieces = MARKER.split(whole)
    return Draft(reply=prompt.reply, turns=tuple(zip(pieces[1::2], pieces[2::2], strict=True)))


def _findings(prompt: Prompt) -> Iterator[Finding]:
    failed: set[str] = set()
    for slots in variants(prompt):
        written = draft(prompt, slots)
        for check in CHECKS:
            name = check.__name__.replace("_", "-")
            message = check(written) if name not in failed else None
            if message is not None:
                failed.add(name)
                yield Finding(check=name, prompt=prompt.id, slots=slots, message=message)


def _is_separated(text: str) -> bool:
    return _HEADING.search(text) is not None or _FENCE.search(text) is not None
