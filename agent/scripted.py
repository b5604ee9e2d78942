"""A chat model that answers from a script: for tests of your own recipes, prompts and strategies, with no server."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import fsum

from agent.errors import BadInput
from agent.exchange import ChatFailure, ChatReply, ChatRequest, Cost, Reading

Scripted = str | Mapping[str, float] | ChatReply | ChatFailure
"""A text; for a label read the probability of each word over the whole vocabulary (at most 1 together); or an outcome
as it is."""


class ScriptedChat:
    """A `ChatModel` whose answers are given beforehand. It keeps what it was asked in `requests`.

    Usage is made up from the texts alone: a token for every four characters of the messages and of the answer, no
    seconds. Safe to share between threads; a queue is then used up in the order in which they come.

    Args:
        answers: a queue of answers, one for each request, or a function from the request to its answer.
        name: what the chat model calls itself.
    """

    def __init__(self, answers: Iterable[Scripted] | Callable[[ChatRequest], Scripted], name: str = "scripted") -> None:
        self._name = name
        self._answer = answers if callable(answers) else _queue(answers)
        self._lock = threading.Lock()
        self.requests: list[ChatRequest] = []

    @property
    def name(self) -> str:
        return self._name

    def complete(self, requests: Sequence[ChatRequest]) -> list[ChatReply | ChatFailure]:
        """Raises:
        BadInput: the script is at its end, or has no fitting answer.
        """
        with self._lock:
            return [self._one(request) for request in requests]

    def _one(self, request: ChatRequest) -> ChatReply | ChatFailure:
        self.requests.append(request)
        answer = self._answer(request)
        if isinstance(answer, ChatReply | ChatFailure):
            return answer
        if isinstance(answer, str):
            return _text(request, answer)
        return _read(request, answer)


def _queue(answers: Iterable[Scripted]) -> Callable[[ChatRequest], Scripted]:
    left: Iterator[Scripted] = iter(tuple(answers))

    def answer(request: ChatRequest) -> Scripted:
        for next_one in left:
            return next_one
        said = request.messages[-1].content
        raise BadInput(f"the script is at its end and has no answer to {said[:60]!r}", "add answers to it")

    return answer


def _text(request: ChatRequest, answer: str) -> ChatReply:
    if request.read:
        what = f"the script answers a label read of {', '.join(request.read)} with the text {answer[:40]!r}"
        raise BadInput(what, "answer it with a probability for each word")
    return ChatReply(text=answer, cost=_cost(request, answer))


def _read(request: ChatRequest, answer: Mapping[str, float]) -> ChatReply:
    mass = fsum(answer.values())
    if set(answer) != set(request.read) or min(answer.values(), default=-1.0) < 0 or not 0 < mass <= 1 + 1e-6:
        what = f"the script answers a label read of {', '.join(request.read) or 'nothing'} with {dict(answer)}"
        raise BadInput(what, "give each word that was asked for a probability, more than 0 and at most 1 together")
    shares = {word: answer[word] / mass for word in request.read}
    likeliest = max(request.read, key=lambda word: answer[word])
    reading = Reading(probabilities=shares, label_mass=mass)
    return ChatReply(text=likeliest, finish="length", cost=_cost(request, "x"), reading=reading)


def _cost(request: ChatRequest, answer: str) -> Cost:
    said = sum(len(message.content) for message in request.messages)
    return Cost(calls=1, tokens_in=-(-said // 4), tokens_out=-(-len(answer) // 4))
