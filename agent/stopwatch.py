"""Where the time of a run goes, added up by kind of work."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Stopwatch:
    """Seconds by kind of work: `training`, `LLM`, `choosing`. Work inside other work counts for the inner one only."""

    clock: Callable[[], float] = time.perf_counter
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    _open: list[str] = field(default_factory=list[str], init=False)
    _since: float = field(default=0.0, init=False)

    @contextmanager
    def of(self, what: str) -> Generator[None]:
        self._turn()
        self._open.append(what)
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    def _turn(self) -> None:
        """Gives the time since the last turn to whatever was under way."""
        now = self.clock()
        if self._open:
            what = self._open[-1]
            self.seconds[what] = self.seconds.get(what, 0.0) + now - self._since
        self._since = now
