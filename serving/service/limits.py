"""What stands before every operation: bounds on bodies and rates, and a check of where a request comes from.

Plain ASGI, so that streams stay streams.
"""

import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import problem
from serving.service.guard import is_loopback
from serving.settings import Settings

STREAMED = ("/v1/datasets", "/v1/select", "/v1/annotate", "/v1/generate")
"""Operations that read their bodies as they arrive; all others read them into memory."""
MOST_CALLERS = 10_000
SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class TooLong(Exception):
    """A body went beyond its bound while it was being read."""


@dataclass
class Bucket:
    """Tokens of one caller."""

    tokens: float
    at: float


class Limits:
    """Args:
    app: what comes behind.
    settings: `body_bytes` and `rate`.
    local: whether the service listens on the loopback interface alone. A page of some website in a browser on this
        machine could otherwise reach it under a name of its own (DNS rebinding).
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, *, local: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app, self._settings, self._local, self._clock = app, settings, local, clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._foreign(scope, headers) or self._too_fast(scope, headers) or self._too_long(scope, headers)
        if refusal is not None:
            status, what, hint, more = refusal
            await problem.answer(status, what, hint, retryable=status == 429, headers=more)(scope, receive, send)
            return
        await self._bounded(scope, receive, send)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A body without a declared length is counted as it is read."""
        most, read, begun, over = self._most(scope), 0, False, False

        async def counted() -> Message:
            nonlocal read, over
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                over = True
                raise TooLong
            return message

        async def guarded(message: Message) -> None:
            nonlocal begun
            if over and not begun:
                return  # what the application makes of a body that broke off is not what was wrong with it
            if message["type"] == "http.response.start":
                begun = True
                message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
            await send(message)

        with contextlib.suppress(TooLong):
            await self._app(scope, counted, guarded)
        if over and not begun:
            refused = problem.answer(413, f"the body is longer than {most:,} bytes", "send it in parts")
            await refused(scope, receive, send)

    def _foreign(self, scope: Scope, headers: Headers) -> "Refusal | None":
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        if self._local and not is_loopback(host):
            return 421, f"this service does not answer under the name {host[:60]!r}", "use http://127.0.0.1", None
        origin = headers.get("origin")
        if origin and scope["method"] not in SAFE and urlsplit(origin).netloc != headers.get("host"):
            return 403, f"a page of {origin[:60]!r} may change nothing here", "call it from a page of its own", None
        return None

    def _too_fast(self, scope: Scope, headers: Headers) -> "Refusal | None":
        rate = self._settings.rate
        if not rate:
            return None
        who = headers.get("authorization") or (scope["client"] or ("",))[0]
        now, burst = self._clock(), 2 * rate
        bucket = self._buckets.pop(who, None) or Bucket(burst, now)
        bucket.tokens, bucket.at = min(burst, bucket.tokens + (now - bucket.at) * rate), now
        self._buckets[who] = bucket
        if len(self._buckets) > MOST_CALLERS:
            self._buckets.popitem(last=False)
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return None
        wait = {"Retry-After": str(max(1, round((1 - bucket.tokens) / rate)))}
        return 429, f"more than {rate:g} requests a second", "wait, or raise THRESHER_RATE", wait

    def _too_long(self, scope: Scope, headers: Headers) -> "Refusal | None":
        if headers.get("content-encoding", "identity") != "identity":
            return 415, "a compressed body is not read", "send it as it is", None
        length = headers.get("content-length", "0")
        most = self._most(scope)
        if not length.isdecimal() or int(length) > most:
            return 413, f"the body of {length[:20]} bytes is longer than {most:,}", "send it in parts", None
        return None

    def _most(self, scope: Scope) -> int:
        whole = self._settings.body_bytes
        return whole if scope["path"].startswith(STREAMED) else max(1024, whole // 16)


Refusal = tuple[int, str, str, dict[str, str] | None]
"""Status, what, what to do, headers."""
