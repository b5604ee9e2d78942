"""Keeps unfinished runs going: one process for each, a few at a time, oldest first.

A thread looks at the store twice a second. It starts a process for each run that should be worked on and that nobody
has claimed, whether it was created a moment ago, left behind by a service that was killed, or its people have
answered. Two services on one database may start a process for the same run: only one of them gets the claim.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from agent.errors import StoreError
from serving.runs.store import Store
from serving.service.ending import BUSY, LATER, WAITING
from serving.settings import Settings

LOOK = 0.5
MOST_CRASHES = 3
"""A run whose process dies so often without having recorded anything is given up."""
HANDOVER = 10.0
"""Seconds that runs' processes get to end in when the service stops."""
REST = 20.0
"""Seconds until a run that another service works on, or whose LLM is away, is tried again."""
LONGEST_REST = 600.0
"""Where the LLM stays away, the wait doubles up to this."""
LONGEST_LOG = 1 << 20
"""Bytes of a run's `worker.log` beyond which its next process begins a new one."""

log = logging.getLogger(__name__)
Start = Callable[[str], "subprocess.Popen[bytes]"]


@dataclass
class Crashes:
    """How often the process of a run died, since it last recorded something."""

    count: int = 0
    away: int = 0
    """How often in a row its LLM was away."""
    last_event: int = 0
    not_before: float = 0.0


@dataclass
class Supervisor:
    """`open()` starts the thread, `close()` ends it and the processes; what they were at goes on with the next one."""

    store: Store
    settings: Settings
    start: Start | None = None
    """From the id of a run to its process; None: `serving.service.child`."""
    clock: Callable[[], float] = time.monotonic
    children: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict[str, "subprocess.Popen[bytes]"])
    crashes: dict[str, Crashes] = field(default_factory=dict[str, Crashes])
    trouble: str = ""
    """What kept the last look from doing its work; empty where nothing did."""
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self) -> None:
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self._hand_over()

    def _hand_over(self) -> None:
        with self._lock:
            for child in self.children.values():
                child.terminate()  # it records the answers that are under way and gives its claims back
            end = self.clock() + HANDOVER
            for child in self.children.values():
                try:
                    child.wait(max(0.0, end - self.clock()))
                except subprocess.TimeoutExpired:
                    child.kill()  # nothing is lost: the next supervisor goes on from the last recorded step
                    child.wait()
            self.children.clear()

    def stop(self, run: str) -> None:
        """Ends the process of a run, if it is ours."""
        with self._lock:
            child = self.children.pop(run, None)
        if child is not None:
            child.kill()
            child.wait()

    def look(self) -> None:
        """One look: ends are noted, cancelled runs' processes ended, new ones started."""
        with self._lock:
            for run, child in list(self.children.items()):
                if child.poll() is not None:
                    del self.children[run]
                    self._ended(run, child.returncode)
                elif self.store.get(run).state == "cancelled":
                    child.kill()
            for run in self.store.claimable():
                if len(self.children) >= self.settings.runs_at_once or self._over.is_set():
                    return
                if run not in self.children and self.clock() >= self.crashes.get(run, Crashes()).not_before:
                    self._begin(run)

    def _watch(self) -> None:
        while not self._over.wait(LOOK):
            try:
                self.look()
            except (StoreError, OSError) as error:  # the database is away, the disk full: the next look may do better
                self._said(f"runs are not looked after: {error.what if isinstance(error, StoreError) else error}")
            else:
                self.trouble = ""
        self._hand_over()  # here, because to a process its parent has died when the thread that started it ends

    def _said(self, trouble: str) -> None:
        if trouble != self.trouble:
            log.error("%s", trouble)
        self.trouble = trouble

    def _begin(self, run: str) -> None:
        try:
            self.children[run] = (self.start or self._child)(run)
        except OSError:  # no more processes, no room for its log: the other runs are not to suffer
            self.crashes.setdefault(run, Crashes()).not_before = self.clock() + REST
            raise

    def _ended(self, run: str, code: int) -> None:
        stored = self.store.get(run)
        if stored.state not in ("queued", "running"):
            self.crashes.pop(run, None)
            return
        known = self.crashes.setdefault(run, Crashes())
        known.not_before = self.clock() + REST
        known.away = known.away + 1 if code == LATER else 0
        if code == LATER:
            known.not_before = self.clock() + min(LONGEST_REST, REST * 2 ** (known.away - 1))
        if code in (
            BUSY,
            LATER,
            WAITING,
        ):  # WAITING: its people have answered in the moment in which it gave up waiting
            known.not_before = self.clock() if code == WAITING else known.not_before
            return
        events = self.store.events(run, known.last_event, 10_000)
        steps = [event.seq for event in events if event.kind == "step"]
        known.count = 1 if steps else known.count + 1
        known.last_event = max([known.last_event, *steps])
        known.not_before = self.clock() + (0.0 if steps else 2.0**known.count)
        if known.count >= MOST_CRASHES:
            ended = f"its process ended {known.count} times without a result ({_how(code)})"
            self.store.mark(run, "failed", f"{stored.why}; {ended}" if stored.why else ended)

    def _child(self, run: str) -> "subprocess.Popen[bytes]":
        log = self.settings.home / "runs" / run / "worker.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        put_by(log)
        with log.open("ab") as out:
            command = [sys.executable, "-m", "serving.service.child", run]
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment(self.settings)
            )


def put_by(log: Path, most: int = LONGEST_LOG) -> None:
    """Starts a log anew that has become long; the one before is kept beside it, and the one before that is gone.

    Done between two processes that write to it. One that still does goes on writing to what is now the old log.
    """
    with contextlib.suppress(FileNotFoundError):  # no log yet, or another service's supervisor was quicker
        if log.stat().st_size > most:
            log.replace(log.with_suffix(".log.old"))


def environment(settings: Settings) -> dict[str, str]:
    """What a child's own settings are read from: the parent's variables, and what its settings were given otherwise."""
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    plain = {name: each.get_secret_value() if isinstance(each, SecretStr) else each for name, each in given.items()}
    named = {f"THRESHER_{name.upper()}": str(value) for name, value in plain.items() if value is not None}
    return {**os.environ, **named, "PYTHONPATH": _path()}


def _path() -> str:
    """A child has to find this very program, wherever its working folder is."""
    here = str(Path(__file__).parents[2])
    given = os.environ.get("PYTHONPATH", "")
    return f"{here}{os.pathsep}{given}" if given else here


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
