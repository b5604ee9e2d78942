"""The service: `create_app` puts routes, desk and guard together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from serving import problem
from serving import settings as environment
from serving.pages import operations as documented
from serving.pages import signing, views
from serving.routes import (
    agreement,
    catalogue,
    datasets,
    label_studio,
    operations,
    plan,
    prompts,
    reviews,
    roles,
    run_results,
    runs,
)
from serving.runs.outputs import thresher_version
from serving.service import description
from serving.service.access import Logged
from serving.service.desk import Desk
from serving.service.guard import is_loopback
from serving.service.head import Head
from serving.service.limits import Limits
from serving.service.metrics import Counted, Metrics
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

    version = thresher_version()
    # The ready-made documentation pages fetch their scripts from elsewhere; `/docs` is one of ours.
    app = FastAPI(title="Thresher", version=version, description=ABOUT, lifespan=life, docs_url=None, redoc_url=None)
    app.state.desk = desk
    app.state.metrics = Metrics(desk.database)
    problem.install(app, views.problem_page)
    app.add_middleware(Head)
    app.add_middleware(Limits, settings=desk.settings, local=is_loopback(desk.settings.host))
    app.add_middleware(Counted, metrics=app.state.metrics)
    app.add_middleware(Logged)
    for router in (
        *roles.ROUTERS,
        prompts.router,
        catalogue.router,
        datasets.router,
        plan.router,
        runs.router,
        run_results.router,
        reviews.router,
        agreement.router,
        label_studio.router,
        operations.router,
        views.router,
        documented.router,
        signing.router,
    ):
        app.include_router(router)
    description.install(app)
    return app
