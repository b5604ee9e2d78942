"""What a person sees while a study runs: how many cells are done, and how long the rest will take."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from serving.studies.hand import Done
from serving.studies.jobs import Item

_ASSUMED = {"bert": 60.0, "svm": 0.5, "linear": 0.5}
"""Seconds of a cell before the first one of its group was seen; one that asks the LLM counts 300 more."""
_EVERY = 30.0


class StudyScreen:
    """A bar with the time that is left on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console or Console(stderr=True)
        self._clock, self._told = clock, clock()
        self._left, self._seen = Counter[str](), defaultdict[str, list[float]](list)
        self._done = self._all = 0
        self._width = self._lanes = 1
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=self.console,
            disable=not self.console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("study", total=None, left="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begins(self, items: Sequence[Item], recorded: int, width: int, lanes: int) -> None:
        """So many cells are to be done now, `width` at a time and `lanes` of them asking the LLM; so many were done
        before.
        """
        self._left, self._all = Counter(item.group for item in items), len(items)
        self._width, self._lanes = width, lanes
        before = f", {recorded} are recorded already" if recorded else ""
        asking = f", {lanes} of them asking the LLM" if lanes < width and any(item.asks_llm for item in items) else ""
        self.say(f"{len(items)} cells to do{before}; {width} at a time{asking}")
        self._bar.update(self._task, total=len(items), left=self.left())

    def finished(self, item: Item, done: Done) -> None:
        self._left[item.group] -= 1
        self._done += 1
        if done.spent is not None:
            self._seen[item.group].append(done.spent.seconds)
        self._bar.update(self._task, advance=1, description=item.told(), left=self.left())
        if not self.console.is_terminal and (self._clock() - self._told >= _EVERY or self._done == self._all):
            self._told = self._clock()
            self.say(f"[{self._done}/{self._all}] {item.told()} · {self.left()}")

    def left(self) -> str:
        """What the cells of each group took on average, times how many are left: all of it over the cells at a time, or
        what asks the LLM over its lanes, whichever takes longer.
        """
        each = {group: n * self._mean(group) for group, n in self._left.items()}
        asking = sum(seconds for group, seconds in each.items() if group.endswith("+llm"))
        seconds = max(asking / self._lanes, sum(each.values()) / self._width)
        return f"about {seconds / 60:.0f} min left" if seconds >= 60 else "less than a minute left"

    def _mean(self, group: str) -> float:
        seen = self._seen[group]
        if seen:
            return sum(seen) / len(seen)
        learner, _, llm = group.partition("+")
        return _ASSUMED.get(learner, 5.0) + (300.0 if llm else 0.0)

    def say(self, line: str) -> None:
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)
