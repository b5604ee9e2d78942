"""A journal in memory. The one that survives a crash is the store's."""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


@cache
def adapter_of(kind: type[Any]) -> TypeAdapter[Any]:
    """Made once for each kind of step: making one takes longer than most steps take to write."""
    return TypeAdapter(kind)


class MemoryJournal:
    """A journal that lives as long as its process, for tests and for trying things out."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def step(self, key: str, kind: type[T], compute: Callable[[], T]) -> T:
        adapter: TypeAdapter[T] = adapter_of(kind)
        if key not in self.values:
            self.values[key] = adapter.dump_json(compute()).decode()
        return adapter.validate_json(self.values[key])
