"""Who holds a claim, written so that others can tell whether that process still lives."""

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from serving.system.process import identify

_UNKNOWN = "?"


@dataclass(frozen=True)
class Owner:
    """One batch of one process."""

    place: str
    """Where process ids mean the same and are all seen: one boot of a machine, pid namespace and user."""
    pid: int
    started: str
    """When the process began, in ticks since boot: a process id is given again, the pair is not."""
    token: str

    def __str__(self) -> str:
        return "|".join((self.place, str(self.pid), self.started, self.token))


def new_owner() -> Owner:
    return Owner(_place(), os.getpid(), _started(os.getpid()) or _UNKNOWN, uuid4().hex)


def is_dead(text: str) -> bool:
    """True where the process that wrote this owner is certainly gone; False where it lives or nobody can tell."""
    place, _, rest = text.partition("|")
    pid, _, rest = rest.partition("|")
    started = rest.partition("|")[0]
    if place != _place() or _UNKNOWN in (place, started) or not pid.isdecimal():
        return False
    return _started(int(pid)) != started


def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # Of another user's processes the system may show nothing, which is not the same as their being gone.
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}/{os.getuid()}"
    except OSError:
        return _UNKNOWN


def _started(pid: int) -> str | None:
    who = identify(pid)
    return str(who.began) if who else None
