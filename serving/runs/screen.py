"""What a person sees while a job runs: which cell, how far, how long still."""

import logging
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from agent.domain import Batch
from serving.runs.job import Cell, Job
from serving.system.progress import in_words

# Seconds that pieces of work take on two cores. Only their proportions matter: the clock soon corrects them all.
_FIT = {"bert": 50.0, "setfit": 40.0, "svm": 0.5, "linear": 1.0, "in-context": 60.0}
_READ = 0.15
_LIST = 4.0
_WRITTEN = 2.0
"""A text that the LLM writes, with the reads that confirm and label it."""

_SHOWN, _WIDE = 8, 100
TELL = 2.0
"""Seconds between two events that say how far a run is."""
log = logging.getLogger(__name__)


def forecast(job: Job) -> dict[str, float]:
    """Assumed seconds of each cell, by key. LLM calls are counted where they are first made."""
    out: dict[str, float] = {}
    read: set[tuple[int, str]] = set()
    for cell in job.cells():
        recipe = job.spec(cell).recipe
        fits = 1 if recipe.scout else len(recipe.steps)
        seconds = 2.0 + fits * _FIT[recipe.learner.kind]
        reads = f"{cell.arm} reads" if recipe.shown else "reads"  # what people labelled differs from arm to arm
        if recipe.asks_llm and (cell.seed, reads) not in read:
            seconds += job.reads * _READ
            read.add((cell.seed, reads))
        if recipe.asks_llm and (cell.seed, cell.arm) not in read:
            seconds += 4 * _LIST + _WRITTEN * sum(step.size for step in recipe.steps if step.query.kind == "generate")
            read.add((cell.seed, cell.arm))
        out[cell.key()] = seconds
    return out


class Screen:
    """A bar with the time that is left on a terminal, a line for each finished cell elsewhere."""

    def __init__(self, job: Job, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._left = forecast(job)
        self._elsewhere: dict[str, float] = {}
        """What is left for another process; this one helps when it has done its own."""
        self._total = sum(self._left.values()) or 1.0
        self._clock, self._begun = clock, clock()
        self._since_cell = self._begun
        """When the last cell was finished."""
        self._cells, self._done = len(self._left), 0
        self._recalled = 0.0
        self.console = console or Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=self._total, left="")
        self._doing = ""
        self._last = 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def elsewhere(self, cells: Sequence[Cell]) -> None:
        """These cells are left for another process: their time is shared with it when this one's own are done."""
        known = {**self._left, **self._elsewhere}
        self._elsewhere = {cell.key(): known[cell.key()] for cell in cells}
        self._left |= dict.fromkeys(self._elsewhere, 0.0)
        self._total = sum(self._left.values()) or self._total
        self._bar.update(self._task, total=self._total)

    def doing(self, done: int, total: int, what: str) -> None:
        """Progress within a cell."""
        self._doing = f"{what} {done}/{total}"
        self._bar.update(self._task, description=self.now(), left=self.left())
        if not self.console.is_terminal and self._clock() - self._last > 30:
            self._last = self._clock()
            self.say(f"  {self._doing} · {self.left()}")

    def now(self) -> str:
        """Which cell is being worked on, and what is done in it."""
        return f"{min(self._done + 1, self._cells)}/{self._cells} {self._doing}"

    def finished(self, cell: Cell, seconds: float, line: str) -> None:
        """A cell is done."""
        if cell.key() not in self._left:
            return  # read back: it was told before
        self._done += 1
        self._since_cell = self._clock()
        assumed = self._left.pop(cell.key())
        if seconds < 0.05 * assumed:
            self._recalled += assumed  # read back from the journal: says nothing about speed
        self._bar.update(self._task, advance=assumed, left=self.left())
        self.say(self._ended(seconds, line))

    def _ended(self, seconds: float, line: str) -> str:
        return f"[{self._done}/{self._cells}] {line} · {seconds:.0f} s · {self.left()}"

    def batch(self, batch: Batch) -> None:
        """What was chosen, before anybody labels it: a few texts, and by whom."""
        by = batch.by.split("@")[0].removeprefix("llm:")
        done = "written" if batch.candidates else "chosen"
        self.say(f"{self._since()} {len(batch.picks)} texts {done} by {by}{':' if batch.picks else ''}")
        for pick in batch.picks[:_SHOWN]:
            text = " ".join(pick.example.text.split())
            self.say(f"    {text[:_WIDE]}{'…' if len(text) > _WIDE else ''}")
        if len(batch.picks) > _SHOWN:
            self.say(f"    … and {len(batch.picks) - _SHOWN} more")

    def _since(self) -> str:
        seconds = int(self._clock() - self._begun)
        return f"{seconds // 60}:{seconds % 60:02d}"

    def say(self, line: str) -> None:
        self.console.print(line, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def left(self) -> str:
        """Remaining time in words."""
        return in_words(self.seconds_left())

    def seconds_left(self) -> float:
        """What was assumed for the rest, scaled by how the clock compared up to the last finished cell.

        Of the cell under way the time that it has had is taken off, but never all that it was given.
        """
        rest, others = sum(self._left.values()), self._elsewhere.values()
        assumed = self._total - rest - self._recalled
        scale = (self._since_cell - self._begun) / assumed if assumed > 0.02 * self._total else 1.0
        own = next((seconds for seconds in (*self._left.values(), *others) if seconds), 0.0) * scale
        together = max(rest, (rest + sum(others)) / 2, *others)  # a cell is never shared
        return together * scale - min(self._clock() - self._since_cell, 0.9 * own)


class LogScreen(Screen):
    """The same as lines of a log, which hold no texts."""

    def __init__(self, job: Job) -> None:
        super().__init__(job, Console(quiet=True))

    def batch(self, batch: Batch) -> None:
        self.say(f"{len(batch.picks)} texts chosen")

    def say(self, line: str) -> None:
        log.info("%s", line.strip())


class ToldScreen(LogScreen):
    """The same as events of the run, for who follows it from elsewhere. They hold no texts either.

    Args:
        tell: takes the kind of an event, `cell` or `progress`, and its data.
    """

    def __init__(
        self, job: Job, tell: Callable[[str, dict[str, Any]], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(job)
        self._tell, self._clock = tell, clock
        self._begun = self._since_cell = clock()
        self._told = float("-inf")

    def doing(self, done: int, total: int, what: str) -> None:
        super().doing(done, total, what)
        if self._clock() - self._told >= TELL:
            self._told = self._clock()
            self._tell("progress", {"share": self._share(), "left": self.seconds_left(), "doing": self.now()})

    def finished(self, cell: Cell, seconds: float, line: str) -> None:
        before = self._done
        super().finished(cell, seconds, line)
        if self._done > before:
            self._tell(
                "cell", {"cell": cell.key(), "done": self._done, "of": self._cells, "said": self._ended(seconds, line)}
            )

    def _share(self) -> float:
        """Of the time that all of it takes, as far as that is known."""
        spent = self._clock() - self._begun
        return spent / max(spent + self.seconds_left(), 1e-9)
