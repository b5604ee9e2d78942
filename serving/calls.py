"""Requests of the client: which may be sent again, what a problem document becomes, files that appear whole."""

import json
import random
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from prompts.errors import ThresherError
from serving.bodies import quoted

ATTEMPTS = 4
LONGEST_WAIT = 30.0


class ServiceError(ThresherError):
    """The service could not do what was asked; `what` and `hint` are its own words."""

    def __init__(self, status: int, what: str, hint: str = "", *, retryable: bool = False) -> None:
        super().__init__(what, hint)
        self.status = status
        """Of the HTTP answer; 0 where there was none."""
        self.retryable = retryable
        """Whether the very same request may succeed later."""


class Unreachable(ServiceError):
    """No answer came."""


class Denied(ServiceError):
    """401 or 403: the key is missing, unknown, or not for this."""


class NotThere(ServiceError):
    """404 or 410."""


class Conflict(ServiceError):
    """409: it does not fit what has happened meanwhile."""


class Invalid(ServiceError):
    """Another 4xx: what was sent cannot be used."""


class Busy(ServiceError):
    """429 or 503: later."""


class ServerFault(ServiceError):
    """Another 5xx."""


class Calls:
    """One connection pool to one service.

    Args:
        again: seconds to wait before the second attempt; doubled each time, shortened at random by up to a half.
    """

    def __init__(self, http: httpx.Client, again: float) -> None:
        self._http, self._again = http, again

    def close(self) -> None:
        self._http.close()

    def send(self, method: str, path: str, *, repeatable: bool | None = None, **given: Any) -> httpx.Response:
        """An answer below 400.

        Args:
            repeatable: whether it does no harm twice; by default GET only. Others are sent again only where the
                service cannot have begun: no connection, or too many requests.
            given: for httpx; a `content` that can be called is called for each attempt.

        Raises:
            ServiceError: of the kind that the answer's status names.
        """
        harmless = method == "GET" if repeatable is None else repeatable
        for attempt in range(1, ATTEMPTS + 1):
            last = attempt == ATTEMPTS
            body = {"content": given["content"]()} if callable(given.get("content")) else {}
            try:
                response = self._http.request(method, path, **{**given, **body})
            except httpx.TransportError as error:
                if last or not (harmless or isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)):
                    raise _unreachable(self._http, error) from error
                self.pause(attempt)
                continue
            if last or not _again(response.status_code, harmless):
                return checked(response)
            self.pause(attempt, response.headers.get("retry-after", ""))
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def stream(self, path: str, **given: Any) -> Generator[httpx.Response]:
        """An answer whose body is read as it comes. Raises ServiceError, also where it breaks off."""
        try:
            with self._http.stream("GET", path, **given) as response:
                if response.is_error:
                    response.read()
                yield checked(response)
        except httpx.TransportError as error:
            raise _unreachable(self._http, error) from error

    def save(self, path: str, to: Path, **given: Any) -> Path:
        """An answer as a file, which appears whole or not at all."""
        beside = to.with_name(f".{to.name}.part")
        try:
            with self.stream(path, **given) as response, beside.open("wb") as file:
                for piece in response.iter_bytes():
                    file.write(piece)
            return beside.replace(to)
        finally:
            beside.unlink(missing_ok=True)

    def pause(self, attempt: int = 1, asked: str = "") -> None:
        """Waits before another attempt, at least as long as the service asked for."""
        pause = self._again * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads clients out
        time.sleep(min(LONGEST_WAIT, max(pause, float(asked) if asked.isdecimal() else 0.0)))


def _again(status: int, harmless: bool) -> bool:
    return status == 429 or (harmless and status in (502, 503, 504))


def checked(response: httpx.Response) -> httpx.Response:
    """The answer itself where it is none of a failure; else raises the ServiceError that it is."""
    status = response.status_code
    if not response.is_error:
        return response
    found: Any = {}
    if "json" in response.headers.get("content-type", ""):
        try:
            found = response.json()
        except ValueError:
            found = {}
    problem: dict[str, Any] = found if isinstance(found, dict) else {}
    what = str(problem.get("detail") or f"HTTP {status} from {response.request.url}")
    hint = str(problem.get("hint", ""))
    raise _kind(status)(status, what, hint, retryable=bool(problem.get("retryable", status in (429, 503))))


def _kind(status: int) -> type[ServiceError]:
    named: dict[int, type[ServiceError]] = {
        401: Denied,
        403: Denied,
        404: NotThere,
        409: Conflict,
        410: NotThere,
        429: Busy,
        503: Busy,
    }
    return named.get(status, ServerFault if status >= 500 else Invalid)


def _unreachable(http: httpx.Client, error: httpx.TransportError) -> Unreachable:
    what = f"no answer from {http.base_url}: {error or type(error).__name__}"
    return Unreachable(0, what, "start it with `thresher serve`, or correct the address", retryable=True)


def pages(calls: Calls, path: str, params: Mapping[str, Any] | None = None) -> Iterator[bytes]:
    """Each page of a list, as JSON."""
    asked = dict(params or {})
    while True:
        page = calls.send("GET", path, params=asked).content
        yield page
        if (after := json.loads(page)["next"]) is None:
            return
        asked["after"] = after


def at(run: str) -> str:
    """Where a run is."""
    return f"/v1/runs/{quoted(run)}"
