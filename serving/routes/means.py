"""What the roles may use of a desk, and threads of their own, so that LLM calls keep no quick request waiting."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import closing
from typing import Annotated, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request

from agent.protocols import ChatModel, Columns
from serving.roles.means import Means
from serving.service.desk import Desk

T = TypeVar("T")
AT_ONCE = 16
"""Role calls, forecasts and beginnings of runs at the same time; the others wait without holding a thread."""
SAMPLE = 200
"""Texts that are drawn from a data set for a prior."""


def means(desk: Desk) -> Means:
    """What a stateless call may use."""

    def chat() -> ChatModel:
        return desk.llm.ready()[1]

    def sample(data_set: str) -> Columns:
        return desk.data.sample(data_set, SAMPLE)

    return Means(chat=chat, embedder=desk.encoding.ready, sample=sample)


class Threads:
    """Runs what blocks apart from the event loop and from the threads of other requests."""

    def __init__(self) -> None:
        self._limiter = CapacityLimiter(AT_ONCE)

    async def run(self, work: Callable[[], T]) -> T:
        return await to_thread.run_sync(work, limiter=self._limiter)

    async def flow(self, pieces: Generator[bytes]) -> AsyncGenerator[bytes]:
        """Each piece as soon as it is there; a client that goes away ends the work after the piece under way."""
        with closing(pieces):
            while (piece := await self.run(lambda: next(pieces, None))) is not None:
                yield piece


async def _threads(request: Request) -> Threads:
    """One set of threads a service, made inside its event loop."""
    state = request.app.state
    if not hasattr(state, "role_threads"):
        state.role_threads = Threads()
    found: Threads = state.role_threads
    return found


AtThreads = Annotated[Threads, Depends(_threads)]
"""A parameter of a route that asks the LLM."""
