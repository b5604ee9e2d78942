"""What this machine is: cores, memory, disk, instruction sets, GPUs."""

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from prompts.messages import Frozen

GIB = 1024**3
_SPIN, _SUMS = "GOMP_SPINCOUNT", "CUBLAS_WORKSPACE_CONFIG"


class Gpu(Frozen):
    """One NVIDIA card; memory in bytes, compute capability as (major, minor)."""

    name: str
    memory: int
    free: int
    capability: tuple[int, int]


class Machine(Frozen):
    """Memory in bytes. `cores` are the ids that this process may run on, no more of them than its quota allows."""

    cores: tuple[int, ...]
    memory: int
    available: int
    flags: frozenset[str] = frozenset()
    gpus: tuple[Gpu, ...] = ()

    @property
    def fast_bfloat16(self) -> bool:
        """Whether the processor multiplies bfloat16 itself; without it the engine emulates it, ten times slower."""
        return bool(self.flags & {"avx512_bf16", "amx_bf16", "bf16"})


YIELDING = 10
"""Niceness of what may wait."""


def share_cores() -> None:
    """Threads of this process and of its children that wait give their core to others; before torch is loaded.

    They spin otherwise: where two programs train, each step of one waits for threads that the other's waiting threads
    keep from their core, and both take several times as long. What the user set stands.
    """
    os.environ.setdefault(_SPIN, "0")


def sum_in_order() -> None:
    """Lets a product on an NVIDIA card come out alike each time: equal seeds give equal students. Before torch."""
    os.environ.setdefault(_SUMS, ":4096:8")


def give_way() -> None:
    """Lets what else runs on these cores go first: this process gets a lower priority, in a session of its own.

    The threads of an LLM server wait for each other at every step. A training of the same priority on one of their
    cores makes all of them wait, and the server takes about twice as long; of lower priority it takes what is left, and
    gets back later what it had to wait for. Where Linux groups processes by session, only the session's value counts.
    """
    with suppress(OSError):  # it leads its session, or a group, already
        os.setsid()
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, max(YIELDING, os.getpriority(os.PRIO_PROCESS, 0)))
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # no such grouping
            Path("/proc/self/autogroup").write_text(str(YIELDING), encoding="ascii")


def inspect(root: Path = Path("/")) -> Machine:
    """Reads /proc, the control group's limits and, where the driver is installed, `nvidia-smi`.

    Args:
        root: where /proc and /sys are mounted.
    """
    memory, available = _memory(root)
    cores = tuple(sorted(os.sched_getaffinity(0)))
    return Machine(
        cores=cores[: _quota(root, len(cores))],
        memory=memory,
        available=available,
        flags=_flags(root),
        gpus=gpus(),
    )


def line() -> str:
    """This machine in a few words: `16 cores, 126 GiB, NVIDIA H200`."""
    found = inspect()
    cards = f", {', '.join(gpu.name for gpu in found.gpus)}" if found.gpus else ""
    return f"{len(found.cores)} cores, {found.memory / GIB:.0f} GiB{cards}"


def free_disk(path: Path) -> int:
    """Bytes that this user may still write where `path` is or will be."""
    there = path.absolute()
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free


def gpus(command: str = "nvidia-smi") -> tuple[Gpu, ...]:
    """NVIDIA cards that the driver reports; none where there is no driver."""
    found = shutil.which(command)
    if found is None:
        return ()
    query = "--query-gpu=name,memory.total,memory.free,compute_cap"
    done = subprocess.run(
        [found, query, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=30, check=False
    )
    if done.returncode != 0:
        return ()
    return tuple(_gpu(line) for line in done.stdout.splitlines() if line.count(",") >= 3)


def _gpu(line: str) -> Gpu:
    name, total, free, capability = (part.strip() for part in line.rsplit(",", 3))
    major, _, minor = capability.partition(".")
    mib = 1024**2
    return Gpu(name=name, memory=int(total) * mib, free=int(free) * mib, capability=(int(major), int(minor or 0)))


def _memory(root: Path) -> tuple[int, int]:
    rows = (line.split() for line in (root / "proc/meminfo").read_text(encoding="ascii").splitlines())
    kib = {row[0].rstrip(":"): int(row[1]) for row in rows if len(row) >= 2}
    memory, available = kib["MemTotal"] * 1024, kib["MemAvailable"] * 1024
    group = root / "sys/fs/cgroup"
    limit, used = _number(group / "memory.max"), _number(group / "memory.current")
    if limit is not None and used is not None:
        # Cached files count as used there, but give way.
        used -= _inactive_files(group / "memory.stat")
        memory, available = min(memory, limit), min(available, max(limit - used, 0))
    return memory, available


def _inactive_files(path: Path) -> int:
    rows = (line.split() for line in path.read_text(encoding="ascii").splitlines()) if path.is_file() else ()
    return next((int(row[1]) for row in rows if row[0] == "inactive_file"), 0)


def _number(path: Path) -> int | None:
    """The integer in a file of a control group; None where there is no such limit."""
    text = path.read_text(encoding="ascii").strip() if path.is_file() else "max"
    return int(text) if text.isdigit() else None


def _quota(root: Path, cores: int) -> int:
    """Whole cores that the control group's quota pays for, at least one."""
    path = root / "sys/fs/cgroup/cpu.max"
    parts = path.read_text(encoding="ascii").split() if path.is_file() else []
    if len(parts) != 2 or not parts[0].isdigit():
        return cores
    return max(1, min(cores, int(parts[0]) // int(parts[1])))


def _flags(root: Path) -> frozenset[str]:
    for line in (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()
