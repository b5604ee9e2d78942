"""Folders that are there whole or not at all, and prepared by one process at a time.

A folder is built beside its place, written through to the disk, then renamed. A killed process leaves only the folder
beside it, which the next one continues or clears away; its lock goes with it.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from agent.errors import ModelError

Say = Callable[[str], None]


@contextmanager
def locked(path: Path, say: Say, patience: float = 3600.0, pause: float = 0.2) -> Generator[int]:
    """Holds the lock file `path`; another process that holds it is waited for and named once.

    Yields its descriptor: a program that inherits it keeps the lock while it lives, even where we are killed.

    Args:
        patience: seconds to wait at most.
        pause: seconds between two tries.

    Raises:
        ModelError: the other process still holds it after `patience` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as file:
        _acquire(file, path, say, patience, pause)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield file.fileno()
        finally:
            file.truncate(0)
            fcntl.flock(file, fcntl.LOCK_UN)


def _acquire(file: IO[str], path: Path, say: Say, patience: float, pause: float) -> None:
    begun = time.monotonic()
    told = False
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
        if time.monotonic() - begun > patience:
            hint = "wait for it, or end it if it hangs"
            raise ModelError(f"process {holder} has held {path} for over {patience:.0f} s", hint)
        if not told:
            say(f"waiting for process {holder}, which is preparing {path.stem}")
            told = True
        time.sleep(pause)


def staging(target: Path) -> Path:
    """Where `target` is being built. The caller holds the lock; what a killed process left there is still there."""
    return target.parent / f".{target.name}.part"


def publish(built: Path, target: Path) -> None:
    """Makes `built` appear as `target`, after all its bytes are on the disk."""
    for path in built.rglob("*"):
        if path.is_file() and not path.is_symlink():
            sync(path)
    for path in [*(child for child in built.rglob("*") if child.is_dir() and not child.is_symlink()), built]:
        sync(path)
    if target.exists():
        shutil.rmtree(target)
    built.rename(target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Waits until a file or a folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write(path: Path, text: str) -> None:
    """Replaces a small file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    sync(beside)
    beside.replace(path)
