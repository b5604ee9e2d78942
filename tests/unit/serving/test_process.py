import os
import signal
import sys
import time
from pathlib import Path

import pytest

from serving.system import process
from serving.system.process import Identity


def silent(stage: str, seconds: float, line: str) -> None:
    pass


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    me = process.identify(os.getpid())
    assert me is not None
    assert process.alive(me)
    assert not process.alive(Identity(pid=me.pid, began=me.began + 1))
    assert not process.stop(Identity(pid=me.pid, began=me.began + 1))


def test_stop_ends_children_too_and_insists(tmp_path: Path) -> None:
    deaf = "import os,signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(os.getpid()); time.sleep(60)"
    parent = f"import subprocess,sys; subprocess.run([sys.executable, '-u', '-c', {deaf!r}])"
    log = tmp_path / "log"
    who = process.detach([sys.executable, "-c", parent], log, dict(os.environ))
    while not (line := process.last_line(log)):
        assert process.alive(who)
    assert os.getpgid(who.pid) == who.pid
    assert process.stop(who, patience=5.0, pause=0.01)
    assert not process.alive(who)
    while process.identify(int(line)) is not None:
        time.sleep(0.01)


def test_an_ended_child_is_not_alive_and_gives_its_code(tmp_path: Path) -> None:
    who = process.detach([sys.executable, "-c", "raise SystemExit(7)"], tmp_path / "log", {})
    while process.alive(who):
        pass
    assert process.reap(who.pid) == 7
    assert process.reap(who.pid) is None


def test_tail_takes_the_last_state_of_a_progress_bar(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"first\n\n10%\r50%\r100%\nlast \xff\n\n")
    assert process.tail(log, 2) == ["100%", "last �"]
    assert process.tail(tmp_path / "none", 5) == []
    log.write_bytes(b"x" * 1000 + b"\nend\n")
    assert process.tail(log, 5, most=10) == ["xxxxx", "end"]


def test_run_logged_says_how_it_goes_and_gives_the_code(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "log"
    beats: list[tuple[str, str]] = []
    program = "import time; print('working', flush=True); time.sleep(1); raise SystemExit(3)"
    code = process.run_logged(
        [sys.executable, "-c", program], log, "sowing", lambda stage, _, line: beats.append((stage, line)), {}
    )
    assert code == 3
    assert ("sowing", "working") in beats


def test_run_logged_ends_what_takes_too_long(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = [sys.executable, "-c", "import time; time.sleep(60)"]
    assert process.run_logged(program, log, "waiting", silent, {}, patience=0.1) == -signal.SIGKILL
    assert "given up after 0 s" in process.last_line(log)


def test_run_logged_takes_its_program_along_when_it_is_interrupted(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = "import os,time; print(os.getpid(), flush=True); time.sleep(60)"

    def interrupt(stage: str, seconds: float, line: str) -> None:
        if line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.run_logged([sys.executable, "-c", program], log, "waiting", interrupt, {})
    assert process.identify(int(process.last_line(log))) is None
