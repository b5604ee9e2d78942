"""Reports: one HTML page that needs nothing else, for a comparison, a single run, a study or an ablation."""

import os
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from evaluation.document import Document
from evaluation.records import Comparison, RunSummary
from evaluation.run_view import run_view
from evaluation.views import comparison_view

_PICTURES = ("curves", "dots", "quartiles", "audit_figures")


def page(record: Comparison | RunSummary) -> str:
    """The whole page as HTML. Texts, names and settings of the record are escaped; the figures are our own SVG."""
    is_run = isinstance(record, RunSummary)
    view = run_view(record) if is_run else comparison_view(record)
    pictures = {name: _trusted(view[name]) for name in _PICTURES if name in view}
    environment = _environment()
    return environment.get_template("run.html.j2" if is_run else "report.html.j2").render(
        {**view, **pictures, "style": _style(environment)}
    )


def drawn(document: Document) -> str:
    """The page of a study or an ablation as HTML; escaped as every page is."""
    environment = _environment()
    return environment.get_template("document.html.j2").render({**vars(document), "style": _style(environment)})


def write_report(record: Comparison | RunSummary, path: Path) -> Path:
    """Writes the page to `path`, whole or not at all, and returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(page(record), encoding="utf-8")
    unfinished.replace(path)
    return path


def _trusted(picture: Any) -> Any:
    """SVG from `evaluation.svg`, which escapes every text that enters it."""
    if isinstance(picture, str):
        return Markup(picture)  # noqa: S704  escaped there
    return [Markup(each) for each in picture if each]  # noqa: S704  escaped there


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("evaluation", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["drawn"] = _trusted
    return made


def _style(environment: Environment) -> Markup:
    return Markup(_source(environment, "style.css"))  # noqa: S704  our own file


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]
