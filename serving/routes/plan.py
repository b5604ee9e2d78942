"""`POST /v1/plan`: what a run would take, before anything is asked or recorded."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body
from pydantic import Field

from agent.domain import Task
from agent.errors import BadInput
from agent.recipe import Recipe
from prompts.messages import Frozen
from serving import problem
from serving.problem import Refused
from serving.routes.annotate import TASK
from serving.routes.means import AtThreads
from serving.runs.job import Caps
from serving.runs.plan import Forecast
from serving.runs.planning import planned
from serving.runs.wishes import Wish
from serving.service.desk import AtDesk, Desk
from serving.service.guard import needs

router = APIRouter(prefix="/v1", tags=["runs"], responses=problem.RESPONSES)
EXAMPLE: dict[str, Any] = {"task": TASK, "data": "<id of a data set>", "budget": 32, "recipe": "agent"}


class PlanRequest(Frozen):
    """A run that is thought of; the fields are those of `POST /v1/runs`."""

    task: Task
    data: str = Field(max_length=200, description="Id of the data set that is the pool.")
    test: str = Field(default="", max_length=200, description="Id of the data set that students are measured on.")
    budget: int = Field(default=32, ge=1, le=1_000_000, description="Labels that people give, in all.")
    recipe: str | Recipe = Field(default="agent", description="A ready recipe's name, or a recipe as JSON.")
    compare: bool = Field(default=False, description="With the baselines beside it.")
    seeds: int = Field(default=1, ge=1, le=100)
    students: tuple[str, ...] = Field(default=("bert",), min_length=1, max_length=2)
    reads: int = Field(default=600, ge=0, le=100_000, description="Texts that the LLM labels.")
    people: Literal["queue", "simulated"] = Field(default="queue", description="Who answers.")
    caps: Caps = Field(default=Caps(), description="What the run may never exceed; a forecast names those in reach.")


@router.post("/plan", dependencies=[needs("read")], summary="Forecast a run")
async def plan_run(
    request: Annotated[PlanRequest, Body(examples=[EXAMPLE])], desk: AtDesk, threads: AtThreads
) -> Forecast:
    """LLM requests, tokens, time on this engine, people's labels and minutes, each with a range and the assumptions.

    The recipe's own steps are rehearsed with a pretended LLM, which takes seconds; speeds come from recorded calls.
    """
    return await threads.run(lambda: _planned(request, desk))


def _planned(request: PlanRequest, desk: Desk) -> Forecast:
    table = desk.data.table(request.data)
    if not isinstance(request.recipe, str) and request.compare:
        raise BadInput("a comparison runs the ready recipes beside each other", "name a recipe, or leave `compare` out")
    wish = Wish(
        task=request.task,
        table=table,
        test=desk.data.table(request.test) if request.test else None,
        budget=request.budget,
        recipe=request.recipe if isinstance(request.recipe, str) else "random",
        compare=request.compare,
        seeds=request.seeds,
        students=request.students,
        simulate=request.people == "simulated",
        reads=request.reads,
        caps=request.caps,
    )
    recipe = None if isinstance(request.recipe, str) else request.recipe
    return planned(wish, desk.database, desk.settings, recipe, _model(desk))


def _model(desk: Desk) -> str:
    """The LLM that answers now; empty where none does."""
    try:
        return desk.llm.ready()[0].model
    except Refused:
        return ""
