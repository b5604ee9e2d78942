from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import EngineError
from serving.engine.environment import CPU, CUDA, READY, Build, Converter, Environment, build_for
from serving.system.machine import GIB, Gpu, Machine

# Plays `python -m venv FOLDER`, and then the Python inside, which records what it is told to do and fails on demand.
PLAYED = """#!/bin/sh
if [ "$2" = venv ]; then mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; exit 0; fi
echo "$*" >> "{record}"
case "$*" in *{bad}*) {then} ;; esac
"""
BUILD = Build(name="barley-1.0", requirements=("barley==1.0", "gguf"), unwanted=("chaff",), needs=1)

Make = Callable[..., Environment]


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "record"


@pytest.fixture
def make(tmp_path: Path, record: Path) -> Make:
    def made(bad: str = "@nothing@", then: str = "exit 1", build: Build = BUILD, index: str = "") -> Environment:
        python = tmp_path / "python"
        python.write_text(PLAYED.format(record=record, bad=bad, then=then), encoding="utf-8")
        python.chmod(0o755)
        return Environment(
            tmp_path / "engine", build, python=str(python), index=index, install={"PATH": "/usr/bin:/bin"}
        )

    return made


def silent(*_: object) -> None:
    pass


def test_it_installs_removes_what_breaks_it_and_tries_it(make: Make, record: Path) -> None:
    environment = make()
    assert not environment.ready
    assert environment.ensure(silent, silent) == environment.python
    installed, removed, tried = record.read_text().splitlines()
    assert installed.startswith("-m pip install")
    assert installed.endswith("barley==1.0 gguf")
    assert removed == "-m pip uninstall -y chaff"
    assert tried == "-c import gguf, vllm, transformers"
    assert environment.ready


def test_the_second_time_nothing_is_done(make: Make, record: Path) -> None:
    make().ensure(silent, silent)
    before = record.read_text()
    make().ensure(silent, silent)
    assert record.read_text() == before


def test_half_of_one_is_made_again(make: Make) -> None:
    environment = make()
    environment.ensure(silent, silent)
    (environment.folder / READY).unlink()
    (environment.folder / "stale").touch()
    assert not environment.ready
    environment.ensure(silent, silent)
    assert environment.ready
    assert not (environment.folder / "stale").exists()


@pytest.mark.parametrize(
    ("said", "what", "hint"),
    [
        ("ERROR: No matching distribution found for barley==1.0", "No matching distribution found", "pip config list"),
        ("ERROR: No matching distribution found for torch==9+cpu", "torch==9.cpu", "THRESHER_TORCH_INDEX"),
        ("WARNING: Max retries exceeded (NewConnectionError)", "the package index does not answer", "network"),
        ("ERROR: Could not install: OSError: No space left on device", "the disk is full", "make room"),
    ],
)
def test_what_pip_could_not_do_is_said_in_one_line(make: Make, said: str, what: str, hint: str) -> None:
    environment = make(bad="install", then=f"echo '{said}'; exit 1")
    with pytest.raises(EngineError, match=what) as caught:
        environment.ensure(silent, silent)
    assert hint in caught.value.hint
    assert str(environment.log) in caught.value.hint
    assert "\n" not in str(caught.value)
    assert not environment.ready


def test_one_that_cannot_be_imported_is_not_ready(make: Make) -> None:
    environment = make(bad="import", then="echo 'RuntimeError: operator barley::nms does not exist'; exit 1")
    with pytest.raises(EngineError, match="operator barley::nms does not exist"):
        environment.ensure(silent, silent)
    assert not environment.ready


def test_disk_is_asked_for_first(make: Make, record: Path) -> None:
    environment = make(build=BUILD.model_copy(update={"needs": 10**18}))
    with pytest.raises(EngineError, match=r"barley-1\.0 needs \d+ GiB in .* GiB are free; .*THRESHER_CACHE"):
        environment.ensure(silent, silent)
    assert not record.exists()


NO_TORCH = """case "$*" in
*extra-index*) ;;
*) echo 'ERROR: No matching distribution found for torch==9+cpu'; exit 1 ;;
esac"""


def test_another_index_is_asked_only_where_torch_was_not_found(make: Make, record: Path) -> None:
    make(index="file:///somewhere").ensure(silent, silent)
    assert "extra-index" not in record.read_text()


def test_torch_is_then_looked_for_there(make: Make, record: Path) -> None:
    said: list[str] = []
    environment = make(bad="pip?install", then=NO_TORCH, index="file:///somewhere")
    environment.ensure(said.append, silent)
    first, second = record.read_text().splitlines()[:2]
    assert second == f"{first} --extra-index-url=file:///somewhere"
    assert any("trying again with file:///somewhere" in line for line in said)
    assert environment.ready


def test_a_full_disk_is_no_reason_to_ask_elsewhere(make: Make, record: Path) -> None:
    full = "echo 'ERROR: Could not install: OSError: No space left on device'; exit 1"
    with pytest.raises(EngineError, match="the disk is full"):
        make(bad="install", then=full, index="file:///somewhere").ensure(silent, silent)
    assert "extra-index" not in record.read_text()


def test_a_gpu_decides_the_build_unless_the_user_does() -> None:
    plain = Machine(cores=(0,), memory=GIB, available=GIB)
    card = Gpu(name="card", memory=GIB, free=GIB, capability=(9, 0))
    fast = plain.model_copy(update={"gpus": (card,)})
    assert build_for(plain, None) is CPU
    assert build_for(fast, None) is CUDA
    assert build_for(fast, gpu=False) is CPU
    with pytest.raises(EngineError, match="nvidia-smi finds none"):
        build_for(plain, gpu=True)


def test_weights_are_unpacked_by_a_program_that_is_there(make: Make, tmp_path: Path) -> None:
    """Run by the Python of the environment, which knows nothing of this package: it is named by its path."""
    environment, said = make(), list[str]()
    Converter(environment, said.append, lambda _line: None)(tmp_path / "model.gguf", tmp_path / "out", lambda *_: None)
    program, source, folder = (tmp_path / "record").read_text(encoding="utf-8").splitlines()[-1].split()
    assert Path(program).is_file()
    assert (source, folder) == (str(tmp_path / "model.gguf"), str(tmp_path / "out"))
