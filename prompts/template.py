"""A prompt: a file with declared variables and slots, and what it renders to.

The file is YAML front matter and a Jinja body cut into turns by marker lines:

    --- instructions ---    what to do; the slot `placement` puts it into a system message or at the head of the first
                            user message
    --- system ---  --- user ---  --- assistant ---

`{% include "<slot>" %}` stands for the chosen part of a slot, `slots.<slot>` for the name of the choice. A variable is
written with `| fence` or `| line` only (see `prompts.fence`). Rendering happens once, in a sandbox: text that looks
like a template stays text.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from jinja2 import TemplateSyntaxError
from pydantic import Field, ValidationError

from prompts.checks import check
from prompts.compose import compose, included, needed
from prompts.errors import PromptError
from prompts.messages import Frozen, Message
from prompts.near import suggest
from prompts.source import Folder, packaged

_INCLUDE = re.compile(r"\{%-? *include \"([a-z_-]+)\" *-?%\}")
ReplyKind = Literal["indices", "scores", "ranking", "label", "items"]
"""Which parser of `prompts.replies` reads the answer: `parse_<kind>`."""


class Slot(Frozen):
    """One idea that can be varied: what it is about, its allowed fillings, and the one taken where none is named."""

    meaning: str
    fillings: tuple[str, ...] = Field(min_length=1)
    default: str


class Part(Frozen):
    """The text of one filling."""

    version: int = Field(ge=1)
    text: str = ""


class Prompt(Frozen):
    """One prompt file with all its parts."""

    id: str = Field(pattern=r"^[a-z]+/[a-z][a-z0-9-]*$")
    version: int = Field(ge=1)
    source: str
    """Paper, section or slide that the prompt follows; the wording is our own."""
    reply: ReplyKind
    variables: dict[str, str]
    """Name of each variable and what it means."""
    slots: dict[str, Slot]
    body: str
    parts: dict[str, dict[str, Part]] = {}
    """Slot, filling, text. A slot without parts (`placement`) changes the structure only."""

    def choice(self, slots: Mapping[str, str]) -> dict[str, str]:
        """Complete a choice with the defaults.

        Raises:
            PromptError: for a slot that the prompt does not have, or a filling that the slot does not allow.
        """
        for name, filling in slots.items():
            if name not in self.slots:
                raise PromptError(f"`{self.id}` has no slot {name!r}", suggest(name, self.slots))
            if filling not in self.slots[name].fillings:
                allowed = suggest(str(filling), self.slots[name].fillings)
                raise PromptError(f"slot `{name}` of `{self.id}` does not allow {filling!r}", allowed)
        return {name: slots.get(name, slot.default) for name, slot in self.slots.items()}

    def texts(self, slots: Mapping[str, str]) -> dict[str, str]:
        """Return the texts of this choice: the chosen part of each slot, and the body under the empty name."""
        choice = self.choice(slots)
        return {"": self.body} | {slot: parts[choice[slot]].text for slot, parts in self.parts.items()}

    def written(self, slots: Mapping[str, str]) -> str:
        """The text of this choice as it stands in the files: parts in their places, variables by their names.

        The choice stands above it: some slots, as `placement`, change which message a text is in and no word of it.
        """
        texts, choice = self.texts(slots), self.choice(slots)
        chosen = ", ".join(f"{slot} = {filling}" for slot, filling in sorted(choice.items()))
        text = _INCLUDE.sub(lambda found: texts[found[1]].rstrip("\n"), self.body).strip("\n")
        return f"slots: {chosen}\n\n{text}" if chosen else text

    def needs(self, slots: Mapping[str, str]) -> frozenset[str]:
        """Names of the variables that this choice of slots uses."""
        return needed(self.texts(slots))

    def render(self, slots: Mapping[str, str], /, **variables: object) -> tuple[Message, ...]:
        """Fill the slots and the variables; slots that are not named take their default.

        Raises:
            PromptError: for an unknown slot or filling, for variables that this choice needs and that are missing, for
                variables that the prompt does not declare, and for values of the wrong shape. A declared variable that
                only another filling uses may be given: an ablation passes the same variables to every variant.
        """
        choice, declared = self.choice(slots), list(self.variables)
        missing = sorted(self.needs(choice) - variables.keys())
        extra = sorted(variables.keys() - self.variables.keys())
        if missing or extra:
            wrong = [f"{word} {', '.join(names)}" for word, names in (("missing", missing), ("extra", extra)) if names]
            raise PromptError(f"variables of `{self.id}`: {'; '.join(wrong)}", f"it declares {', '.join(declared)}")
        return compose(self.id, self.texts(choice), choice, variables)

    def fingerprint(self, slots: Mapping[str, str]) -> str:
        """Return `id@version#hash`; the hash (12 hex digits) changes with the body, a chosen part or the choice."""
        choice, digest = self.choice(slots), hashlib.sha256()
        for name, text in sorted(self.texts(choice).items()):
            digest.update(f"{name}\0{text}\0".encode())
        digest.update("\0".join(f"{name}={choice[name]}" for name in sorted(choice)).encode())
        return f"{self.id}@{self.version}#{digest.hexdigest()[:12]}"


def load(name: str, folder: Folder | None = None) -> Prompt:
    """Read a prompt and its parts, and check that they fit together.

    Args:
        name: the id, for instance `annotate/label`.
        folder: where to look; the packaged library where it is None.

    Raises:
        PromptError: if there is no such prompt, or the file is not what it declares.
    """
    return _packaged(name) if folder is None else _read(name, folder)


@lru_cache(maxsize=256)  # one prompt is rendered for hundreds of texts, and the packaged files do not change
def _packaged(name: str) -> Prompt:
    return _read(name, packaged())


def _read(name: str, folder: Folder) -> Prompt:
    front, body = folder.prompt(name).split()
    try:
        prompt = Prompt.model_validate(front | {"body": body})
        parts = {
            slot: {filling: _part(folder, slot, filling) for filling in prompt.slots[slot].fillings}
            for slot in sorted(included(body) & prompt.slots.keys())
        }
    except TemplateSyntaxError as error:
        raise PromptError(f"`{name}` is not a Jinja template: {error}", "mend the body") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise PromptError(f"`{name}`: {where or 'file'}: {first['msg']}", "mend the front matter") from error
    prompt = prompt.model_copy(update={"parts": parts})
    check(prompt, name)
    return prompt


def catalogue(folder: Folder | None = None) -> tuple[Prompt, ...]:
    """Return all prompts, by id."""
    folder = folder or packaged()
    return tuple(load(source.name, folder) for source in folder.prompts())


def _part(folder: Folder, slot: str, filling: str) -> Part:
    front, text = folder.part(slot, filling).split()
    text = text.strip("\n")
    return Part.model_validate(front | {"text": f"{text}\n\n" if text.strip() else ""})
