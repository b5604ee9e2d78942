"""A claim's owner says whether its process still lives, where that can be known."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from serving.system.owner import is_dead, new_owner

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux says when a process began")


def test_this_process_lives() -> None:
    assert not is_dead(str(new_owner()))


def test_two_owners_of_one_process_differ() -> None:
    assert new_owner() != new_owner()


def test_a_process_id_that_was_given_again_is_another_process() -> None:
    assert is_dead(str(replace(new_owner(), started="1")))


def test_a_killed_process_is_dead_even_before_anyone_waited_for_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        stat = Path(f"/proc/{process.pid}/stat")
        owner = replace(new_owner(), pid=process.pid, started=stat.read_text().rpartition(")")[2].split()[19])
        assert not is_dead(str(owner))
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert stat.exists()
        assert is_dead(str(owner))
    assert is_dead(str(owner))


@pytest.mark.parametrize("text", ["elsewhere|1|1|t", "?|1|1|t", "", "nonsense", "a|b|c|d"])
def test_of_others_nobody_can_tell(text: str) -> None:
    assert not is_dead(text)
    assert not is_dead(str(replace(new_owner(), started="?")))
