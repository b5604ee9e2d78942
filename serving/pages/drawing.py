"""How a page becomes an answer: its template, its headers."""

from functools import cache
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from serving.system.progress import in_words

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def page(name: str, status: int = 200, *, signed: bool = False, **given: Any) -> HTMLResponse:
    """A template drawn with what is given.

    Args:
        signed: whether whoever looks has signed in here, and may sign out.
    """
    body = _templates().get_template(name).render(signed=signed, **given)
    return HTMLResponse(body, status, headers={"Content-Security-Policy": CSP, "Cache-Control": "no-store"})


@cache
def _templates() -> Environment:
    loader = PackageLoader("serving.pages")
    made = Environment(loader=loader, autoescape=select_autoescape(), undefined=StrictUndefined, trim_blocks=True)
    made.filters["in_words"] = in_words
    return made
