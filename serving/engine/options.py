"""How vLLM is started on this machine: every choice with its reason."""

import json
from pathlib import Path

from agent.errors import EngineError
from prompts.messages import Frozen
from serving.system.machine import GIB, Machine

CONTEXT = 8192
SEQUENCES = 32
OVERHEAD = 5 * GIB
"""Memory of a CPU engine's three processes beside weights and KV cache (measured with a 0.5B model: 3.6 GiB at
first, 4.3 after half an hour of work)."""


class Choice(Frozen):
    """One setting and why it is what it is; shown to the user once."""

    name: str
    value: str
    why: str

    def __str__(self) -> str:
        return f"{self.name} = {self.value} ({self.why})"


class Options(Frozen):
    """Arguments and environment variables of the server. `needs`: bytes of memory that must be available on a CPU."""

    choices: tuple[Choice, ...]
    arguments: tuple[str, ...]
    environment: dict[str, str]
    needs: int = 0


def choose(machine: Machine, model: Path, *, gpu: bool) -> Options:
    """The settings for one model on this machine.

    Raises:
        EngineError: the model does not fit into its memory.
    """
    parameters, context = _model_size(model)
    common = [Choice(name="max-model-len", value=str(min(CONTEXT, context)), why="prompt and answer, in tokens")]
    common.append(Choice(name="max-num-seqs", value=str(SEQUENCES), why="requests answered together"))
    options = _on_gpu(machine, parameters) if gpu else _on_cpu(machine, parameters)
    arguments = [word for choice in common for word in (f"--{choice.name}", choice.value)]
    # Neutral sampling defaults: a request means the same on every model. Cached tokens are reported, to be counted.
    arguments += ["--generation-config", "vllm", "--enable-prompt-tokens-details", "--disable-uvicorn-access-log"]
    return options.model_copy(
        update={
            "choices": (*common, *options.choices),
            "arguments": (*arguments, *options.arguments),
            "environment": {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", **options.environment},
        }
    )


def _on_cpu(machine: Machine, parameters: int) -> Options:
    fast = machine.fast_bfloat16
    dtype = Choice(
        name="dtype",
        value="bfloat16" if fast else "float32",
        why="the processor multiplies it itself" if fast else "bfloat16 would be emulated on this processor",
    )
    weights = parameters * (2 if fast else 4)
    cache = 2 if machine.available >= weights + OVERHEAD + 2 * GIB else 1
    needs = weights + OVERHEAD + cache * GIB
    if machine.available < needs:
        what = f"the engine needs {needs / GIB:.1f} GiB of memory, {machine.available / GIB:.1f} GiB are available"
        raise EngineError(what, "end other programs, choose a smaller model, or give THRESHER_ENGINE_URL")
    cores = spans(machine.cores)
    space = Choice(name="KV cache", value=f"{cache} GiB", why="plenty for requests answered together")
    binding = Choice(name="cores", value=cores, why="all of them; left to itself the engine keeps one back")
    waiting = Choice(name="GOMP_SPINCOUNT", value="1000", why="threads that wait give their core to other programs")
    eager = Choice(name="enforce-eager", value="yes", why="starts minutes sooner than compiled")
    block = Choice(
        name="block-size", value="32", why="tokens: shared beginnings of 32 are found again, not only of 128"
    )
    return Options(
        choices=(dtype, space, binding, waiting, eager, block),
        arguments=("--dtype", dtype.value, "--enforce-eager", "--block-size", block.value),
        environment={
            "VLLM_CPU_KVCACHE_SPACE": str(cache),
            "VLLM_CPU_OMP_THREADS_BIND": cores,
            "GOMP_SPINCOUNT": waiting.value,
        },
        needs=needs,
    )


def _on_gpu(machine: Machine, parameters: int) -> Options:
    if not machine.gpus:
        raise EngineError("no GPU is there to serve the model on", "install the driver, or unset THRESHER_GPU")
    card = machine.gpus[0]
    native = card.capability >= (8, 0)
    dtype = Choice(
        name="dtype",
        value="bfloat16" if native else "float16",
        why=f"{card.name} has it" if native else f"{card.name} has no bfloat16",
    )
    # Weights twice (loading, workspace) and 8 GiB for the KV cache; the rest is left to the student's training.
    share = min(0.9, (2 * 2 * parameters + 8 * GIB) / card.memory)
    if share * card.memory > card.free:
        need, free = share * card.memory / GIB, card.free / GIB
        what = f"the engine needs {need:.1f} GiB on {card.name}, {free:.1f} GiB are free"
        raise EngineError(what, "end what uses the card, or choose a smaller model")
    memory = Choice(name="gpu-memory-utilization", value=f"{share:.2f}", why="weights and cache; the rest for training")
    arguments = ("--dtype", dtype.value, "--gpu-memory-utilization", memory.value)
    return Options(choices=(dtype, memory), arguments=arguments, environment={})


def spans(cores: tuple[int, ...]) -> str:
    """`(0, 1, 2, 5)` → `"0-2,5"`."""
    runs: list[tuple[int, int]] = []
    for core in sorted(cores):
        if runs and runs[-1][1] == core - 1:
            runs[-1] = (runs[-1][0], core)
        else:
            runs.append((core, core))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _model_size(model: Path) -> tuple[int, int]:
    """Number of parameters, and the longest context the model was made for."""
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    stored = config.get("dtype") or config.get("torch_dtype") or "float32"
    held = sum(path.stat().st_size for path in model.glob("*.safetensors"))
    return held // (4 if stored == "float32" else 2), int(config.get("max_position_embeddings", CONTEXT))
