"""Errors as problem documents (RFC 9457): what is wrong, which value, what to do."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match

from agent.errors import BadInput, EngineError, ModelError, PromptError, StoreError, ThresherError, Waiting
from serving import wrong
from serving.runs.data import NoDataSet
from serving.runs.journal import LostLease
from serving.runs.lease import Busy
from serving.runs.picks import NoPick
from serving.runs.review_queue import NoToken
from serving.runs.store import NoRun

MEDIA = "application/problem+json"


class Problem(BaseModel):
    """What every operation answers with where it cannot do what was asked."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    hint: str = ""
    """What to do about it."""
    retryable: bool = False
    """Whether the very same request may succeed later."""


class Refused(ThresherError):
    """A request that cannot be served, with its HTTP status."""

    def __init__(self, status: int, what: str, hint: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(what, hint)
        self.status = status
        self.headers = headers or {}


RESPONSES: dict[int | str, dict[str, object]] = {
    "default": {"model": Problem, "description": "A problem document", "content": {MEDIA: {}}}
}
"""For `APIRouter(responses=…)`: every operation may answer with a problem document."""


def refusals(**of: str) -> dict[int | str, dict[str, object]]:
    """For `responses=…` of an operation: what some statuses mean there, such as `_404="…"`."""
    return {int(status[1:]): {**RESPONSES["default"], "description": said} for status, said in of.items()}


def answer(
    status: int, detail: str, hint: str = "", *, retryable: bool = False, headers: dict[str, str] | None = None
) -> JSONResponse:
    """A problem document as a response."""
    title = HTTPStatus(status).phrase
    body = Problem(title=title, status=status, detail=detail, hint=hint, retryable=retryable)
    return JSONResponse(body.model_dump(), status_code=status, media_type=MEDIA, headers=headers)


MISSED = {404: "there is nothing at this address", 405: "this address does not know that method"}
"""What the framework refuses by itself."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
Drawn = Callable[[str, str, str, int], Response]
"""From title, detail, hint and status to a page."""


def install(app: FastAPI, page: Drawn | None = None) -> None:
    """Every error that reaches the edge of the service leaves it as a problem document, without a stack trace.

    Args:
        page: draws it for a person who looks at a page; somebody who has to sign in is sent to where that is done.
    """

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, ThresherError)
        headers = error.headers if isinstance(error, Refused) else None
        again = isinstance(error, Waiting)
        return _told(page, request, _status(error), error.what, error.hint, headers=headers, retryable=again)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        errors = error.errors()
        of = str(errors[0]["loc"][0])  # body, query, path or header
        sent = error.body if of == "body" else {name: each.get("input") for each in errors for name in each["loc"][1:2]}
        return _told(page, request, 422, wrong.told(errors, sent, (of,)), "see the operation in /docs")

    async def plain(request: Request, error: Exception) -> Response:
        """What the framework refuses: no such path, no such method."""
        assert isinstance(error, HTTPException)
        what = MISSED.get(error.status_code, str(error.detail))
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(_allowed(request))
        return _told(page, request, error.status_code, what, "see /docs", headers=headers)

    async def unforeseen(_request: Request, _error: Exception) -> JSONResponse:
        """Only of what lies outside `serving.service.access`, which answers and logs all others."""
        return answer(500, "something went wrong inside the service", "its log says what; please report it")

    app.add_exception_handler(ThresherError, ours)
    app.add_exception_handler(Exception, unforeseen)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)


def _told(
    page: Drawn | None,
    request: Request,
    status: int,
    what: str,
    hint: str,
    *,
    headers: dict[str, str] | None = None,
    retryable: bool = False,
) -> Response:
    """As a page to a person, as a problem document to a program."""
    if page is None or not _looked_at(request):
        return answer(status, what, hint, retryable=retryable or status in (429, 503), headers=headers)
    if status == HTTPStatus.UNAUTHORIZED:
        return RedirectResponse(sign_in(asked_for(request)), status_code=303)
    drawn = page(HTTPStatus(status).phrase, what, hint, status)
    drawn.headers.update(headers or {})
    return drawn


def _allowed(request: Request) -> list[str]:
    """All methods that an address knows; the framework names those of one of its routes. HEAD goes with GET."""
    routes: Sequence[BaseRoute] = request.app.routes

    def known(method: str) -> bool:
        return any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)

    found = [method for method in METHODS if known(method)]
    return [*found, "HEAD"] if "GET" in found else found


def asked_for(request: Request) -> str:
    """The page that a request is for, with its query."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def sign_in(after: str, **said: str) -> str:
    """The address where a person signs in and is then sent on to a page of ours."""
    query = said | ({} if after == "/" else {"next": after})
    return f"/login?{urlencode(query)}" if query else "/login"


def _looked_at(request: Request) -> bool:
    return (
        request.method == "GET" and "text/html" in request.headers.get("accept", "") and request.url.path[:4] != "/v1/"
    )


def _status(error: ThresherError) -> int:
    match error:
        case Refused():
            return error.status
        case NoRun() | NoDataSet() | NoToken() | NoPick():
            return 404
        case BadInput() | PromptError():
            return 422
        case Waiting() | Busy() | LostLease():
            return 409
        case EngineError() | StoreError() | ModelError():
            return 503
        case _:
            return 500
