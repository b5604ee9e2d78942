"""A journal in memory. The one that survives a crash is the store's."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


class MemoryJournal:
    """A journal that lives as long as its process, for tests and for trying things out."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def step(self, key: str, kind: type[T], compute: Callable[[], T]) -> T:
        adapter = TypeAdapter(kind)
        if key not in self.values:
            self.values[key] = adapter.dump_json(compute()).decode()
        return adapter.validate_json(self.values[key])
