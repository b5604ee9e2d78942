"""From a wish to its forecast: `thresher plan` and `POST /v1/plan`."""

from sqlalchemy import Engine

from serving.engine.environment import build_for
from serving.runs import wishes
from serving.runs.plan import Forecast, forecast
from serving.runs.rates import measured
from serving.runs.wishes import Wish
from serving.settings import Settings
from serving.system.machine import inspect


def planned(wish: Wish, engine: Engine, settings: Settings, model: str = "") -> Forecast:
    """What a wish will take; nothing is asked, started or recorded.

    Args:
        engine: the database whose ledger tells how fast the LLM is.
        model: the LLM as the ledger names it; the one asked last where empty.

    Raises:
        BadInput: the wish cannot be carried out.
    """
    wishes.check(wish)
    gpu = build_for(inspect(), settings.gpu).gpu
    return forecast(wishes.plan(wish, None, None), wish.table, wish.test, measured(engine, model, gpu=gpu))
