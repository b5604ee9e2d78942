"""HEAD: what GET would answer, without its body (RFC 9110, section 9.3.2). No route has to know of it."""

from anyio import CancelScope
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Head:
    """Stands next to the routes, so that logs and counts before it see the method that was asked for.

    The answer ends with its headers: what would make a body, such as a stream of events, is stopped there.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        inner = {**scope, "method": "GET"}
        begun = False

        async def headers_alone(message: Message) -> None:
            nonlocal begun
            if begun or message["type"] != "http.response.start":
                return
            begun = True
            await send(message)
            await send({"type": "http.response.body", "body": b""})
            answering.cancel()

        try:
            with CancelScope() as answering:
                await self._app(inner, receive, headers_alone)
        finally:
            scope.update({**inner, "method": "HEAD"})  # which route it was, and whose key
