import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import EngineError
from serving.engine.options import Options, choose, spans
from serving.system.machine import GIB, Gpu, Machine

SLOW = Machine(cores=(0, 1), memory=16 * GIB, available=12 * GIB, flags=frozenset({"avx2"}))
FAST = SLOW.model_copy(update={"flags": frozenset({"avx512_bf16"})})


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder that claims half a billion parameters in float32 without holding them."""
    (tmp_path / "config.json").write_text(json.dumps({"dtype": "float32", "max_position_embeddings": 32768}))
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(2_000_000_000)
    return tmp_path


def value(options: Options, name: str) -> str:
    return options.arguments[options.arguments.index(f"--{name}") + 1]


def test_bfloat16_only_where_the_processor_has_it(model: Path) -> None:
    assert value(choose(SLOW, model, gpu=False), "dtype") == "float32"
    assert value(choose(FAST, model, gpu=False), "dtype") == "bfloat16"


def test_all_cores_are_bound_and_every_choice_has_a_reason(model: Path) -> None:
    options = choose(SLOW, model, gpu=False)
    assert options.environment["VLLM_CPU_OMP_THREADS_BIND"] == "0-1"
    assert options.environment["VLLM_CPU_KVCACHE_SPACE"] == "2"
    assert options.environment["GOMP_SPINCOUNT"] == "1000"
    assert all(choice.why for choice in options.choices)
    assert {choice.name for choice in options.choices} >= {"dtype", "cores", "KV cache", "max-model-len"}


def test_short_shared_beginnings_are_found_again_on_a_cpu(model: Path) -> None:
    arguments = choose(SLOW, model, gpu=False).arguments
    assert arguments[arguments.index("--block-size") + 1] == "32"


def test_the_context_is_no_longer_than_the_model_was_made_for(model: Path) -> None:
    assert value(choose(SLOW, model, gpu=False), "max-model-len") == "8192"
    (model / "config.json").write_text(json.dumps({"torch_dtype": "float32", "max_position_embeddings": 512}))
    assert value(choose(SLOW, model, gpu=False), "max-model-len") == "512"


def test_a_smaller_cache_before_a_refusal(model: Path) -> None:
    tight = SLOW.model_copy(update={"available": 8 * GIB})
    assert choose(tight, model, gpu=False).environment["VLLM_CPU_KVCACHE_SPACE"] == "1"
    short = SLOW.model_copy(update={"available": 3 * GIB})
    with pytest.raises(EngineError, match=r"needs 7\.9 GiB of memory, 3\.0 GiB are available"):
        choose(short, model, gpu=False)


def test_a_gpu_leaves_room_for_training(model: Path) -> None:
    card = Gpu(name="H", memory=80 * GIB, free=80 * GIB, capability=(9, 0))
    options = choose(SLOW.model_copy(update={"gpus": (card,)}), model, gpu=True)
    assert value(options, "dtype") == "bfloat16"
    assert 0.1 <= float(value(options, "gpu-memory-utilization")) < 0.2
    assert "--enforce-eager" not in options.arguments
    old = card.model_copy(update={"capability": (7, 5)})
    assert value(choose(SLOW.model_copy(update={"gpus": (old,)}), model, gpu=True), "dtype") == "float16"
    full = card.model_copy(update={"free": GIB})
    with pytest.raises(EngineError, match=r"GiB on H, 1\.0 GiB are free"):
        choose(SLOW.model_copy(update={"gpus": (full,)}), model, gpu=True)


@given(st.sets(st.integers(0, 40), min_size=1))
def test_spans_name_exactly_the_cores(cores: set[int]) -> None:
    named: set[int] = set()
    for part in spans(tuple(cores)).split(","):
        first, _, last = part.partition("-")
        named |= set(range(int(first), int(last or first) + 1))
    assert named == cores
