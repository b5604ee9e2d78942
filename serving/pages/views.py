"""The pages: runs, one run, labelling, report, sign-in. Drawn on the server; the scripts only fetch and show."""

import math
from functools import cache
from importlib.resources import files
from pathlib import Path as Folder
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from evaluation.records import Point
from serving.problem import Refused
from serving.routes.runs import RunId
from serving.runs.job import Job
from serving.runs.view import history, shown, shown_all
from serving.service.desk import AtDesk
from serving.service.guard import COOKIE, Calling, needs
from serving.system.progress import in_words

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
REPORT_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""A report is one file with its style inside; it needs no script."""
SCRIPT = "text/javascript"
STATIC = {"style.css": "text/css", "live.js": SCRIPT, "review.js": SCRIPT, "icon.svg": "image/svg+xml"}
_LEFT, _RIGHT, _TOP, _BOTTOM = 50.0, 620.0, 16.0, 226.0

router = APIRouter(include_in_schema=False)


@router.get("/", dependencies=[needs("read")])
def runs(desk: AtDesk, after: Annotated[str | None, Query(max_length=80)] = None) -> HTMLResponse:
    found = desk.store.list(51, after)
    more = found[49].id if len(found) > 50 else None
    return _page("runs.html", runs=shown_all(desk.store, found[:50]), next=more)


@router.get("/runs/{run}", dependencies=[needs("read")])
def run_page(run: RunId, desk: AtDesk) -> HTMLResponse:
    stored = desk.store.get(run)
    past = history(desk.store, stored)
    return _page("run.html", run=shown(desk.store, stored), rounds=past.rounds, curve=curve(past.points))


@router.get("/runs/{run}/review", dependencies=[needs("review")])
def review_page(run: RunId, desk: AtDesk, who: Calling) -> HTMLResponse:
    stored = desk.store.get(run)
    task = Job.model_validate_json(stored.job).task
    named = "" if who.name == "local" else who.name
    return _page("review.html", run=shown(desk.store, stored), task=task, named=named)


@router.get("/runs/{run}/report", dependencies=[needs("read")])
def report_page(run: RunId, desk: AtDesk) -> HTMLResponse:
    stored = desk.store.get(run)
    path = Folder(stored.folder) / "report.html"
    if stored.state != "done" or stored.origin != "service" or not path.exists():
        raise Refused(409, f"run {run!r} is {stored.state} and has no report", "wait until it is done")
    return HTMLResponse(path.read_text(encoding="utf-8"), headers={"Content-Security-Policy": REPORT_CSP})


@router.get("/docs")
def operations(request: Request) -> HTMLResponse:
    """From the service's own OpenAPI document; the usual page for it fetches its scripts from elsewhere."""
    tags: dict[str, list[dict[str, str]]] = {}
    for path, methods in request.app.openapi()["paths"].items():
        for method, each in methods.items():
            shown_as = {"method": method.upper(), "path": path, "summary": each.get("summary", "")}
            first = each.get("description", "").split("\n\n")[0]
            tags.setdefault(each.get("tags", ["other"])[0], []).append({**shown_as, "description": first})
    return _page("docs.html", tags=tags)


@router.get("/login")
def login_page(wrong: bool = False) -> HTMLResponse:
    return _page("login.html", wrong=wrong)


@router.post("/login")
def login(request: Request, desk: AtDesk, key: Annotated[str, Form(max_length=200)]) -> Response:
    """A session is the key itself, in a cookie that no script and no other site can use."""
    if desk.keys.find(key.strip()) is None:
        return RedirectResponse("/login?wrong=true", status_code=303)
    answer = RedirectResponse("/", status_code=303)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, key.strip(), httponly=True, samesite="strict", secure=secure, max_age=30 * 86400)
    return answer


@router.get("/static/{name}")
def static(name: str) -> Response:
    if name not in STATIC:
        raise Refused(404, "there is no such file")
    body = files("serving.pages").joinpath("static", name).read_bytes()
    return Response(body, media_type=STATIC[name], headers={"Cache-Control": "max-age=300"})


def problem_page(title: str, detail: str, hint: str, status: int) -> HTMLResponse:
    """An error as a person sees it."""
    return _page("problem.html", status, title=title, detail=detail, hint=hint)


class Spot(NamedTuple):
    x: float
    y: float
    text: str = ""


class Curve(NamedTuple):
    """A learning curve as shapes."""

    points: str
    band: str
    dots: list[Spot]
    bars: list[Spot]
    """The interval of each dot: from `y` to `text`."""
    lines: list[Spot]
    ticks: list[Spot]
    said: str


def curve(points: tuple[Point, ...]) -> Curve | None:
    """Accuracy over people's labels with 95 % Wilson intervals over test items; None where nothing was measured."""
    kept = [p for p in points if not math.isnan(p.accuracy)]
    if not kept:
        return None
    most = max(p.human_labels for p in kept) or 1
    bounds = [_wilson(p.accuracy, sum(i != -1 for i in p.predictions or ())) for p in kept]
    low, high = min(b[0] for b in bounds), max(b[1] for b in bounds)

    def x(p: Point) -> float:
        return round(_LEFT + 10 + (_RIGHT - _LEFT - 20) * p.human_labels / most, 1)

    def y(value: float) -> float:
        return round(_BOTTOM - (_BOTTOM - _TOP) * (value - low) / max(high - low, 1e-9), 1)

    spots = [Spot(x(p), y(p.accuracy)) for p in kept]
    edge = [(x(p), y(b[1])) for p, b in zip(kept, bounds, strict=True)]
    edge += [(x(p), y(b[0])) for p, b in reversed(list(zip(kept, bounds, strict=True)))]
    said = "; ".join(f"{p.human_labels} labels: {p.accuracy:.1%}" for p in kept)
    return Curve(
        points=" ".join(f"{s.x},{s.y}" for s in spots),
        band=" ".join(f"{a},{b}" for a, b in edge) if len(kept) > 1 else "",
        dots=spots,
        bars=[Spot(x(p), y(b[0]), str(y(b[1]))) for p, b in zip(kept, bounds, strict=True)],
        lines=[Spot(0, y(v), f"{v:.0%}") for v in (low, (low + high) / 2, high)],
        ticks=[Spot(x(p), 0, str(p.human_labels)) for p in {p.human_labels: p for p in kept}.values()],
        said=f"Accuracy over people's labels. {said}",
    )


def _wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Interval of a share of n (Wilson, 1927)."""
    if not n:
        return share, share
    middle, spread = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n)


def _page(name: str, status: int = 200, **given: Any) -> HTMLResponse:
    body = _templates().get_template(name).render(**given)
    return HTMLResponse(body, status, headers={"Content-Security-Policy": CSP, "Cache-Control": "no-store"})


@cache
def _templates() -> Environment:
    loader = PackageLoader("serving.pages")
    made = Environment(loader=loader, autoescape=select_autoescape(), undefined=StrictUndefined, trim_blocks=True)
    made.filters["in_words"] = in_words
    return made
