"""One function over many items, some at a time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def in_parallel(work: Callable[[A], B], items: Sequence[A], width: int) -> list[B]:
    """`[work(item) for item in items]` with at most `width` under way; items start in order.

    Each is done in the caller's context (`serving.system.context`). An exception of one item stops those that have not
    started, and is raised after those under way have ended.
    """
    if width <= 1 or len(items) <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(width, len(items)), thread_name_prefix="chat") as pool:
        futures = [pool.submit(copy_context().run, work, item) for item in items]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()
