"""From texts and variables to messages, in a sandbox."""

import re
from collections.abc import Mapping
from functools import lru_cache

from jinja2 import DictLoader, StrictUndefined, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from prompts.errors import PromptError
from prompts.fence import fence, heading, line, only_clean
from prompts.messages import Message

MARKER = re.compile(r"^--- (instructions|system|user|assistant) ---$", re.MULTILINE)
_TURN = "\x00"  # no text can hold it: files are refused with it, `clean` removes it from variables
_BODY = ""


def compose(
    name: str, texts: Mapping[str, str], choice: Mapping[str, str], variables: Mapping[str, object]
) -> tuple[Message, ...]:
    """Render the body (under the name '') with its parts, and cut it into messages.

    Raises:
        PromptError: for a value of the wrong shape, or turns in an order that no chat has.
    """
    try:
        template = _environment(tuple(sorted(texts.items()))).get_template(_BODY)
        rendered = template.render(slots=dict(choice), **variables)
    except TemplateError as error:
        raise PromptError(f"`{name}` cannot be rendered: {error}", "compare the values with its variables") from error
    except TypeError as error:
        raise PromptError(
            f"`{name}` got a value of the wrong type: {error}", "compare it with its variables"
        ) from error
    pieces = rendered.split(_TURN)
    turns = [(role, text.strip()) for role, text in zip(pieces[1::2], pieces[2::2], strict=True)]
    return _messages(name, _place(turns, choice.get("placement", "system")))


def needed(texts: Mapping[str, str]) -> frozenset[str]:
    """Names of the variables that these texts use."""
    return frozenset().union(*(_used(text) for text in texts.values())) - {"slots"}


def included(text: str) -> frozenset[str]:
    """Names of the slots that a text includes."""
    names = meta.find_referenced_templates(_environment(()).parse(text))
    return frozenset(name for name in names if name is not None)


@lru_cache(maxsize=1024)
def _used(text: str) -> frozenset[str]:
    return frozenset(meta.find_undeclared_variables(_environment(()).parse(text)))


@lru_cache(maxsize=256)
def _environment(texts: tuple[tuple[str, str], ...]) -> ImmutableSandboxedEnvironment:
    marked = {name: MARKER.sub(lambda found: f"{_TURN}{found[1]}{_TURN}", text) for name, text in texts}
    environment = ImmutableSandboxedEnvironment(
        loader=DictLoader(marked),
        undefined=StrictUndefined,
        autoescape=False,
        finalize=only_clean,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["fence"] = fence
    environment.filters["line"] = line
    environment.filters["heading"] = heading
    return environment


def _place(turns: list[tuple[str, str]], placement: str) -> list[tuple[str, str]]:
    """Turn the instruction block into a system message, or put it at the head of the first user message."""
    if turns[0][0] != "instructions":
        return turns
    instructions, rest = turns[0][1], turns[1:]
    if placement == "system":
        return [("system", instructions), *rest]
    role, text = rest[0]
    return [(role, f"{instructions}\n\n{text}"), *rest[1:]]


def _messages(name: str, turns: list[tuple[str, str]]) -> tuple[Message, ...]:
    roles = "".join(role[0] for role, _ in turns)
    if not re.fullmatch(r"s?u(au)*", roles) or not all(text for _, text in turns):
        order = ", ".join(role if text else f"{role} (empty)" for role, text in turns)
        raise PromptError(
            f"`{name}` renders to the turns {order}", "a chat is: system, then user and assistant in turn"
        )
    return tuple(Message.model_validate({"role": role, "content": text}) for role, text in turns)
