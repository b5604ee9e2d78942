"""Torch without surprises: scoped precision, threads, random state and logging, and batches of similar length.

Torch and transformers are imported inside the functions, so that a specification of a student costs nothing to read.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from agent.errors import ModelError
from agent.protocols import Columns

if TYPE_CHECKING:
    import torch

Precision = Literal["auto", "float32", "bfloat16"]
"""Of matrix products; weights and sums stay float32. `auto`: bfloat16 where the processor multiplies it natively."""

Tokens = dict[str, list[list[int]]]
"""By input name (`input_ids`, `token_type_ids`), the unpadded ids of every row."""


def best_precision(wanted: Precision) -> Literal["float32", "bfloat16"]:
    """Emulated bfloat16 is several times slower than float32; `auto` takes it only where there is hardware for it."""
    import torch

    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    # Older releases of torch cannot say; float32 is right everywhere.
    ask = getattr(torch.cpu, "get_capabilities", None)
    able = {} if ask is None else ask()
    return "bfloat16" if able.get("avx512_bf16") or able.get("amx_bf16") else "float32"


def best_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def quiet() -> Generator[None]:
    """Without the notes and progress bars of transformers; how they were set before is put back."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@cache
def sums_in_order(card: int) -> bool:
    """Whether cuBLAS gives one sum for one product: `CUBLAS_WORKSPACE_CONFIG` is set, as `thresher` does.

    Torch refuses every product in deterministic mode where it does not; equal seeds are equal up to rounding then.
    """
    import torch

    one = torch.ones(2, 2, device=f"cuda:{card}")
    torch.use_deterministic_algorithms(True)
    try:
        torch.mm(one, one)
    except RuntimeError as error:
        if "CUBLAS_WORKSPACE_CONFIG" in str(error):
            return False
        raise
    return True


@contextmanager
def repeatable(seed: int, threads: int | None) -> Generator[None]:
    """Deterministic torch from `seed`; random state, thread count and settings of the caller are put back."""
    import torch

    before, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    cards = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=cards))
        stack.callback(torch.set_num_threads, before)
        stack.callback(torch.use_deterministic_algorithms, strict)
        torch.manual_seed(seed)
        torch.set_num_threads(threads or before)
        torch.use_deterministic_algorithms(strict or all(map(sums_in_order, cards)))
        # Nothing here reads memory before writing it; clearing it first costs 7 % of a step.
        memory: Any = torch.utils.deterministic
        stack.callback(setattr, memory, "fill_uninitialized_memory", memory.fill_uninitialized_memory)
        memory.fill_uninitialized_memory = False
        yield


@contextmanager
def dropping(network: Any) -> Generator[None]:
    """With dropout at work, as in training; how the network was set before is put back."""
    before = network.training
    network.train()
    try:
        yield
    finally:
        network.train(before)


def autocast(precision: Literal["float32", "bfloat16"], device: str) -> "torch.autocast":
    import torch

    return torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16")


def load_tokenizer(folder: Path) -> Any:
    """Raises ModelError where the folder holds no tokenizer."""
    from transformers import AutoTokenizer

    with quiet():
        try:
            return AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError) as e:
            raise ModelError(f"no tokenizer can be read from {folder}: {_line(e)}", "give a Hugging Face folder") from e


def load_model(auto: Any, folder: Path, **settings: Any) -> Any:
    """`auto.from_pretrained` on a local folder, in float32. Raises ModelError where that does not work."""
    import torch
    from safetensors import SafetensorError

    with quiet():
        try:
            return auto.from_pretrained(folder, local_files_only=True, dtype=torch.float32, **settings)
        except (OSError, ValueError, SafetensorError) as e:
            raise ModelError(f"no model can be read from {folder}: {_line(e)}", "give a Hugging Face folder") from e


def longest(wanted: int, config: Any, tokenizer: Any) -> int:
    """Tokens that both the model and its tokenizer can take, at most `wanted`."""
    limits = (getattr(config, "max_position_embeddings", None), getattr(tokenizer, "model_max_length", None))
    return min([wanted, *(int(limit) for limit in limits if limit)])


def tokenize(tokenizer: Any, texts: Columns, max_length: int) -> Tokens:
    """Unpadded token ids; a text, or the longer half of a pair, is cut to fit `max_length` tokens."""
    if not len(texts):
        return {"input_ids": []}
    pair = None if texts.texts_b is None else list(texts.texts_b)
    coded = tokenizer(list(texts.texts), pair, truncation=True, max_length=max_length, return_attention_mask=False)
    return {name: list(rows) for name, rows in coded.items()}


def padded(tokens: Tokens, rows: Sequence[int], pad: int, device: str) -> "dict[str, torch.Tensor]":
    """The inputs of one batch with their attention mask, padded to its longest row."""
    import torch

    lengths = [len(tokens["input_ids"][r]) for r in rows]
    longest = max(lengths)
    batch: dict[str, torch.Tensor] = {}
    for name, values in tokens.items():
        fill = pad if name == "input_ids" else 0
        cells = [values[r] + [fill] * (longest - n) for r, n in zip(rows, lengths, strict=True)]
        batch[name] = torch.tensor(cells, device=device)
    batch["attention_mask"] = torch.tensor([[1] * n + [0] * (longest - n) for n in lengths], device=device)
    return batch


def pooled(network: Any, inputs: "dict[str, torch.Tensor]") -> "torch.Tensor":
    """(rows, hidden size): the mean of the last hidden states over all tokens, at unit length, in float32."""
    import torch

    hidden = network(**inputs).last_hidden_state.float()
    mask = inputs["attention_mask"].unsqueeze(-1).float()
    return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)


def encoded(
    network: Any,
    tokenizer: Any,
    texts: Columns,
    max_length: int,
    precision: Literal["float32", "bfloat16"],
    threads: int | None,
    batch: int = 64,
) -> NDArray[np.float32]:
    """(n, hidden size), rows of unit length, by batches of similar length."""
    import torch

    tokens, device = tokenize(tokenizer, texts, max_length), best_device()
    out = np.zeros((len(texts), int(network.config.hidden_size)), dtype=np.float32)
    with repeatable(0, threads), torch.inference_mode(), autocast(precision, device):
        for rows in by_length(tokens, batch):
            out[rows] = pooled(network, padded(tokens, rows.tolist(), tokenizer.pad_token_id, device)).cpu().numpy()
    return out


def by_length(tokens: Tokens, size: int) -> Iterator[NDArray[np.intp]]:
    """Rows in batches, longest first; equal lengths in row order."""
    lengths = np.asarray([len(row) for row in tokens["input_ids"]], dtype=np.intp)
    order = np.argsort(-lengths, kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size]


def shuffled(lengths: NDArray[np.intp], size: int, rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Batches without end: each pass shows every row once, rows of roughly equal length together.

    The noise on the length keeps the company of a row changing from pass to pass, also where all rows fit one window.
    """
    window = size * 8
    while True:
        order = rng.permutation(len(lengths))
        batches: list[NDArray[np.intp]] = []
        for start in range(0, len(order), window):
            part = order[start : start + window]
            keys = np.log(lengths[part] + 1.0) + rng.normal(0.0, 0.15, len(part))
            part = part[np.argsort(keys, kind="stable")]
            batches += [part[i : i + size] for i in range(0, len(part), size)]
        for i in rng.permutation(len(batches)):
            yield batches[i]


def _line(error: Exception) -> str:
    """The first line of what a library says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
