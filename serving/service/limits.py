"""What stands before every operation: bounds on bodies and rates, and a check of where a request comes from.

Plain ASGI, so that streams stay streams.
"""

import contextlib
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import problem
from serving.routes.ndjson import MEDIA
from serving.service.guard import COOKIE, KNOWN, is_loopback
from serving.settings import Settings

STREAMED = ("/v1/datasets",)
"""Operations that read their bodies as they arrive, as others do with bodies of lines; the rest is read into memory."""
MOST_CALLERS = 10_000
SAFE = ("GET", "HEAD", "OPTIONS")
OWN_PAGES = ("same-origin", "none")
"""`Sec-Fetch-Site` of what a page of ours, or the user himself, has a browser ask for."""
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    # Not `no-referrer`: with it, a browser keeps its origin from our own forms, too.
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
NOT_A_PAGE = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
"""For answers that say nothing themselves: a browser that shows one runs and loads nothing."""


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
        self._known: OrderedDict[str, None] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._foreign(scope, headers) or self._too_fast(scope, headers) or self._too_long(scope, headers)
        if refusal is not None:
            status, what, hint, more = refusal
            answer = problem.answer(status, what, hint, retryable=status == 429, headers=more)
            await answer(scope, receive, protected(send))
            return
        await self._bounded(scope, receive, protected(send))
        if KNOWN in scope:
            _keep(self._known, _credential(headers), None)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A body without a declared length is counted as it is read."""
        most, read, begun, over = self._most(scope, Headers(scope=scope)), 0, False, False

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
        if scope["method"] not in SAFE and not _of_our_own(headers):
            site = headers.get("origin", "a page without an origin")[:60]
            return 403, f"{site!r} may change nothing here", "call it from a page of its own", None
        return None

    def _too_fast(self, scope: Scope, headers: Headers) -> "Refusal | None":
        rate = self._settings.rate
        if not rate:
            return None
        # A secret that no operation has recognised yet is a guess: all guesses of one address are counted together.
        credential = _credential(headers)
        who = credential if credential in self._known else (scope["client"] or ("",))[0]
        now, burst = self._clock(), 2 * rate
        bucket = self._buckets.pop(who, None) or Bucket(burst, now)
        bucket.tokens, bucket.at = min(burst, bucket.tokens + (now - bucket.at) * rate), now
        _keep(self._buckets, who, bucket)
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return None
        wait = {"Retry-After": str(max(1, round((1 - bucket.tokens) / rate)))}
        return 429, f"more than {rate:g} requests a second", "wait, or raise THRESHER_RATE", wait

    def _too_long(self, scope: Scope, headers: Headers) -> "Refusal | None":
        if headers.get("content-encoding", "identity").lower() != "identity":
            return 415, "a compressed body is not read", "send it as it is", None
        length = headers.get("content-length", "0")
        most = self._most(scope, headers)
        if not length.isdecimal() or int(length) > most:
            return 413, f"the body of {length[:20]} bytes is longer than {most:,}", "send it in parts", None
        return None

    def _most(self, scope: Scope, headers: Headers) -> int:
        whole = self._settings.body_bytes
        lines = headers.get("content-type", "").partition(";")[0].strip().lower() == MEDIA
        return whole if lines or scope["path"].startswith(STREAMED) else max(1024, whole // 16)


def _of_our_own(headers: Headers) -> bool:
    """Whether a request that changes something comes from one of our pages, or from no page at all.

    Browsers say where a request comes from. One that does not, and yet brings a cookie, is not trusted.
    """
    if site := headers.get("sec-fetch-site"):
        return site in OWN_PAGES
    if origin := headers.get("origin"):
        return urlsplit(origin).netloc == headers.get("host")
    return "cookie" not in headers


def _credential(headers: Headers) -> str:
    """What a request identifies itself with, as a hash: nothing here keeps a secret."""
    cookies = headers.get("cookie", "").split(";")
    session = next((c for c in cookies if c.strip().startswith(f"{COOKIE}=")), "")
    given = headers.get("authorization") or session.strip()
    return hashlib.sha256(given.encode()).hexdigest() if given else ""


def protected(send: Send) -> Send:
    """With the headers that keep a browser from doing more with an answer than showing it."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = list(message.get("headers", ()))
            names = {name.lower() for name, _ in given}
            message = {**message, "headers": given + [pair for pair in (*HEADERS, NOT_A_PAGE) if pair[0] not in names]}
        await send(message)

    return guarded


Kept = TypeVar("Kept")


def _keep(kept: OrderedDict[str, Kept], name: str, value: Kept) -> None:
    """As the latest; the oldest go where there are too many."""
    kept[name] = value
    kept.move_to_end(name)
    if len(kept) > MOST_CALLERS:
        kept.popitem(last=False)


Refusal = tuple[int, str, str, dict[str, str] | None]
"""Status, what, what to do, headers."""
