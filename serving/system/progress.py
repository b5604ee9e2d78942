"""How long work shows itself: a bar with rate and remaining time on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.status import Status


class Watch(Protocol):
    """Told how far a stage of work is; `total` is None where nobody knows. The unit is bytes."""

    def __call__(self, stage: str, done: int, total: int | None) -> None: ...


class Beat(Protocol):
    """Told every second or so that a stage of unknown size goes on: seconds so far, and the last line of its log."""

    def __call__(self, stage: str, seconds: float, line: str) -> None: ...


def unwatched(stage: str, done: int, total: int | None) -> None:
    """Shows nothing."""
    del stage, done, total


def unheard(stage: str, seconds: float, line: str) -> None:
    """Shows nothing."""
    del stage, seconds, line


class Bars:
    """A `Watch` for people; its `beat` is a `Beat`. Use as a context manager.

    Args:
        console: where to write; standard error, so that results can be piped.
        every: seconds between two lines of one stage where the console is no terminal.
        clock: seconds, monotonic.
    """

    def __init__(
        self, console: Console | None = None, every: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.console = console or Console(stderr=True)
        self._every = every
        self._clock = clock
        self._tasks: dict[str, TaskID] = {}
        self._begun: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._status: Status | None = None
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.rest()
        self._progress.stop()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        self.rest()
        if self.console.is_terminal:
            task = self._tasks.get(stage)
            if task is None:
                task = self._tasks[stage] = self._progress.add_task(stage, total=total)
            self._progress.update(task, completed=done, total=total)
            return
        self._line(stage, done, total)

    def rest(self) -> None:
        """Takes the line of `beat` off the screen."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def beat(self, stage: str, seconds: float, line: str) -> None:
        short = line[:100]
        if self.console.is_terminal:
            if self._status is None:
                self._status = self.console.status(stage)
                self._status.start()
            self._status.update(escape(f"{stage}, {seconds:.0f} s: {short}"))
            return
        told = self._told.get(stage, 0.0)
        if seconds - (told if told <= seconds else 0.0) >= self._every:
            self._told[stage] = seconds
            self.say(f"{stage}, {seconds:.0f} s: {short}")

    def say(self, line: str) -> None:
        """One line of text, above the bars. Whatever `beat` was waiting for is over then."""
        self.rest()
        self.console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def _line(self, stage: str, done: int, total: int | None) -> None:
        now = self._clock()
        begun = self._begun.setdefault(stage, now)
        finished = total is not None and done >= total
        if not finished and now - self._told.get(stage, begun) < self._every:
            return
        if finished and self._told.get(stage) == float("inf"):
            return
        self._told[stage] = float("inf") if finished else now
        mib = 1024**2
        rate = done / mib / max(now - begun, 1e-9) if now > begun else 0.0
        of = f"/{total / mib:.0f}" if total is not None else ""
        self.say(f"{stage}: {done / mib:.0f}{of} MiB, {rate:.1f} MiB/s, {now - begun:.0f} s")


class Bar:
    """How far one long piece of work is, from 0 to 1: a bar on a terminal, a line now and then elsewhere.

    Use as a context manager.

    Args:
        every: seconds between two lines where the console is no terminal.
    """

    def __init__(
        self, console: Console | None = None, every: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.console = console or Console(stderr=True)
        self._every, self._clock, self._told = every, clock, clock()
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
        self._task = self._bar.add_task("starting", total=1.0, left="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, share: float, left: float, doing: str) -> None:
        """Args: share done, 0 to 1; seconds that are left; what is being done."""
        self._bar.update(self._task, completed=share, description=escape(doing), left=in_words(left))
        if not self.console.is_terminal and self._clock() - self._told >= self._every:
            self._told = self._clock()
            self.say(f"  {doing} · {in_words(left)}")

    def say(self, line: str) -> None:
        """One line of text, above the bar."""
        self.console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)


def in_words(seconds: float) -> str:
    """Remaining time."""
    minutes = round(seconds / 60)
    return f"about {minutes} min left" if minutes >= 1 else "less than a minute left"
