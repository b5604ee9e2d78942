"""What the service counts, for Prometheus: requests as they come, the state of things when it is asked."""

import time
from collections.abc import Iterable
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine, func, select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.database import reading
from serving.llm.ledger import calls
from serving.runs.schema import runs
from serving.runs.store import State


class Metrics:
    """A registry of its own for each application."""

    def __init__(self, engine: Engine) -> None:
        self.registry = CollectorRegistry()
        by = ("method", "route", "status")
        self.requests = Counter("thresher_requests_total", "Requests.", by, registry=self.registry)
        self.seconds = Histogram(
            "thresher_request_seconds", "Time to the end of an answer.", ("method", "route"), registry=self.registry
        )
        self.registry.register(Stored(engine))

    def text(self) -> bytes:
        return generate_latest(self.registry)


class Stored(Collector):
    """What the database holds: counted when it is asked for, so that all servers on it say the same."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> Iterable[Metric]:
        """Registering must not read the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        states = GaugeMetricFamily("thresher_runs", "Runs by state.", labels=("state",))
        with reading(self._engine) as connection:
            counted = connection.execute(select(runs.c.state, func.count()).group_by(runs.c.state))
            known: dict[str, int] = {row[0]: row[1] for row in counted}
            sums = (calls.c.calls, calls.c.tokens_in, calls.c.cached_tokens, calls.c.tokens_out, calls.c.seconds)
            paid = connection.execute(select(*(func.coalesce(func.sum(column), 0) for column in sums))).one()
        for state in get_args(State):
            states.add_metric((state,), known.get(state, 0))
        yield states
        names = ("calls", "prompt_tokens", "cached_tokens", "generated_tokens", "seconds")
        for name, value in zip(names, paid, strict=True):
            about = "Of all answers in the ledger, as first paid."
            yield GaugeMetricFamily(f"thresher_llm_{name}", about, value=float(value))


class Counted:
    """Counts what passes, by the operation's template and never by its path, which holds ids."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.monotonic(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.requests.labels(scope["method"], route, str(status)).inc()
            self._metrics.seconds.labels(scope["method"], route).observe(time.monotonic() - begun)
