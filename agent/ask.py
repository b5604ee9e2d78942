"""One question to the LLM: complete → parse → ask again on a bad reply → a typed answer or a typed refusal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from agent.errors import EngineError
from agent.exchange import ChatFailure, ChatReply, ChatRequest, Cost
from agent.protocols import ChatModel
from prompts.replies import Refusal

T = TypeVar("T")
Parser = Callable[[str], T | Refusal]
"""From a reply's text to an answer or a refusal; raises nothing."""
Vary = Callable[[ChatRequest, int], ChatRequest]
"""A request and how often it has been refused (1, 2, …) to the request that is sent instead."""

WARMER = 0.4
AGAIN = 1000
MOST_FAILURES = 0.2
"""Above this share of failed requests the server is at fault, not the texts."""


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What came of one question."""

    value: T | None
    """The parsed answer; None where every reply was refused, or none came."""
    refusal: Refusal | None
    """What was wrong with the last reply that could be read; None where `value` is there, or no reply ever came."""
    replies: tuple[ChatReply | ChatFailure, ...]
    """Every outcome in order, the refused ones among them; their number is the number of attempts."""

    @property
    def reason(self) -> str:
        """Why there is no value, in one line; empty where there is one."""
        if self.value is not None:
            return ""
        last = self.replies[-1]
        if isinstance(last, ChatFailure):
            return f"no reply ({last.kind}): {last.message}"
        cut = " (the reply was cut off at its token limit)" if last.finish == "length" else ""
        return (self.refusal.reason if self.refusal else "no answer") + cut

    @property
    def cost(self) -> Cost:
        """Of all attempts, those that the ledger answered at what they first cost."""
        return sum((reply.cost for reply in self.replies if isinstance(reply, ChatReply)), Cost())


def warmer(request: ChatRequest, again: int) -> ChatRequest:
    """The same question, sampled more freely: temperature at least 0.4 after the first refusal, 0.8 after the second, …

    `repeat` leaves the range of a caller's own repetitions, so that the ledger takes neither for the other.
    """
    return request.model_copy(
        update={
            "temperature": max(request.temperature, WARMER * again),
            "repeat": request.repeat + AGAIN * again,
            "seed": None if request.seed is None else request.seed + again,
        }
    )


def ask_all(
    chat: ChatModel,
    requests: Sequence[ChatRequest],
    parse: Parser[T] | Sequence[Parser[T]],
    again: int = 2,
    vary: Vary = warmer,
) -> list[Answer[T]]:
    """One answer for each request, in order. All questions of a round go out as one batch.

    A reply that the parser refuses is asked for again, at most `again` times. A `ChatFailure` is final: the chat model
    has made its own attempts. So is a refused label read, which would say the same again.

    Args:
        parse: one parser for all replies, or one for each request.
    """
    parsers: Sequence[Parser[T]] = [parse] * len(requests) if callable(parse) else parse
    if len(parsers) != len(requests):
        raise ValueError(f"{len(parsers)} parsers for {len(requests)} requests")
    replies: list[list[ChatReply | ChatFailure]] = [[] for _ in requests]
    values: list[T | None] = [None] * len(requests)
    refusals: list[Refusal | None] = [None] * len(requests)
    left = list(range(len(requests)))
    for round_ in range(again + 1):
        batch = [vary(requests[i], round_) if round_ else requests[i] for i in left]
        outcomes = chat.complete(batch) if batch else []
        for i, outcome in zip(left, outcomes, strict=True):
            replies[i].append(outcome)
            if isinstance(outcome, ChatReply):
                values[i], refusals[i] = _parsed(parsers[i], outcome)
        left = [i for i in left if isinstance(replies[i][-1], ChatReply) and refusals[i] and not requests[i].read]
    return [Answer(v, r, tuple(tried)) for v, r, tried in zip(values, refusals, replies, strict=True)]


def ask(chat: ChatModel, request: ChatRequest, parse: Parser[T], again: int = 2, vary: Vary = warmer) -> Answer[T]:
    """`ask_all` for one question."""
    return ask_all(chat, [request], parse, again, vary)[0]


def demand_answers(replies: Sequence[ChatReply | ChatFailure], what: str) -> None:
    """A few failures are a matter of single questions; many are a server that cannot be used, and must say so.

    Args:
        what: how the message goes on after "7 of 20".

    Raises:
        EngineError: more than a fifth of the questions got no answer.
    """
    failures = [reply for reply in replies if isinstance(reply, ChatFailure)]
    if len(failures) > MOST_FAILURES * len(replies):
        raise EngineError(
            f"{len(failures)} of {len(replies)} {what}, the first with: {failures[0].message}",
            "check the LLM server (thresher engine status), then resume; answers so far are kept",
        )


def _parsed(parse: Parser[T], reply: ChatReply) -> tuple[T | None, Refusal | None]:
    found = parse(reply.text)
    return (None, found) if isinstance(found, Refusal) else (found, None)
