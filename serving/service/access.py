"""The outermost layer of the service: every request gets an id and a line in the log, and every failure an answer."""

import logging
import re
import secrets
import time
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import problem
from serving.service.guard import KNOWN
from serving.service.limits import protected
from serving.system.context import about

log = logging.getLogger(__name__)
QUIET = frozenset({"/health", "/ready", "/metrics", "/static/{name}"})
"""Asked for all the time: a line only where they fail, or at the level `debug`."""
_ID = re.compile(r"[\w.-]{1,64}")
_RUN = re.compile(r"[\w.-]{1,70}-[0-9a-f]{8}")


class Logged:
    """Logs which operation was asked for, never its path, query or body: those hold what users write.

    An id that the caller sends as `X-Request-ID` is kept; the answer bears it in any case.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        id_ = given if _ID.fullmatch(given) else secrets.token_hex(8)
        begun, status, sent = time.monotonic(), 0, 0

        async def noted(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), (b"x-request-id", id_.encode())]}
            sent += len(message.get("body", b""))
            await send(message)

        with about(request=id_):
            try:
                await self._app(scope, receive, noted)
            except Exception as error:
                log.error("the service failed", exc_info=error)
                if not status:
                    hint = f"its log says more about request {id_}; please report it"
                    answer = problem.answer(500, "something went wrong inside the service", hint)
                    await answer(scope, receive, protected(noted))
            finally:
                _line(scope, status, sent, time.monotonic() - begun)


def _line(scope: Scope, status: int, sent: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "none")
    path: Mapping[str, object] = scope.get("path_params") or {}
    run = str(path.get("run", ""))
    # Of what was not found, or has not the form of our ids, nobody knows what it is.
    known = {"run": run} if _RUN.fullmatch(run) and 0 < status < 400 else {}
    fields = {"method": scope["method"], "route": route, "status": status, "bytes": sent, "seconds": round(seconds, 4)}
    level = logging.DEBUG if route in QUIET else logging.INFO
    shown = {**fields, **known, "caller": scope.get(KNOWN, "")}
    log.log(logging.WARNING if status >= 500 else level, "request", extra={"fields": shown})
