"""Who may do what: an API key in, a caller with scopes out."""

import base64
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Request

from serving.problem import Refused

Scope = Literal["read", "run", "review", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "run", "review", "admin")


@dataclass(frozen=True)
class Caller:
    """Who makes a request."""

    name: str
    scopes: frozenset[Scope]


COOKIE = "thresher_key"
BASIC = "/label-studio/"
"""Where a key may also come by HTTP basic authentication."""
KNOWN = "thresher.caller"
"""Where a request's scope keeps the name of its caller, once it is known."""
LOCAL = Caller("local", frozenset(SCOPES))
"""Whoever calls from this machine while no key has been made."""


def caller(request: Request) -> Caller:
    """The holder of the key in `Authorization: Bearer …`, or of that in the cookie that signing in leaves.

    Label Studio knows names and passwords only: there, the key may come as the password, with any name.

    While there are no keys, whoever is on this machine.

    Raises:
        Refused: 401.
    """
    keys = request.app.state.desk.keys
    given = request.headers.get("authorization", "")
    if not given and COOKIE in request.cookies:
        given = f"Bearer {request.cookies[COOKIE]}"
    scheme, _, secret = given.partition(" ")
    if scheme.lower() == "basic" and request.url.path.startswith(BASIC):
        scheme, secret = "bearer", _password(secret.strip())
    if scheme:
        found = keys.find(secret.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            raise _unknown("the API key is not known, or was revoked")
        request.scope[KNOWN] = found.name
        return found
    if is_loopback(request.client.host if request.client else "") and not keys.any():
        return LOCAL
    raise _unknown("this needs an API key")


def _password(credentials: str) -> str:
    """The password of basic authentication; empty where there is none."""
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine's own; two of the names are those of Starlette's client for tests."""
    try:
        return host in ("localhost", "testclient", "testserver") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _unknown(what: str) -> Refused:
    hint = "send Authorization: Bearer KEY; an administrator makes one with: thresher keys make NAME"
    return Refused(401, what, hint, {"WWW-Authenticate": "Bearer"})


Calling = Annotated[Caller, Depends(caller)]
"""A parameter of a route that wants to know who calls."""


def opens(scopes: frozenset[Scope], wanted: Scope) -> bool:
    """Whether scopes include one: `admin` includes all, and whoever may begin runs or label may look."""
    return wanted in scopes or "admin" in scopes or (wanted == "read" and bool(scopes))


def needs(scope: Scope) -> Any:
    """`dependencies=[needs("run")]`: the route is for callers with that scope."""

    async def check(who: Calling) -> None:
        if not opens(who.scopes, scope):
            raise Refused(403, f"the key {who.name!r} may not {scope}", f"use a key with the scope {scope}")

    checked: Callable[..., Awaitable[None]] = check
    return Depends(checked)
