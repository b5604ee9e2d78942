"""From a wish to its forecast: `thresher plan` and `POST /v1/plan`."""

from sqlalchemy import Engine

from agent.recipe import Recipe
from evaluation.records import Arm
from serving.engine.environment import build_for
from serving.roles.fingerprints import fingerprints
from serving.runs import wishes
from serving.runs.job import Job, JobArm
from serving.runs.plan import Forecast, forecast
from serving.runs.rates import measured
from serving.runs.wishes import Wish
from serving.settings import Settings
from serving.system.machine import inspect


def planned(
    wish: Wish,
    engine: Engine,
    settings: Settings,
    recipe: Recipe | None = None,
    model: str = "",
) -> Forecast:
    """What a wish will take; nothing is asked, started or recorded.

    Args:
        engine: the database whose ledger tells how fast the LLM is.
        recipe: instead of the one that the wish names.
        model: the LLM as the ledger names it; the one asked last where empty.

    Raises:
        BadInput: the wish cannot be carried out.
    """
    wishes.check(wish)
    job = wishes.plan(wish, None, None)
    if recipe is not None:
        job = _with(job, recipe)
    gpu = build_for(inspect(), settings.gpu).gpu
    return forecast(job, wish.table, wish.test, measured(engine, model, gpu=gpu))


def _with(job: Job, recipe: Recipe) -> Job:
    arm = JobArm(arm=Arm(name=recipe.name, title=recipe.name, role="agent"), recipe=recipe)
    return job.model_copy(update={"arms": (arm,), "prompts": tuple(sorted(fingerprints(recipe)))})
