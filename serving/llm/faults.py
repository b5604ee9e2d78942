"""What can go wrong with one request to an LLM server, by class, whichever library noticed it.

The client library is imported where it is asked about, because it takes a second to load.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import Literal

import httpx

from agent.errors import ThresherError

Kind = Literal["connection", "busy", "server", "timeout", "malformed", "refused", "capped"]

# By class name, because the client library is built on `httpx` in some versions and on its twin `httpx2` in others.
# The first row that names a class of the exception's family decides, so the special stands before the general.
_TRANSPORT: tuple[tuple[Kind, frozenset[str]], ...] = (
    ("connection", frozenset({"ConnectTimeout", "PoolTimeout"})),
    ("timeout", frozenset({"TimeoutException"})),
    ("refused", frozenset({"UnsupportedProtocol", "LocalProtocolError", "TooManyRedirects", "InvalidURL"})),
    ("refused", frozenset({"CookieConflict"})),
    ("malformed", frozenset({"DecodingError", "StreamError"})),
    ("connection", frozenset({"TransportError", "RequestError"})),
    ("malformed", frozenset({"HTTPError", "SSEError"})),
)
_HTTP_LIBRARIES = ("httpx", "httpx2", "httpcore", "httpcore2")


@dataclass(frozen=True)
class Fault:
    """What went wrong in one attempt."""

    kind: Kind
    message: str
    wait: float | None = None
    """Seconds that the server asked to be left alone (Retry-After)."""


class Faulty(ThresherError):
    """An attempt that failed with a fault found by ourselves, not by the client library."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.message)


def fault_of(error: BaseException) -> Fault | None:
    """The class of failure that an exception of the client libraries belongs to; None for all others.

    Status 429 and 503 are `busy`, other 5xx `server`, other 4xx `refused`. A time-out while connecting is `connection`:
    the question was never asked. An answer that cannot be read is `malformed`.
    """
    import openai

    if isinstance(error, Faulty):
        return error.fault
    if isinstance(error, openai.APIStatusError | httpx.HTTPStatusError):
        return _of_status(error.response.status_code, error.response.headers, _line(error))
    transport: list[Kind] = [kind for cause in _causes(error) if (kind := _of_transport(cause))]
    kind = transport[0] if transport else _of_library(error)
    return Fault(kind, _line(error)) if kind else None


def _of_status(status: int, headers: Mapping[str, str], message: str) -> Fault:
    if status in (429, 503):
        return Fault("busy", f"status {status}: {message}", _retry_after(headers))
    if status >= 500:
        return Fault("server", f"status {status}: {message}")
    return Fault("refused" if status >= 400 else "malformed", f"status {status}: {message}")


def _of_transport(error: BaseException) -> Kind | None:
    names = _names(error)
    return next((kind for kind, known in _TRANSPORT if names & known), None)


def _of_library(error: BaseException) -> Kind | None:
    import openai

    if isinstance(error, openai.APITimeoutError):
        return "timeout"
    if isinstance(error, openai.APIConnectionError | OSError):
        return "connection"
    if isinstance(error, openai.APIError | openai.LengthFinishReasonError | openai.InvalidWebhookSignatureError):
        return "malformed"
    return "refused" if isinstance(error, openai.OpenAIError) else None


def _names(error: BaseException) -> set[str]:
    family = type(error).__mro__
    return {cls.__name__ for cls in family if cls.__module__.partition(".")[0] in _HTTP_LIBRARIES}


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    cause = error.__cause__
    if cause is not None and str(cause) and str(cause) not in text:
        text = f"{text} ({' '.join(str(cause).split())})"
    return f"{type(error).__name__}: {text}"[:400]


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from a number of (milli)seconds or a date; None where the header is missing or says neither."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "")
        try:
            return max(0.0, float(text) * unit)
        except ValueError:
            continue
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time())
    except ValueError:
        return None
