"""Turns one packed GGUF file of the Qwen2 family into a Hugging Face folder with float32 weights.

Run inside the engine's environment, which has transformers and gguf; it imports nothing of Thresher:

    <engine python> convert_gguf.py model.gguf folder

Standard output: one line of JSON at the end, with `tensors`, `parameters` and the `name` that the file gives itself.
Standard error: `done/total` lines in bytes, for a progress bar. Exit code 1, and there one line beginning with
`error:`, where the file is not what it should be.

transformers reads such a file but keeps it packed and cannot save it, so its tensors are unpacked here, one at a time.
They are written by hand in the safetensors format (length of the header, header, data) for two reasons: one tensor in
memory is enough, and the same file comes out on every machine whatever is installed, so that its hash can stand in the
catalogue.
"""

import json
import sys
from pathlib import Path
from typing import Any

FLOAT32 = 4
ALIGNMENT = 8
OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
INSIDE = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def hub_name(name: str) -> str:
    """The Hugging Face name of a tensor: `blk.3.attn_q.bias` → `model.layers.3.self_attn.q_proj.bias`.

    Raises:
        ValueError: a Qwen2 model has no such tensor.
    """
    stem, _, kind = name.rpartition(".")
    layer, part = "", stem
    if stem.startswith("blk."):
        _, layer, part = stem.split(".", 2)
    known = INSIDE if layer else OUTSIDE
    if part not in known:
        raise ValueError(f"tensor {name!r} is not one of a Qwen2 model")
    return f"model.layers.{layer}.{known[part]}.{kind}" if layer else f"{known[part]}.{kind}"


def planned(tensors: list[Any]) -> dict[str, Any]:
    """Hugging Face name → packed tensor, sorted, with one embedding matrix for both ends of the model.

    Qwen2.5 up to 3B ties input and output embeddings. A packed file may hold them twice, in different precision; the
    output's copy is the better one (8 bits against 5), so it stands for both.
    """
    named = {str(tensor.name): tensor for tensor in tensors}
    head = named.pop("output.weight", None)
    if head is not None:
        named["token_embd.weight"] = head
    return dict(sorted((hub_name(name), tensor) for name, tensor in named.items()))


def shape(tensor: Any) -> list[int]:
    """Dimensions in torch's order; a GGUF file names the fastest one first."""
    return [int(size) for size in reversed(tensor.shape)]


def header(plan: dict[str, Any]) -> bytes:
    """The start of a safetensors file: eight bytes of length, then JSON that says where each tensor lies."""
    table: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, tensor in plan.items():
        end = offset + int(tensor.n_elements) * FLOAT32
        table[name] = {"dtype": "F32", "shape": shape(tensor), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(table, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def write_weights(plan: dict[str, Any], path: Path) -> None:
    from gguf import dequantize

    total = sum(int(tensor.n_elements) for tensor in plan.values()) * FLOAT32
    done = 0
    with path.open("wb") as file:
        file.write(header(plan))
        for tensor in plan.values():
            values = dequantize(tensor.data, tensor.tensor_type).astype("<f4", copy=False)
            file.write(values.tobytes())
            done += values.nbytes
            sys.stderr.write(f"{done}/{total}\n")
            sys.stderr.flush()


def write_words(source: Path, folder: Path) -> None:
    """Tokenizer, chat template, configuration and end-of-text settings, as transformers reads them."""
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig

    tokenizer = AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
    tokenizer.save_pretrained(str(folder))
    config = AutoConfig.from_pretrained(str(source.parent), gguf_file=source.name)
    vars(config).pop("quantization_config", None)
    config.tie_word_embeddings = True
    config.dtype = "float32"
    config.architectures = ["Qwen2ForCausalLM"]
    config.save_pretrained(str(folder))
    ends = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    ends.save_pretrained(str(folder))


def convert(source: Path, folder: Path) -> dict[str, object]:
    """Writes the folder; says what the file held.

    Raises:
        ValueError: the file is of another architecture, or holds a tensor that a Qwen2 model does not have.
    """
    from gguf import GGUFReader

    reader = GGUFReader(str(source))
    wanted = ("general.architecture", "general.name")
    facts = {name: reader.fields[name].contents() for name in wanted if name in reader.fields}
    if facts.get("general.architecture") != "qwen2":
        raise ValueError(f"{source.name} holds architecture {facts.get('general.architecture')!r}, expected 'qwen2'")
    plan = planned(list(reader.tensors))
    folder.mkdir(parents=True, exist_ok=True)
    write_words(source, folder)
    write_weights(plan, folder / "model.safetensors")
    parameters = sum(int(tensor.n_elements) for tensor in plan.values())
    return {"tensors": len(plan), "parameters": parameters, "name": facts.get("general.name", "")}


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        sys.stderr.write("usage: convert_gguf.py model.gguf folder\n")
        return 2
    try:
        facts = convert(Path(arguments[0]), Path(arguments[1]))
    except (ImportError, ValueError, OSError) as error:
        sys.stderr.write(f"error: {type(error).__name__}: {error}\n")
        return 1
    sys.stdout.write(json.dumps(facts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
