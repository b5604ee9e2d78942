"""The pages: runs, one run, labelling, picks, report. Drawn on the server; the scripts only fetch and show."""

from importlib.resources import files
from pathlib import Path as Folder
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response

from serving.pages.curve import curve
from serving.pages.drawing import page
from serving.pages.signing import Signed
from serving.problem import Refused
from serving.routes.runs import RunId
from serving.runs.job import Job
from serving.runs.view import history, shown, shown_all
from serving.service.desk import AtDesk
from serving.service.guard import LOCAL, Calling, needs

REPORT_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""A report is one file with its style inside; it needs no script."""
SCRIPT = "text/javascript"
STATIC = {
    "style.css": "text/css",
    "live.js": SCRIPT,
    "person.js": SCRIPT,
    "review.js": SCRIPT,
    "picks.js": SCRIPT,
    "icon.svg": "image/svg+xml",
}
KEYS = "123456789acdefghijklmnopqrtvwxyz"
"""For labels, in order. 0, b, s and u do other things."""

router = APIRouter(include_in_schema=False)


@router.get("/", dependencies=[needs("read")])
def runs(desk: AtDesk, signed: Signed, after: Annotated[str | None, Query(max_length=80)] = None) -> HTMLResponse:
    found = desk.store.list(51, after)
    more = found[49].id if len(found) > 50 else None
    return page("runs.html", signed=signed, runs=shown_all(desk.store, found[:50]), next=more)


@router.get("/runs/{run}", dependencies=[needs("read")])
def run_page(run: RunId, desk: AtDesk, signed: Signed) -> HTMLResponse:
    stored = desk.store.get(run)
    job, past = Job.model_validate_json(stored.job), history(desk.store, stored)
    recipe = job.arms[0].recipe
    return page(
        "run.html",
        signed=signed,
        run=shown(desk.store, stored),
        rounds=past.rounds,
        curve=curve(past.points, job.budget, past.scouts),
        student=job.learners[0].name,
        scout=recipe.scout.name if recipe.scout else "",
    )


@router.get("/runs/{run}/review", dependencies=[needs("review")])
def review_page(run: RunId, desk: AtDesk, who: Calling, signed: Signed) -> HTMLResponse:
    stored = desk.store.get(run)
    task = Job.model_validate_json(stored.job).task
    keys = [*KEYS, *[""] * len(task.labels)]
    labels = list(zip(task.labels, keys, strict=False))
    named = "" if who == LOCAL else who.name
    return page("review.html", signed=signed, run=shown(desk.store, stored), task=task, labels=labels, named=named)


@router.get("/runs/{run}/picks", dependencies=[needs("review")])
def picks_page(run: RunId, desk: AtDesk, who: Calling, signed: Signed) -> HTMLResponse:
    stored = desk.store.get(run)
    task = Job.model_validate_json(stored.job).task
    named = "" if who == LOCAL else who.name
    return page("picks.html", signed=signed, run=shown(desk.store, stored), task=task, named=named)


@router.get("/runs/{run}/report", dependencies=[needs("read")])
def report_page(run: RunId, desk: AtDesk) -> HTMLResponse:
    stored = desk.store.get(run)
    path = Folder(stored.folder) / "report.html"
    if stored.state != "done" or stored.origin != "service" or not path.exists():
        raise Refused(409, f"run {run!r} is {stored.state} and has no report", "wait until it is done")
    return HTMLResponse(path.read_text(encoding="utf-8"), headers={"Content-Security-Policy": REPORT_CSP})


@router.get("/static/{name}")
def static(name: str) -> Response:
    if name not in STATIC:
        raise Refused(404, "there is no such file")
    body = files("serving.pages").joinpath("static", name).read_bytes()
    return Response(body, media_type=STATIC[name], headers={"Cache-Control": "max-age=300"})


def problem_page(title: str, detail: str, hint: str, status: int) -> HTMLResponse:
    """An error as a person sees it."""
    return page("problem.html", status, title=title, detail=detail, hint=hint, forbidden=status == 403)
