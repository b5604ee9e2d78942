"""The prompts that ship with the program, as they are asked and as they are written down."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query
from pydantic import Field

from agent.errors import BadInput
from prompts.errors import PromptError
from prompts.messages import Frozen, Message
from prompts.template import Prompt, ReplyKind, Slot, catalogue, load
from serving import problem
from serving.problem import Refused
from serving.service.guard import needs

router = APIRouter(prefix="/v1", tags=["prompts"], responses=problem.RESPONSES, dependencies=[needs("read")])
EXAMPLE: dict[str, Any] = {
    "slots": {"guidelines": "task"},
    "variables": {
        "item": "film review sentence",
        "text": "A warm and funny film.",
        "text_b": "",
        "labels": [{"word": "positive", "description": ""}, {"word": "negative", "description": ""}],
        "task_guidelines": "Decide how the writer finds the film.",
        "demonstrations": [],
    },
}


class ShownSlot(Frozen):
    """One idea that can be varied."""

    meaning: str
    fillings: tuple[str, ...]
    default: str = Field(description="Taken where a request names none.")


class ShownPrompt(Frozen):
    """One prompt, without its text."""

    id: str
    version: int
    fingerprint: str = Field(description="`id@version#hash` with every slot at its default; the hash names the text.")
    reply: ReplyKind = Field(description="What the answer is read as.")
    source: str = Field(description="Paper, section or slide that it follows; the wording is our own.")
    variables: dict[str, str] = Field(description="Name and meaning of each variable.")
    slots: dict[str, ShownSlot]


class PromptList(Frozen):
    items: tuple[ShownPrompt, ...]
    next: str | None = Field(description="Give it as `after` for the rest; null where this is all.")


class RenderRequest(Frozen):
    """A choice of slots, and values for the variables that this choice needs."""

    slots: dict[str, str] = Field(default={}, description="Slots that are not named take their default.")
    variables: dict[str, Any] = Field(default={}, description="As the prompt describes them.")


class Rendered(Frozen):
    messages: tuple[Message, ...] = Field(description="What the LLM would be sent.")
    fingerprint: str = Field(description="`id@version#hash` of this choice of slots.")
    slots: dict[str, str] = Field(description="The whole choice, defaults filled in.")


@router.get("/prompts", summary="List the prompts")
def list_prompts(
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
    after: Annotated[str, Query(max_length=200, description="Id of the last prompt that is known already.")] = "",
) -> PromptList:
    """All prompts by id, with version, hash, slots and their fillings, kind of reply and source."""
    left = [prompt for prompt in catalogue() if prompt.id > after]
    more = len(left) > limit
    items = tuple(_shown(prompt) for prompt in left[:limit])
    return PromptList(items=items, next=items[-1].id if more else None)


@router.post("/prompts/{id:path}/render", summary="Render a prompt")
def render_prompt(
    id: Annotated[str, Path(max_length=200, examples=["annotate/label"])],  # noqa: A002  the contract's name
    request: Annotated[RenderRequest, Body(examples=[EXAMPLE])],
) -> Rendered:
    """The messages that the LLM would be sent. Texts enter as data: what looks like a template in them stays text."""
    try:
        prompt = load(id)
    except PromptError as error:
        raise Refused(404, error.what, error.hint) from error
    try:
        messages = prompt.render(request.slots, **request.variables)
    except PromptError as error:
        raise BadInput(error.what, error.hint) from error
    choice = prompt.choice(request.slots)
    return Rendered(messages=messages, fingerprint=prompt.fingerprint(choice), slots=choice)


def _shown(prompt: Prompt) -> ShownPrompt:
    return ShownPrompt(
        id=prompt.id,
        version=prompt.version,
        fingerprint=prompt.fingerprint({}),
        reply=prompt.reply,
        source=prompt.source,
        variables=prompt.variables,
        slots={name: _slot(slot) for name, slot in prompt.slots.items()},
    )


def _slot(slot: Slot) -> ShownSlot:
    return ShownSlot(meaning=slot.meaning, fillings=slot.fillings, default=slot.default)
