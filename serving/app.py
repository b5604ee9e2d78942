"""The service: `create_app` puts routes, desk and guard together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from serving import problem
from serving import settings as environment
from serving.routes import catalogue, datasets, plan, prompts, roles, run_results, runs
from serving.runs.outputs import thresher_version
from serving.service.desk import Desk
from serving.settings import Settings

ABOUT = """LLM-agent active learning: unlabelled text, a label set and a small budget in; labelled data with provenance,
a trained student and an honest comparison out."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service over one database; settings come from the environment where none are given.

    Raises:
        StoreError: the database cannot be opened.
        BadInput: a setting cannot be used.
    """
    desk = Desk(settings or environment.load())

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncGenerator[None]:
        await run_in_threadpool(desk.open)
        yield
        await run_in_threadpool(desk.close)

    app = FastAPI(title="Thresher", version=thresher_version(), description=ABOUT, lifespan=life)
    app.state.desk = desk
    problem.install(app)
    for router in (
        *roles.ROUTERS,
        prompts.router,
        catalogue.router,
        datasets.router,
        plan.router,
        runs.router,
        run_results.router,
    ):
        app.include_router(router)
    return app
