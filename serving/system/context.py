"""What the work at hand belongs to: ids of request, run, round and call, for every line that is logged meanwhile."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_IDS: ContextVar[tuple[tuple[str, str], ...]] = ContextVar("ids", default=())


@contextmanager
def about(**ids: str) -> Generator[None]:
    """Within the block, `ids()` holds these too. Tasks and handlers inherit them; `in_parallel` hands them on."""
    token = _IDS.set((*_IDS.get(), *ids.items()))
    try:
        yield
    finally:
        _IDS.reset(token)


def ids() -> dict[str, str]:
    """Of the innermost block that names each."""
    return dict(_IDS.get())
