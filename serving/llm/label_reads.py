"""From the log-probabilities of an answer's first token to a distribution over label words."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from agent.errors import BadInput
from agent.exchange import Reading
from serving.llm.faults import Fault, Faulty
from serving.llm.label_tokens import SHORTEST_PIECE

TOP = 20
"""The most alternatives that OpenAI-compatible servers return for one position."""
ROUNDING = 1e-7
"""Servers compute in single precision: less than this may be left over by rounding alone."""
_IMPOSSIBLE = -9999.0
"""What vLLM writes for a probability of 0; it also fills up short lists with it."""
_PLACEHOLDER = "token_id:"


class _Alternative(BaseModel):
    token: str
    logprob: Annotated[float, Field(le=1e-3, allow_inf_nan=False)]


class _Position(_Alternative):
    top_logprobs: list[_Alternative] = []


class _Logprobs(BaseModel):
    content: Annotated[list[_Position], Field(min_length=1)]


def read_ids(logprobs: object, tokens: Mapping[str, Sequence[int]]) -> Reading:
    """Where the server was asked for chosen token ids: sums each word's tokens.

    Args:
        logprobs: the `logprobs` of a choice, tokens written as `token_id:17`.
        tokens: the ids that speak for each word.

    Raises:
        Faulty: an id that was asked for is missing, or no word has any probability.
    """
    found = _first(logprobs)
    missing = [token for ids in tokens.values() for token in ids if f"{_PLACEHOLDER}{token}" not in found]
    if missing:
        raise Faulty(Fault("malformed", f"the answer lacks the log-probability of token {missing[0]}"))
    logs = {word: _sum([found[f"{_PLACEHOLDER}{token}"] for token in ids]) for word, ids in tokens.items()}
    return _reading(logs, math.exp(_sum(list(logs.values()))))


def read_texts(logprobs: object, words: Sequence[str]) -> Reading:
    """Where the server returns the likeliest tokens only: matches their texts, whatever their case.

    A token speaks for a word if it is the word, or a beginning of at least three letters that fits no other word. A
    word that no returned token speaks for has an unknown probability: at most the smallest one returned, and at most
    what all returned ones leave over. It is given the most that it can have, and adds nothing to `label_mass`.

    Raises:
        Faulty: none of the words is among the returned tokens: all are unknown, so there is no distribution.
        BadInput: a word is the beginning of another.
    """
    folded = distinct_texts(words)
    found = {token: logprob for token, logprob in _first(logprobs).items() if logprob > _IMPOSSIBLE}
    heard: dict[str, list[float]] = {word: [] for word in words}
    for token, logprob in found.items():
        text = token.strip("Ġ▁ \n\t").casefold()
        spoken = [word for word, fold in folded.items() if text == fold or _begins(text, fold)]
        if len(spoken) == 1:
            heard[spoken[0]].append(logprob)
    sums = {word: _sum(values) for word, values in heard.items() if values}
    if not sums:
        listed = ", ".join(repr(word) for word in words)
        raise Faulty(Fault("refused", f"the answer begins with none of {listed}: not among the {len(found)} likeliest"))
    over = 1.0 - math.fsum(math.exp(value) for value in found.values())
    most = min(min(found.values()), math.log(max(over, ROUNDING)))
    return _reading({word: sums.get(word, most) for word in words}, math.exp(_sum(list(sums.values()))))


def distinct_texts(words: Sequence[str]) -> dict[str, str]:
    """Each word with its case folded.

    Raises:
        BadInput: a word is empty or the beginning of another, so that their texts cannot be told apart.
    """
    folded = {word: word.strip().casefold() for word in words}
    for index, one in enumerate(words):
        for other in words[index + 1 :]:
            a, b = folded[one], folded[other]
            if a.startswith(b) or b.startswith(a):
                what = f"the label words {one!r} and {other!r} cannot be told apart by how they begin"
                raise BadInput(what, "give one of them another word")
    return folded


def _begins(text: str, word: str) -> bool:
    return len(text) >= SHORTEST_PIECE and word.startswith(text)


def _first(logprobs: object) -> dict[str, float]:
    """The tokens at the first position with their log-probabilities."""
    try:
        position = _Logprobs.model_validate(logprobs).content[0]
    except ValidationError as error:
        raise Faulty(Fault("malformed", "the answer carries no readable log-probabilities")) from error
    return {entry.token: entry.logprob for entry in (position, *position.top_logprobs)}


def _sum(logs: Sequence[float]) -> float:
    """log(sum(exp)), without leaving the range of floats."""
    top = max(logs)
    return top + math.log(math.fsum(math.exp(value - top) for value in logs))


def _reading(logs: Mapping[str, float], mass: float) -> Reading:
    if max(logs.values()) <= _IMPOSSIBLE:
        raise Faulty(Fault("refused", "the model gives no probability to any of the label words"))
    total = _sum(list(logs.values()))
    return Reading(
        probabilities={word: math.exp(value - total) for word, value in logs.items()}, label_mass=min(1.0, mass)
    )
