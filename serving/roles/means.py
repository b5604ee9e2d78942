"""What a role may use, each asked for only where it is needed; and what using the LLM came to."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from pydantic import Field

from agent.errors import BadInput
from agent.exchange import ChatFailure, ChatReply, ChatRequest, Cost
from agent.protocols import ChatModel, Columns, Embedder
from prompts.errors import PromptError
from prompts.messages import Frozen
from prompts.template import Prompt, load

MOST_EMBEDDED = 5000
"""Texts that one request may have encoded: about a minute of one core."""


@dataclass(frozen=True)
class Means:
    """Where a role finds what it needs."""

    chat: Callable[[], ChatModel]
    """Raises an error of ours while no LLM is there."""
    embedder: Callable[[], Embedder]
    """A sentence encoder that shares nothing between requests; raises an error of ours where there is none."""
    sample: Callable[[str], Columns]
    """At most `MOST_SAMPLE` random texts of a stored data set, equal ones each time."""


class Usage(Frozen):
    """What one call used up."""

    requests: int = Field(description="Requests sent to the LLM, repetitions after a failure among them.")
    recorded: int = Field(description="Questions that the ledger answered, so that nothing was sent for them.")
    prompt_tokens: int = Field(description="Tokens of the prompts sent.")
    cached_tokens: int = Field(description="Those of them that the engine had in its prefix cache.")
    generated_tokens: int = Field(description="Tokens that the LLM wrote.")
    seconds: float = Field(description="From the beginning of the call to its end.")


class Counted:
    """A chat model that counts what really goes out. Safe to share between threads."""

    def __init__(self, chat: ChatModel) -> None:
        self._chat, self._lock = chat, threading.Lock()
        self._begun = monotonic()
        self._cost, self._requests, self._recorded = Cost(), 0, 0

    @property
    def name(self) -> str:
        return self._chat.name

    def complete(self, requests: Sequence[ChatRequest]) -> list[ChatReply | ChatFailure]:
        outcomes = self._chat.complete(requests)
        sent = [each for each in outcomes if isinstance(each, ChatReply) and not each.recorded]
        failed = [each for each in outcomes if isinstance(each, ChatFailure)]
        with self._lock:
            self._requests += len(sent) + sum(each.attempts for each in failed)
            self._recorded += len(outcomes) - len(sent) - len(failed)
            self._cost = sum((each.cost for each in sent), self._cost)
        return outcomes

    def usage(self) -> Usage:
        with self._lock:
            return Usage(
                requests=self._requests,
                recorded=self._recorded,
                prompt_tokens=self._cost.tokens_in,
                cached_tokens=self._cost.cached_tokens,
                generated_tokens=self._cost.tokens_out,
                seconds=round(monotonic() - self._begun, 3),
            )


class Nobody:
    """The chat model of a call that asks no LLM: counts nothing, and refuses to be asked."""

    name = "nobody"

    def complete(self, requests: Sequence[ChatRequest]) -> list[ChatReply | ChatFailure]:
        raise BadInput(f"this call asks no LLM, and {len(requests)} questions came up", "name a strategy of the LLM")


def prompt_for(id_: str, role: str, replies: tuple[str, ...]) -> Prompt:
    """A prompt whose reply the role can read.

    Raises:
        BadInput: there is no such prompt, or its reply is of another kind.
    """
    try:
        known = load(id_)
    except PromptError as error:
        raise BadInput(error.what, error.hint) from error
    if known.reply not in replies:
        what = f"the prompt {id_!r} is answered with {known.reply}, and to {role} takes {' or '.join(replies)}"
        raise BadInput(what, "see GET /v1/prompts for the kind of each")
    return known
