"""What the service counts, for Prometheus: requests as they come, the state of things when it is asked."""

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import accumulate
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine, func, select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.errors import StoreError
from serving.database import reading
from serving.llm.meter import MASSES
from serving.runs.review_tables import rounds
from serving.runs.schema import runs
from serving.runs.store import State
from serving.service.tally import totals

KINDS = ("connection", "busy", "server", "timeout", "malformed", "refused")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
COUNTED = {
    "requests": "HTTP requests to the LLM, retries among them.",
    "retries": "Those that repeated one that had failed.",
    "hits": "Questions that the ledger answered, so that nothing was sent.",
    "prompt_tokens": "Tokens of prompts, as the LLM server counted them.",
    "cached_tokens": "Those among them that it had in its cache.",
    "generated_tokens": "Tokens of answers.",
    "seconds": "Time of the LLM server; requests side by side share it.",
}


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
    """What the database holds: all servers on it say the same, so take it from one of them (`max`, not `sum`)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> Iterable[Metric]:
        """Registering must not read the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("thresher_database_up", "1 where the database answers.", value=1)
        try:
            with reading(self._engine) as connection:
                states, queues = _states(connection), tuple(_queues(connection))
            counted = totals(self._engine)
        except StoreError:  # the numbers of this process are there all the same
            yield GaugeMetricFamily(up.name, up.documentation, value=0)
            return
        yield from (up, states, *queues)
        yield from _of_the_llm(counted)


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
            method = scope["method"] if scope["method"] in METHODS else "other"  # anything may be sent as a method
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.seconds.labels(method, route).observe(time.monotonic() - begun)


def _states(connection: Connection) -> Metric:
    counted = connection.execute(select(runs.c.state, func.count()).group_by(runs.c.state))
    known: dict[str, int] = {row[0]: row[1] for row in counted}
    states = GaugeMetricFamily("thresher_runs", "Runs by state.", labels=("state",))
    for state in get_args(State):
        states.add_metric((state,), known.get(state, 0))
    return states


def _queues(connection: Connection) -> Iterable[Metric]:
    """What waits for a worker, and what waits for people."""
    queued = connection.execute(select(func.count(), func.min(runs.c.updated)).where(runs.c.state == "queued")).one()
    asked = (rounds.c.run == runs.c.id, runs.c.state == "waiting", rounds.c.done < rounds.c.total)
    left = select(func.coalesce(func.sum(rounds.c.total - rounds.c.done), 0), func.min(rounds.c.created)).where(*asked)
    items = connection.execute(left).one()
    length = GaugeMetricFamily("thresher_queue_length", "Runs for a worker, items for people.", labels=("queue",))
    age = GaugeMetricFamily("thresher_queue_age_seconds", "Age of the oldest of them.", labels=("queue",))
    for name, (number, oldest) in (("runs", queued), ("people", items)):
        length.add_metric((name,), float(number))
        age.add_metric((name,), _age(oldest))
    return length, age


def _age(moment: str | None) -> float:
    """Seconds since an ISO time; 0 where there is none."""
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()) if moment else 0.0


def _of_the_llm(counted: Mapping[str, float]) -> Iterable[Metric]:
    for name, about in COUNTED.items():
        yield CounterMetricFamily(f"thresher_llm_{name}", about, value=counted.get(name, 0.0))
    failures = CounterMetricFamily("thresher_llm_failures", "Attempts that failed, by kind.", labels=("kind",))
    for kind in KINDS:
        failures.add_metric((kind,), counted.get(f"failures/{kind}", 0.0))
    yield failures
    sums = accumulate(counted.get(f"mass/{bound:g}", 0.0) for bound in MASSES)
    buckets = [(f"{bound:g}", total) for bound, total in zip(MASSES, sums, strict=True)]
    about = "Probability that the LLM gave to any label, for each label read."
    every = [*buckets, ("+Inf", buckets[-1][1])]
    yield HistogramMetricFamily("thresher_label_mass", about, buckets=every, sum_value=counted.get("mass_sum", 0.0))
