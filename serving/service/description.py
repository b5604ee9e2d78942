"""The OpenAPI document: what the routes say, with examples of answers, and how a key is given."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from serving.service.examples import ANSWERS, OTHERS
from serving.service.guard import BASIC, COOKIE

SCHEMES: dict[str, Any] = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key. While the service has none, whoever calls from its machine needs none.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "What signing in on a page leaves. It changes something only from a page of the service.",
    },
    "password": {
        "type": "http",
        "scheme": "basic",
        "description": f"Under {BASIC} only: the API key as the password, with any name.",
    },
}
OPEN = ("GET /health", "GET /ready", "GET /metrics")
"""Operations that need no key."""


def described(plain: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """The document that `plain` makes, with what it cannot know; it is made once."""
    made: dict[str, Any] = {}

    def document() -> dict[str, Any]:
        if not made:
            made.update(plain())
            made.setdefault("components", {})["securitySchemes"] = SCHEMES
            for path, methods in made["paths"].items():
                for method, operation in methods.items():
                    _complete(f"{method.upper()} {path}", operation)
        return made

    return document


def install(app: FastAPI) -> None:
    """`/openapi.json` and the page of operations show the whole document from now on."""
    app.openapi = described(app.openapi)


def _complete(name: str, operation: dict[str, Any]) -> None:
    if name not in OPEN:
        takes_password = f" {BASIC}" in name
        operation["security"] = [{scheme: []} for scheme in SCHEMES if takes_password or scheme != "password"]
    media, example = OTHERS.get(name, ("application/json", ANSWERS.get(name)))
    if example is None:
        return
    for status, answer in operation["responses"].items():
        content: dict[str, Any] = answer.get("content", {})
        if status.startswith("2") and media in content:
            content[media]["example"] = example
