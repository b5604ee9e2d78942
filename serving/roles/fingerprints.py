"""Which prompts a component may use, found in its own description, and how they are worded."""

from collections.abc import Iterator

from pydantic import BaseModel

from agent.errors import BadInput
from prompts.errors import PromptError
from prompts.template import load


def fingerprints(spec: BaseModel) -> frozenset[str]:
    """`id@version#hash` of each prompt with its slots, wherever in the description it stands.

    Raises:
        BadInput: a prompt, slot or filling that there is not.
    """
    return frozenset(wordings(spec))


def wordings(spec: BaseModel) -> dict[str, str]:
    """The text of each of these prompts by its fingerprint. Raises BadInput as `fingerprints`."""
    try:
        used = [(load(prompt), slots) for prompt, slots in _named(spec.model_dump())]
        return {prompt.fingerprint(slots): prompt.written(slots) for prompt, slots in used}
    except PromptError as error:
        raise BadInput(error.what, error.hint) from error


def _named(value: object) -> Iterator[tuple[str, dict[str, str]]]:
    if isinstance(value, dict):
        prompt, slots = value.get("prompt"), value.get("slots")
        if isinstance(prompt, str) and isinstance(slots, dict):
            yield prompt, slots
        for inner in value.values():
            yield from _named(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _named(inner)
