"""Signing in and out. A session is the key itself, in a cookie that no script and no other site can use."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from serving.pages.drawing import page
from serving.problem import sign_in
from serving.service.desk import AtDesk
from serving.service.guard import COOKIE

router = APIRouter(include_in_schema=False)
MONTH = 30 * 86400


async def _signed(request: Request) -> bool:
    return COOKIE in request.cookies


Signed = Annotated[bool, Depends(_signed)]
"""A parameter of a page: whether whoever looks has signed in."""


@router.get("/login")
def login_page(signed: Signed, wrong: bool = False, next: str = "/") -> HTMLResponse:  # noqa: A002  the form's name
    return page("login.html", signed=signed, wrong=wrong, after=ours(next))


@router.post("/login")
def login(
    request: Request,
    desk: AtDesk,
    key: Annotated[str, Form(max_length=200)],
    next: Annotated[str, Form(max_length=1000)] = "/",  # noqa: A002  the form's name
) -> Response:
    if desk.keys.find(key.strip()) is None:
        return RedirectResponse(sign_in(ours(next), wrong="true"), status_code=303)
    answer = RedirectResponse(ours(next), status_code=303)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, key.strip(), httponly=True, samesite="strict", secure=secure, max_age=MONTH)
    return answer


@router.post("/logout")
def logout() -> Response:
    answer = RedirectResponse("/login", status_code=303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def ours(address: str) -> str:
    """The address where it is a path of this service, else the first page: nobody is sent elsewhere by a link."""
    plain = address.isprintable() and "\\" not in address  # browsers read a backslash as a slash
    if not plain or address[:1] != "/" or address[1:2] == "/":
        return "/"
    try:
        parts = urlsplit(address)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc else address
