"""What a prompt file must hold to be loaded: its declarations and its text say the same."""

from typing import TYPE_CHECKING

from jinja2 import TemplateSyntaxError

from prompts.compose import MARKER, included, needed
from prompts.errors import PromptError

if TYPE_CHECKING:
    from prompts.template import Prompt

_RESERVED = frozenset({"self", "slots"})


def check(prompt: "Prompt", name: str) -> None:
    """Check a prompt that was read from the file `name`.

    Raises:
        PromptError: for the first thing that does not fit.
    """
    if prompt.id != name:
        raise PromptError(f"the file `{name}` declares the id {prompt.id!r}", f"write id: {name}")
    try:
        _slots(prompt)
        _variables(prompt)
    except TemplateSyntaxError as error:
        raise PromptError(f"`{name}` is not a Jinja template: {error}", "mend the body or the part") from error
    _turns(prompt)


def _slots(prompt: "Prompt") -> None:
    for name, slot in prompt.slots.items():
        if slot.default not in slot.fillings:
            raise PromptError(
                f"slot `{name}` of `{prompt.id}` has the default {slot.default!r}", f"allow one of {slot.fillings}"
            )
    used = included(prompt.body)
    if strange := sorted(used - prompt.slots.keys()):
        raise PromptError(f"`{prompt.id}` includes {', '.join(strange)} but declares no such slot", "declare the slot")
    texts = [prompt.body, *(part.text for parts in prompt.parts.values() for part in parts.values())]
    silent = [name for name in prompt.slots if name not in used | {"placement"} and not _mentions(texts, name)]
    if silent:
        raise PromptError(f"`{prompt.id}` declares the slot {', '.join(silent)} and does not use it", "include it")


def _mentions(texts: list[str], slot: str) -> bool:
    return any(f"slots.{slot}" in text for text in texts)


def _variables(prompt: "Prompt") -> None:
    texts = {"": prompt.body}
    for slot, parts in prompt.parts.items():
        texts |= {f"{slot}/{filling}": part.text for filling, part in parts.items()}
    used, declared = needed(texts), frozenset(prompt.variables)
    if undeclared := sorted(used - declared):
        where = [name or "body" for name, text in texts.items() if needed({name: text}) & set(undeclared)]
        raise PromptError(
            f"`{prompt.id}` uses {', '.join(undeclared)} (in {', '.join(where)}) without declaring it", "declare it"
        )
    if unused := sorted(declared - used):
        raise PromptError(f"`{prompt.id}` declares {', '.join(unused)} and does not use it", "remove it")
    if reserved := sorted(declared & _RESERVED):
        raise PromptError(f"`{prompt.id}` declares the reserved name {', '.join(reserved)}", "choose another name")


def _turns(prompt: "Prompt") -> None:
    if not MARKER.match(prompt.body.lstrip("\n")):
        raise PromptError(f"the body of `{prompt.id}` does not start with a turn", "start with --- instructions ---")
    has_block = "--- instructions ---" in prompt.body.splitlines()
    if has_block != ("placement" in prompt.slots):
        lacks = "the slot `placement`" if has_block else "an instructions block"
        raise PromptError(f"`{prompt.id}` lacks {lacks}", "an instructions block and `placement` go together")
    placement = prompt.slots.get("placement")
    if placement is not None and not set(placement.fillings) <= {"system", "user"}:
        raise PromptError(
            f"slot `placement` of `{prompt.id}` allows {placement.fillings}", "allow system and user only"
        )
