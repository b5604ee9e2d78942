"""What goes over the wire to an OpenAI-compatible server and what comes back, as plain data."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, JsonValue, ValidationError

from agent.errors import BadInput
from agent.exchange import ChatRequest, Cost
from serving.llm.faults import Fault, Faulty
from serving.llm.label_reads import TOP
from serving.llm.label_tokens import Piece
from serving.llm.meter import prompt_bound


class Honoured(Protocol):
    """What the server was seen to do; `serving.llm.probe.probe` finds it out."""

    @property
    def label_logprobs(self) -> bool:
        """`logprobs` with `top_logprobs`."""
        ...

    @property
    def logprob_token_ids(self) -> bool:
        """`logprobs` of chosen token ids."""
        ...

    @property
    def structured_outputs(self) -> bool: ...

    @property
    def tokenize(self) -> bool:
        """`POST /tokenize`."""
        ...


class _Details(BaseModel):
    cached_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: _Details | None = None


class _Tokenized(BaseModel):
    tokens: list[int]
    token_strs: list[str] | None = None


def root_of(url: str) -> str:
    """The address of a server without `/v1` and without a slash at the end.

    Raises:
        BadInput: `url` is no http address.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput(f"{url!r} is no address of an LLM server", "write it as http://host:port/v1")
    return url.strip().rstrip("/").removesuffix("/v1").rstrip("/")


def by_ids(honours: Honoured) -> bool:
    """Whether label reads name the tokens that they want."""
    return honours.logprob_token_ids and honours.tokenize


def parameters_of(
    request: ChatRequest,
    tokens: Mapping[str, Sequence[int]],
    honours: Honoured,
    always: Mapping[str, JsonValue],
) -> dict[str, Any]:
    """The arguments of LangChain's `invoke` besides the messages.

    Args:
        tokens: for a label read by token ids, the ids of each word.
        always: fields of every request.
    """
    # LangChain writes its own `max_tokens` as `max_completion_tokens`, which older servers ignore without a word.
    # And the `extra_body` of a call replaces the client's, so every call carries all of it.
    extra: dict[str, JsonValue] = {**always, "max_tokens": 1 if request.read else request.max_tokens}
    if request.read:
        parameters: dict[str, Any] = {"temperature": 0.0, "logprobs": True, "extra_body": extra}
        if not by_ids(honours):
            return {**parameters, "top_logprobs": TOP}
        extra["logprob_token_ids"] = [token for ids in tokens.values() for token in ids]
        extra["return_tokens_as_token_ids"] = True
        return parameters
    if request.pattern is not None and honours.structured_outputs:
        extra["structured_outputs"] = {"regex": request.pattern}
    parameters = {"temperature": request.temperature, "top_p": request.top_p, "extra_body": extra}
    if request.seed is not None:
        parameters["seed"] = request.seed
    if request.stop:
        parameters["stop"] = list(request.stop)
    return parameters


def cost_of(usage: object, request: ChatRequest, text: str) -> tuple[Cost, bool]:
    """What one answer took, and whether the server said so; else the upper bound that caps reckon with."""
    try:
        told = _Usage.model_validate(usage)
    except ValidationError:
        return Cost(calls=1, tokens_in=prompt_bound(request), tokens_out=len(text.encode(errors="replace"))), False
    details = told.prompt_tokens_details
    cached = details.cached_tokens if details else None
    cost = Cost(calls=1, tokens_in=told.prompt_tokens, cached_tokens=cached or 0, tokens_out=told.completion_tokens)
    return cost, True


def finish_of(reason: object) -> str:
    """Raises:
    Faulty: the server's filter withheld the answer.
    """
    if reason == "content_filter":
        raise Faulty(Fault("refused", "the server's content filter withheld the answer"))
    return str(reason) if reason else "unknown"


def storable(text: str) -> str:
    """Half of a surrogate pair, which a cut answer may end with, cannot be written down: it becomes a question mark."""
    return text.encode(errors="replace").decode()


def tokenize(client: httpx.Client, root: str, model: str, text: str) -> list[Piece]:
    """The tokens of `text` by the server's own tokenizer, no special ones added."""
    body = {"model": model, "prompt": text, "add_special_tokens": False, "return_token_strs": True}
    response = client.post(f"{root}/tokenize", json=body)
    response.raise_for_status()
    try:
        found = _Tokenized.model_validate_json(response.content)
        return list(zip(found.tokens, found.token_strs or [""] * len(found.tokens), strict=True))
    except ValueError as error:
        raise Faulty(Fault("malformed", f"the tokenizer's answer for {text!r} cannot be read")) from error
