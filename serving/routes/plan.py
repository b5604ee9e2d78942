"""`POST /v1/plan`: what a run would take, before anything is asked or recorded."""

from typing import Annotated

from fastapi import APIRouter, Body

from serving import problem
from serving.problem import Refused
from serving.routes.means import AtThreads
from serving.routes.wishes import EXAMPLE, RunRequest, wish_of
from serving.runs.plan import Forecast
from serving.runs.planning import planned
from serving.service.desk import AtDesk, Desk
from serving.service.guard import needs

router = APIRouter(prefix="/v1", tags=["runs"], responses=problem.RESPONSES)


@router.post("/plan", dependencies=[needs("read")], summary="Forecast a run")
async def plan_run(
    request: Annotated[RunRequest, Body(examples=[EXAMPLE])], desk: AtDesk, threads: AtThreads
) -> Forecast:
    """Of what `POST /v1/runs` would begin with the same body: LLM requests, tokens, time on this engine, people's
    labels and minutes, each with a range and the assumptions.

    The recipe's own steps are rehearsed with a pretended LLM, which takes seconds; speeds come from recorded calls.
    """
    return await threads.run(lambda: planned(wish_of(request, desk), desk.database, desk.settings, _model(desk)))


def _model(desk: Desk) -> str:
    """The LLM that answers now; empty where none does."""
    try:
        return desk.llm.ready()[0].model
    except Refused:
        return ""
