"""What a reply was read as: a typed answer, or a refusal that says why there is none. Both keep the raw text."""

from pydantic import Field

from prompts.messages import Frozen


class Refusal(Frozen):
    """A reply that holds no usable answer."""

    reason: str
    """One line: why not."""
    raw: str
    ids: tuple[str, ...] = Field(default=(), max_length=0)
    """Always empty: whoever only wants ids need not ask which of the two it got."""


class Indices(Frozen):
    """Chosen ids, in the order of the reply, each once."""

    ids: tuple[str, ...] = Field(min_length=1)
    raw: str
    unknown: tuple[str, ...] = ()
    """What stood in the list and is no id that was allowed."""
    repeated: int = Field(default=0, ge=0)
    """How many entries named an id again."""
    cut: int = Field(default=0, ge=0)
    """How many distinct ids were named beyond the number wanted."""


class Scores(Frozen):
    """A number for each id that got one."""

    scores: dict[str, float] = Field(min_length=1)
    raw: str
    unknown: tuple[str, ...] = ()


class Label(Frozen):
    """One of the words that were allowed, in its allowed spelling."""

    label: str
    raw: str


class Rationale(Frozen):
    """A label with the reason that the model gave for it."""

    label: str
    reason: str
    raw: str


class Items(Frozen):
    """Texts that the model wrote, in order, each once."""

    items: tuple[str, ...] = Field(min_length=1)
    raw: str
    repeated: int = Field(default=0, ge=0)
    cut: int = Field(default=0, ge=0)
