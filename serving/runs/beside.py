"""A second process for the cells of a comparison that need no LLM, while the first one asks the LLM and trains.

On two cores two trainings of one thread each finish sooner than one after the other with two threads, and classic arms
need not wait for the LLM, which goes first where it is on these cores too. Both processes write to one journal; a step
that both do stands as the first one wrote it. The second process goes through its cells from the first to the last;
the first one, when it has done its own, comes from the other end.
"""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from serving.runs.job import Cell, Job
from serving.runs.store import Store
from serving.system.context import about
from serving.system.machine import Machine

log = logging.getLogger("serving.runs.beside")


def apart(job: Job) -> tuple[Cell, ...]:
    """The cells that need no LLM."""
    return tuple(cell for cell in job.cells() if not job.spec(cell).recipe.asks_llm)


def worthwhile(job: Job, machine: Machine) -> bool:
    """Whether a second process has enough to do and a core to do it on."""
    others = [job.learners[cell.learner].kind for cell in apart(job)]
    return others.count("bert") > 1 and len(others) < len(job.cells()) and len(machine.cores) > 1 and not machine.gpus


class Beside:
    """The second process, as a context: it ends with the block at the latest, and with its parent in any case."""

    def __init__(self, job: Job, store: Store, log: Path, fence: int | None = None) -> None:
        self._job, self._store = job, store
        self.cells = apart(job)
        self._log = log.open("ab")
        command = [sys.executable, "-m", "serving.runs.beside", job.id, "" if fence is None else str(fence)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log, env=environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def left(self) -> tuple[Cell, ...]:
        """Its cells that are not recorded yet, the one that it is at first."""
        recorded = self._store.journal(self._job.id).keys()
        return tuple(cell for cell in self.cells if f"{cell.key()}/cell" not in recorded)

    def finish(self, do: Callable[[Cell], object], told: Callable[[tuple[Cell, ...]], None]) -> None:
        """Does its cells from the end until it is at the last one, and waits for that.

        Where it has ended early, what it left undone is left undone here too.

        Args:
            do: does one cell in this process.
            told: takes the cells that are left, now and then.
        """
        while self.running and (left := self.left()):
            told(left)
            if len(left) > 1:
                do(left[-1])
            else:
                time.sleep(1.0)


def main(name: str, fence: int | None) -> None:
    """Does the cells apart of a recorded run under its parent's claim, until the parent is gone."""
    from serving import settings
    from serving.connect import Setting
    from serving.runs import running
    from serving.runs.screen import LogScreen
    from serving.service import logs
    from serving.system.machine import give_way

    parent = os.getppid()
    give_way()

    class Watched(LogScreen):
        def doing(self, done: int, total: int, what: str) -> None:
            if os.getppid() != parent:
                sys.exit(1)
            super().doing(done, total, what)

    read = settings.load()
    logs.configure(read)
    setting = Setting(read, log.info)
    begun = running.recall(name, setting)
    screen = Watched(begun.job)
    worker = running.prepare(begun, setting, fence, asks_llm=False, screen=screen).worker
    worker.run(apart(begun.job))


if __name__ == "__main__":
    with about(run=sys.argv[1]):
        main(sys.argv[1], int(sys.argv[2]) if sys.argv[2:] and sys.argv[2] else None)
