"""The one adapter to an LLM: batches of `ChatRequest` to any OpenAI-compatible server, through LangChain's client."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import httpx
from pydantic import JsonValue, SecretStr

from agent.errors import BadInput, CapReached, EngineError
from agent.exchange import ChatFailure, ChatReply, ChatRequest, Reading
from serving.llm.breaker import Breaker
from serving.llm.faults import Fault, Faulty, fault_of
from serving.llm.label_reads import TOP, distinct_texts, read_ids, read_texts
from serving.llm.label_tokens import LabelTokens
from serving.llm.meter import Meter, Reservation
from serving.llm.occupancy import Occupancy
from serving.llm.replicas import Replicas
from serving.llm.retry import Retry
from serving.llm.wire import Honoured, by_ids, cost_of, finish_of, parameters_of, root_of, storable, tokenize
from serving.system.parallel import in_parallel

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage
    from langchain_openai import ChatOpenAI

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
_NOBODY_THERE = ("connection", "timeout")
_NOTHING_DONE = ("connection", "busy", "refused")
_NO_BODY = (ValueError, KeyError, TypeError, IndexError, AttributeError)


class _Replica:
    """One server: its tokenizer's address and LangChain's client for it."""

    def __init__(self, root: str, client: httpx.Client, model: "ChatOpenAI") -> None:
        self.root = root
        self.client = client
        self.model = model


class LangChainChat:
    """A `ChatModel` over one server or several replicas of it. Safe to share between threads.

    Args:
        urls: where the replicas listen, with or without `/v1`.
        model: the name that the servers know the model by.
        honours: what the servers were seen to do. Label reads use chosen token ids where they can and the likeliest
            tokens otherwise (`serving.llm.label_reads`); a request's `pattern` is sent only where it is honoured.
        concurrency: requests under way at once, over all threads. vLLM answers them together.
        timeout: seconds without a byte of the answer.
        extra_body: fields that every request carries besides its own.
        transport: stands in for the network, in tests.

    Raises:
        BadInput: no URL, or one that is none.
    """

    def __init__(
        self,
        urls: Sequence[str],
        model: str,
        honours: Honoured,
        *,
        api_key: SecretStr | None = None,
        concurrency: int = 16,
        timeout: float = 300.0,
        extra_body: Mapping[str, JsonValue] | None = None,
        meter: Meter | None = None,
        retry: Retry | None = None,
        breaker: Breaker | None = None,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._name = model
        self._honours = honours
        self._width, self._timeout = concurrency, timeout
        self._slots = threading.BoundedSemaphore(concurrency)
        self._extra = dict(extra_body or {})
        self.meter = meter or Meter()
        self._retry = retry or Retry()
        self._breaker = breaker or Breaker()
        self._occupancy = Occupancy(clock)
        key = api_key or SecretStr("none")
        roots = [root_of(url) for url in urls]
        if not roots:
            raise BadInput("no address of an LLM server was given", "give at least one URL")
        self._members = [_connect(root, model, key, timeout, transport) for root in roots]
        self._replicas = Replicas(self._members)
        self._tokens = LabelTokens()

    @property
    def name(self) -> str:
        return self._name

    def complete(self, requests: Sequence[ChatRequest]) -> list[ChatReply | ChatFailure]:
        """One outcome for each request, in order.

        Raises:
            EngineError: label probabilities are asked of a server that gives none.
            BadInput: label probabilities are asked for words that the server cannot tell apart.
        """
        self._check(requests)
        return in_parallel(self._ask, requests, self._width)

    def wire(self, request: ChatRequest) -> dict[str, JsonValue]:
        """What besides the request decides how it is put to the server; the ledger's key holds it."""
        settings: dict[str, JsonValue] = {"extra_body": dict(self._extra)} if self._extra else {}
        if request.read:
            settings["read"] = "token-ids" if self._by_ids else f"top-{TOP}"
        if request.pattern is not None:
            settings["pattern"] = self._honours.structured_outputs
        return settings

    def close(self) -> None:
        for member in self._members:
            member.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _by_ids(self) -> bool:
        return by_ids(self._honours)

    def _check(self, requests: Sequence[ChatRequest]) -> None:
        reads = dict.fromkeys(request.read for request in requests if request.read)
        if reads and not (self._by_ids or self._honours.label_logprobs):
            what = (
                f"the server of {self._name} gives no log-probabilities, so it cannot be asked for label probabilities"
            )
            raise EngineError(what, "use vLLM, or have the model write its labels out")
        if not self._by_ids:
            for words in reads:
                distinct_texts(words)

    def _ask(self, request: ChatRequest) -> ChatReply | ChatFailure:
        if self._breaker.is_open():
            return ChatFailure(kind="connection", message="not sent: the server has stopped answering")
        start = self._breaker.now()
        outcome = self._retry.call(lambda again: self._attempt(request, again > 0), self._failed)
        if isinstance(outcome, ChatReply):
            self._breaker.answered()
        elif outcome.kind in _NOBODY_THERE:
            self._breaker.failed(start)
        return outcome

    def _failed(self, fault: Fault) -> None:
        self.meter.failed(fault.kind)
        log.info("the LLM server did not answer (%s)", fault.kind)  # its message may quote what was asked

    def _attempt(self, request: ChatRequest, again: bool) -> ChatReply:
        """Asks one replica after the other while they cannot be reached, each once."""
        tried: set[int] = set()
        while True:
            with self._replicas.borrow(tried) as (index, replica):
                try:
                    return self._send(replica, request, again or bool(tried))
                except Exception as error:
                    fault = fault_of(error)
                    if fault is None or fault.kind != "connection":
                        raise
                    tried.add(index)
                    self._replicas.unreachable(index)
                    if len(tried) == len(self._replicas):
                        raise
                    self._failed(fault)

    def _send(self, replica: _Replica, request: ChatRequest, again: bool) -> ChatReply:
        tokens = self._first_tokens(replica, request)
        parameters = parameters_of(request, tokens, self._honours, self._extra)
        try:
            with self._slots, self.meter.sending(request, again, self._occupancy.busy) as reservation:
                if reservation.patience is not None:
                    parameters["timeout"] = min(self._timeout, reservation.patience)
                return self._exchange(replica, request, parameters, tokens, reservation)
        except CapReached as error:
            raise Faulty(Fault("capped", str(error))) from error

    def _exchange(
        self,
        replica: _Replica,
        request: ChatRequest,
        parameters: dict[str, Any],
        tokens: Mapping[str, Sequence[int]],
        reservation: Reservation,
    ) -> ChatReply:
        try:
            with self._occupancy.sharing() as share:
                reservation.share = share
                message = _invoke(replica.model, request, parameters)
        except Exception as error:
            fault = fault_of(error)
            if fault and fault.kind in _NOTHING_DONE:
                reservation.used = 0
            raise
        cost, metered = cost_of(message.response_metadata.get("token_usage"), request, message.text)
        cost = cost.model_copy(update={"seconds": share.seconds})
        reservation.used = cost.tokens_in + cost.tokens_out
        self.meter.paid(cost, metered)
        text, finish = storable(message.text), finish_of(message.response_metadata.get("finish_reason"))
        if not request.read and not text.strip():
            # Kept as an answer it would stand for ever; a model that means it says it again until the allowance is up.
            raise Faulty(Fault("malformed", "the answer is an empty text"))
        reading = self._reading(request, message.response_metadata.get("logprobs"), tokens)
        if reading is not None:
            self.meter.read(reading.label_mass)
        return ChatReply(text=text, finish=finish, cost=cost, reading=reading)

    def _first_tokens(self, replica: _Replica, request: ChatRequest) -> dict[str, tuple[int, ...]]:
        if not request.read or not self._by_ids:
            return {}
        return self._tokens.of(request.read, lambda text: tokenize(replica.client, replica.root, self._name, text))

    def _reading(self, request: ChatRequest, logprobs: object, tokens: Mapping[str, Sequence[int]]) -> Reading | None:
        if not request.read:
            return None
        return read_ids(logprobs, tokens) if self._by_ids else read_texts(logprobs, request.read)


def _connect(root: str, model: str, key: SecretStr, timeout: float, transport: httpx.BaseTransport | None) -> _Replica:
    from langchain_openai import ChatOpenAI

    # A proxy of the environment is never meant for a server on this machine.
    outside = urlsplit(root).hostname not in ("127.0.0.1", "localhost", "::1")
    limits = httpx.Limits(max_connections=None)
    client = httpx.Client(
        transport=transport,
        timeout=httpx.Timeout(timeout, connect=CONNECT_SECONDS),
        limits=limits,
        trust_env=outside,
        headers={"Authorization": f"Bearer {key.get_secret_value()}"},
    )
    chat = ChatOpenAI(
        model=model,
        base_url=f"{root}/v1",
        api_key=key,
        timeout=httpx.Timeout(timeout, connect=CONNECT_SECONDS),
        http_client=client,
        openai_proxy=None,
        use_responses_api=False,
        max_retries=0,
        cache=False,
    )
    return _Replica(root, client, chat)


def _invoke(model: "ChatOpenAI", request: ChatRequest, parameters: dict[str, Any]) -> "AIMessage":
    from langsmith import tracing_context

    # Texts are data: whatever the environment says, nothing is reported to a tracing service.
    with tracing_context(enabled=False):
        try:
            return model.invoke([(message.role, message.content) for message in request.messages], **parameters)
        except _NO_BODY as error:
            raise Faulty(Fault("malformed", f"the answer lacks what it should hold ({error!r})"[:400])) from error
