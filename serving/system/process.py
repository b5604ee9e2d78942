"""Programs that we start: who they are, whether they live, what they said last, how they are stopped."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from prompts.messages import Frozen
from serving.system.progress import Beat


class Identity(Frozen):
    """A process, told from a later one with its number by when it began (clock ticks since the machine started)."""

    pid: int
    began: int


def identify(pid: int) -> Identity | None:
    """The process that has this number now; None where there is none, or only what is left of a dead one."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else Identity(pid=pid, began=int(fields[19]))


def alive(who: Identity) -> bool:
    return identify(who.pid) == who


def stop(who: Identity, patience: float = 20.0, pause: float = 0.1) -> bool:
    """Ends a process that leads its own group, and its children: asks first, then insists.

    Args:
        patience: seconds between asking and insisting.

    Returns:
        False where it was gone already; nothing is touched then.
    """
    if not alive(who):
        return False
    os.kill(who.pid, signal.SIGTERM)
    end = time.monotonic() + patience
    while alive(who) and time.monotonic() < end:
        reap(who.pid)
        time.sleep(pause)
    # The group outlives its leader while a child is left in it; no new process can take its number until then.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(who.pid, signal.SIGKILL)
    reap(who.pid)
    return True


def reap(pid: int) -> int | None:
    """The exit code of our own child if it has ended (negative: a signal), which so leaves the table; else None."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if ended else None


def detach(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Identity:
    """Starts a program that outlives us, leads its own group, and writes all it says into `log`."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o644)
    nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    output = [(os.POSIX_SPAWN_DUP2, handle, number) for number in (1, 2)]
    try:
        pid = os.posix_spawn(command[0], list(command), dict(environment), file_actions=[nothing, *output], setsid=True)
    finally:
        os.close(handle)
    return identify(pid) or Identity(pid=pid, began=-1)


def tail(log: Path, lines: int, most: int = 65536) -> list[str]:
    """The last lines of a log that are not empty; at most `most` bytes of it are read."""
    if not log.is_file():
        return []
    with log.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(file.tell() - most, 0))
        text = file.read().decode("utf-8", errors="replace")
    # Progress bars overwrite themselves: what counts of such a line is its last state.
    found = [line.rsplit("\r", 1)[-1].rstrip() for line in text.split("\n")]
    return [line for line in found if line.strip()][-lines:]


def last_line(log: Path) -> str:
    return next(iter(tail(log, 1)), "")


def run_logged(
    command: Sequence[str],
    log: Path,
    stage: str,
    beat: Beat,
    environment: Mapping[str, str],
    *,
    hold: tuple[int, ...] = (),
    patience: float = 3600.0,
) -> int:
    """Runs a program to its end with its output appended to `log`; says every second how it goes.

    Args:
        hold: descriptors that it inherits: a lock that it must keep if we are killed.
        patience: seconds after which it is killed.

    Returns:
        Its exit code; negative where a signal ended it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with log.open("ab") as out:
        program = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=dict(environment),
            start_new_session=True,
            pass_fds=hold,
        )
        try:
            while (code := _waited(program)) is None:
                seconds = time.monotonic() - begun
                beat(stage, seconds, last_line(log))
                if seconds > patience:
                    out.write(f"\ngiven up after {patience:.0f} s\n".encode())
                    return -signal.SIGKILL
            return code
        finally:
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGKILL)
                program.wait()


def _waited(program: "subprocess.Popen[bytes]", seconds: float = 0.5) -> int | None:
    try:
        return program.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
