import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.system.machine import Gpu, free_disk, gpus, inspect, share_cores, sum_in_order


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with 8 GiB, of which 6 are available, and a processor with bfloat16."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    meminfo = "MemTotal:        8388608 kB\nMemFree: 1 kB\nMemAvailable:    6291456 kB\nHugePages_Total:       0\n"
    (tmp_path / "proc/meminfo").write_text(meminfo, encoding="ascii")
    (tmp_path / "proc/cpuinfo").write_text("processor\t: 0\nflags\t\t: fpu avx2 avx512_bf16\n", encoding="ascii")
    return tmp_path


def test_without_limits_the_machine_is_what_proc_says(root: Path) -> None:
    machine = inspect(root)
    assert (machine.memory, machine.available) == (8 * 1024**3, 6 * 1024**3)
    assert machine.fast_bfloat16
    assert len(machine.cores) >= 1


def test_limits_of_the_control_group_count(root: Path) -> None:
    group = root / "sys/fs/cgroup"
    (group / "memory.max").write_text(str(4 * 1024**3), encoding="ascii")
    (group / "memory.current").write_text(str(3 * 1024**3), encoding="ascii")
    (group / "memory.stat").write_text(f"anon 1\ninactive_file {1024**3}\n", encoding="ascii")
    (group / "cpu.max").write_text("100000 100000\n", encoding="ascii")
    machine = inspect(root)
    assert (machine.memory, machine.available) == (4 * 1024**3, 2 * 1024**3)
    assert len(machine.cores) == 1


def test_no_limit_is_no_limit(root: Path) -> None:
    (root / "sys/fs/cgroup/memory.max").write_text("max\n", encoding="ascii")
    (root / "sys/fs/cgroup/memory.current").write_text("5\n", encoding="ascii")
    (root / "sys/fs/cgroup/cpu.max").write_text("max 100000\n", encoding="ascii")
    assert inspect(root) == inspect(root).model_copy(update={"memory": 8 * 1024**3})


def test_an_old_processor_has_no_fast_bfloat16(root: Path) -> None:
    (root / "proc/cpuinfo").write_text("flags\t\t: fpu avx2\n", encoding="ascii")
    assert not inspect(root).fast_bfloat16


def test_free_disk_is_asked_of_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    assert free_disk(tmp_path / "a" / "b") > 0


def test_cards_are_read_from_the_driver(tmp_path: Path) -> None:
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho 'NVIDIA H, 81559, 81000, 9.0'\n", encoding="ascii")
    driver.chmod(0o755)
    mib = 1024**2
    assert gpus(str(driver)) == (Gpu(name="NVIDIA H", memory=81559 * mib, free=81000 * mib, capability=(9, 0)),)
    driver.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed' >&2; exit 9\n", encoding="ascii")
    assert gpus(str(driver)) == ()
    assert gpus(str(tmp_path / "none")) == ()


@pytest.mark.parametrize(
    ("does", "name", "value"),
    [(share_cores, "GOMP_SPINCOUNT", "0"), (sum_in_order, "CUBLAS_WORKSPACE_CONFIG", ":4096:8")],
)
def test_waiting_threads_give_their_core_away_and_cards_sum_in_order_unless_the_user_wants_it_otherwise(
    monkeypatch: pytest.MonkeyPatch, does: Callable[[], None], name: str, value: str
) -> None:
    monkeypatch.setenv(name, "")  # so that it is put back in the end
    monkeypatch.delenv(name)
    does()
    assert os.environ[name] == value
    monkeypatch.setenv(name, "7")
    does()
    assert os.environ[name] == "7"


def test_what_gives_way_has_a_lower_priority_in_a_session_of_its_own() -> None:
    program = """
import os
from pathlib import Path
from serving.system.machine import give_way
give_way()
give_way()
group = Path("/proc/self/autogroup")
print(os.getsid(0) == os.getpid(), os.getpriority(os.PRIO_PROCESS, 0))
print(group.read_text() if group.exists() else "nice 10")
"""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    leads, niceness, group = done.stdout.split(maxsplit=2)
    assert leads == "True"
    assert int(niceness) == max(10, before)
    assert group.split()[-1] == "10"
    assert os.getpriority(os.PRIO_PROCESS, 0) == before, "the parent stays as it is"
