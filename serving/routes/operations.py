"""How the service is: alive, ready, counted. These three need no key, and say nothing about any text."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import Field
from sqlalchemy import select

from agent.errors import EngineError, StoreError
from prompts.messages import Frozen
from serving import problem
from serving.database import reading
from serving.problem import Refused
from serving.service.desk import AtDesk
from serving.service.metrics import Metrics

router = APIRouter(tags=["operations"], responses=problem.RESPONSES)


class Health(Frozen):
    status: str = "alive"


class Readiness(Frozen):
    """What it stands on."""

    ready: bool
    database: str = Field(description="`ready`, or what is wrong with it.")
    engine: str = Field(description="The LLM that answers, or why none does.")
    runs: str = Field(description="`looked after`, or what keeps the service from it.")


@router.get("/health", summary="Whether it is alive")
def health() -> Health:
    """Answers while the process does."""
    return Health()


@router.get("/ready", summary="Whether it can work", responses={503: {"model": Readiness, "description": "Not yet"}})
def ready(desk: AtDesk, response: Response) -> Readiness:
    """Database and LLM. Runs and texts can be looked at while only the LLM is missing."""
    database, engine, good = "ready", "", not desk.stopping.is_set()
    try:
        with reading(desk.database) as connection:
            connection.execute(select(1))
    except StoreError as error:
        database, good = error.what, False
    try:
        engine = desk.llm.alive()
    except (Refused, EngineError) as error:
        engine, good = error.what, False
    runs = desk.supervisor.trouble
    response.status_code = 200 if good and not runs else 503
    return Readiness(ready=good and not runs, database=database, engine=engine, runs=runs or "looked after")


@router.get("/metrics", summary="Numbers for Prometheus", response_class=PlainTextResponse)
def metrics(request: Request) -> PlainTextResponse:
    """Requests and their times of this process; runs and LLM calls of the database."""
    counted: Metrics = request.app.state.metrics
    return PlainTextResponse(counted.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
