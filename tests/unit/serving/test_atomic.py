import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agent.errors import ModelError
from serving.system import atomic


def test_one_at_a_time_and_the_holder_is_named_once(tmp_path: Path) -> None:
    lock = tmp_path / "barley.lock"
    said: list[str] = []
    order: list[str] = []
    inside = threading.Event()

    def second() -> None:
        inside.wait()
        with atomic.locked(lock, said.append, pause=0.01):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with atomic.locked(lock, said.append):
        inside.set()
        while not said:
            time.sleep(0.01)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert len(said) == 1
    assert said[0].endswith("which is preparing barley")


def test_patience_ends(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    with (
        atomic.locked(lock, print),
        pytest.raises(ModelError, match=r"process \d+ has held .*x\.lock for over 0 s"),
        atomic.locked(lock, lambda _: None, patience=0.0, pause=0.01),
    ):
        raise AssertionError("both hold it")


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    program = f"""
import sys, time
from pathlib import Path
from serving.system import atomic
with atomic.locked(Path({str(lock)!r}), print):
    print("in", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"in\n"
        holder.kill()
    with atomic.locked(lock, lambda line: pytest.fail(line)):
        pass


def test_a_program_that_inherits_the_lock_keeps_it(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    program = f"""
import os, subprocess, sys
from pathlib import Path
from serving.system import atomic
with atomic.locked(Path({str(lock)!r}), print) as held:
    subprocess.Popen([sys.executable, "-c", "input()"], pass_fds=(held,))
    os.kill(os.getpid(), 9)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as killed:
        assert killed.stdin is not None
        killed.wait()
        with pytest.raises(ModelError), atomic.locked(lock, lambda _: None, patience=0.0):
            raise AssertionError("its child still works under the lock")
        killed.stdin.write(b"\n")
        killed.stdin.close()
        with atomic.locked(lock, lambda _: None, patience=30.0, pause=0.01):
            pass


def test_publish_replaces_whole_folders(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for text in ("old", "new"):
        built = atomic.staging(target)
        (built / "inner").mkdir(parents=True)
        (built / "inner" / "file").write_text(text, encoding="utf-8")
        atomic.publish(built, target)
        assert (target / "inner" / "file").read_text(encoding="utf-8") == text
        assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_write_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.json"
    atomic.write(path, "1")
    atomic.write(path, "2")
    assert path.read_text(encoding="utf-8") == "2"
    assert [one.name for one in path.parent.iterdir()] == ["state.json"]
