"""What an OpenAI-compatible server honours, found by asking: fields that a server does not know are silently ignored.

Each check is a tiny request whose answer would be different if the field had no effect.
"""

import math
import re
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, JsonValue, SecretStr, ValidationError

from agent.errors import EngineError
from prompts.messages import Frozen
from serving.engine.state import HOST, models_at

Shape = TypeVar("Shape", bound=BaseModel)
PATTERN = r"QZ[0-9]{3}X"
"""No model writes this by itself when it is asked to say yes."""
PREFIX = "A field of ripe wheat moves in the wind while the thresher waits beside the barn. " * 16
"""About 290 tokens: two blocks of the prefix cache also where they are of 128 tokens, as vLLM has them on a CPU."""


class Honours(Frozen):
    """What a server does when it is asked to. `model` is the name to ask for, `server` its own name and version."""

    label_logprobs: bool
    """`top_logprobs` gives the most probable tokens (a CPU build of vLLM was seen to give only the one it chose)."""
    logprob_token_ids: bool
    """`logprob_token_ids` gives the probability of any tokens, over the whole vocabulary."""
    structured_outputs: bool
    """`structured_outputs` holds the answer to a pattern."""
    prefix_cache: bool
    """A repeated beginning is not computed again, and the answer says how much of it."""
    tokenize: bool
    server: str
    model: str
    max_model_len: int | None

    @property
    def reads(self) -> bool:
        """Whether labels can be read as probabilities."""
        return self.logprob_token_ids or self.label_logprobs

    def shortcomings(self) -> tuple[str, ...]:
        """One line for each thing that will be done another way, or not at all."""
        lines = (
            (self.reads, "no label log-probabilities: labels cannot be read as probabilities"),
            (
                self.logprob_token_ids,
                "no `logprob_token_ids`: labels outside the most probable tokens are only bounded",
            ),
            (self.structured_outputs, "no structured outputs: replies are parsed without a held pattern"),
            (self.prefix_cache, "no reported prefix cache: repeated beginnings may be computed and paid again"),
        )
        return tuple(f"{self.server}: {line}" for honoured, line in lines if not honoured)


def demand_reads(honours: Honours) -> None:
    """Raises EngineError where labels cannot be read as probabilities from this server."""
    if not honours.reads:
        what = f"{honours.server} gives no log-probabilities for {honours.model}"
        raise EngineError(what, "use vLLM, or a server with `logprobs` for chat completions")


class _Top(BaseModel):
    token: str
    logprob: float


class _Token(BaseModel):
    top_logprobs: list[_Top] = []


class _Logprobs(BaseModel):
    content: list[_Token] | None = None


class _Said(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Said
    logprobs: _Logprobs | None = None


class _Details(BaseModel):
    cached_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens_details: _Details | None = None


class _Answer(BaseModel):
    choices: list[_Choice]
    usage: _Usage | None = None
    system_fingerprint: str | None = None


class _Tokens(BaseModel):
    tokens: list[int]


class _Asker:
    """Sends the questions of one probe."""

    def __init__(self, url: str, model: str, client: httpx.Client) -> None:
        self._url = url
        self._root = url.removesuffix("/v1")
        self._model = model
        self._client = client

    def ask(self, text: str, max_tokens: int = 1, **fields: JsonValue) -> _Answer | None:
        """The answer; None where the server refuses the request or answers something else."""
        messages = [{"role": "user", "content": text}]
        body: dict[str, Any] = {"model": self._model, "messages": messages, "max_tokens": max_tokens, "temperature": 0}
        reply = self._client.post(f"{self._url}/chat/completions", json={**body, **fields})
        if reply.status_code in (401, 403) or reply.status_code >= 500:
            raise EngineError(f"{self._url} answers HTTP {reply.status_code}", "check the server and THRESHER_API_KEY")
        return _parsed(_Answer, reply)

    def tokens(self, word: str) -> list[int]:
        """The ids of a word's tokens; none where the server does not say."""
        body = {"model": self._model, "prompt": word, "add_special_tokens": False}
        found = _parsed(_Tokens, self._client.post(f"{self._root}/tokenize", json=body))
        return found.tokens if found is not None else []


def probe(
    url: str, api_key: SecretStr | None = None, *, model: str = "", transport: httpx.BaseTransport | None = None
) -> Honours:
    """Asks the server at `url` (with its `/v1`) six tiny questions: about two seconds on two cores.

    Args:
        model: the served name; empty: the only one.
        transport: stands in for the network in tests.

    Raises:
        EngineError: it does not answer, refuses the key, does not serve the model, or cannot answer a plain question.
    """
    key = api_key.get_secret_value() if api_key else ""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    proxied = f"//{HOST}:" not in url
    with httpx.Client(timeout=120.0, headers=headers, transport=transport, trust_env=proxied) as client:
        name, length = _served(url, client, model)
        asker = _Asker(url, name, client)
        try:
            return _asked(asker, name, length)
        except httpx.HTTPError as error:
            what = f"{url} broke off: {type(error).__name__} {error}".strip()
            raise EngineError(what, "see whether the server is up") from error


def _served(url: str, client: httpx.Client, model: str) -> tuple[str, int | None]:
    served = models_at(url, client=client)
    if served is None:
        raise EngineError(f"no OpenAI-compatible server answers at {url}", "start it, or correct THRESHER_ENGINE_URL")
    name = model or (next(iter(served)) if len(served) == 1 else "")
    if name not in served:
        what = f"{url} serves {', '.join(served) or 'nothing'}"
        raise EngineError(what, f"{model!r} is wanted" if model else "name one with THRESHER_MODEL or --model")
    return name, served[name]


def _asked(asker: _Asker, name: str, length: int | None) -> Honours:
    plain = asker.ask("Say yes.", logprobs=True, top_logprobs=5)
    first = plain or asker.ask("Say yes.")
    if first is None:
        raise EngineError(f"{name} does not answer a plain question", "see the server's log")
    words = asker.tokens("yes"), asker.tokens("no")
    return Honours(
        label_logprobs=plain is not None and _gives_top(plain, 5),
        logprob_token_ids=all(words) and _gives_ids(asker, [words[0][0], words[1][0]]),
        structured_outputs=_holds_pattern(asker),
        prefix_cache=_caches(asker),
        tokenize=all(words),
        server=first.system_fingerprint or "unnamed server",
        model=name,
        max_model_len=length,
    )


def _tops(answer: _Answer) -> dict[str, float]:
    logprobs = answer.choices[0].logprobs if answer.choices else None
    tokens = (logprobs.content or []) if logprobs else []
    return {top.token: top.logprob for top in tokens[0].top_logprobs} if tokens else {}


def _gives_top(answer: _Answer, wanted: int) -> bool:
    """Whether so many different tokens came, with probabilities that add up to no more than 1."""
    found = _tops(answer)
    real = [value for value in found.values() if -1000.0 < value <= 0.0]
    return len(real) >= wanted and sum(math.exp(value) for value in real) <= 1.001


def _gives_ids(asker: _Asker, ids: list[int]) -> bool:
    wanted: list[JsonValue] = list(ids)
    answer = asker.ask("Say yes.", logprobs=True, logprob_token_ids=wanted, return_tokens_as_token_ids=True)
    found = _tops(answer) if answer is not None else {}
    return all(-1000.0 < found.get(f"token_id:{token}", -math.inf) <= 0.0 for token in ids)


def _holds_pattern(asker: _Asker) -> bool:
    answer = asker.ask("Say yes.", max_tokens=16, structured_outputs={"regex": PATTERN})
    text = answer.choices[0].message.content if answer is not None and answer.choices else None
    return re.fullmatch(PATTERN, (text or "").strip()) is not None


def _caches(asker: _Asker) -> bool:
    answer = None
    for _ in range(2):
        answer = asker.ask(PREFIX + "Say yes.")
    details = answer.usage.prompt_tokens_details if answer is not None and answer.usage else None
    return details is not None and (details.cached_tokens or 0) > 0


def _parsed(shape: type[Shape], reply: httpx.Response) -> Shape | None:
    try:
        return shape.model_validate_json(reply.content) if reply.is_success else None
    except ValidationError:
        return None
