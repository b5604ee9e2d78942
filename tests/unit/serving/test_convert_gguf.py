import json
from dataclasses import dataclass
from math import prod

import pytest

from serving.models.convert_gguf import header, hub_name, main, planned


@dataclass
class Packed:
    """A tensor as the reader of a packed file gives it: the fastest dimension first."""

    name: str
    shape: tuple[int, ...]

    @property
    def n_elements(self) -> int:
        return prod(self.shape)


@pytest.mark.parametrize(
    ("packed", "hub"),
    [
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("output_norm.weight", "model.norm.weight"),
        ("blk.0.attn_q.bias", "model.layers.0.self_attn.q_proj.bias"),
        ("blk.23.attn_output.weight", "model.layers.23.self_attn.o_proj.weight"),
        ("blk.7.ffn_norm.weight", "model.layers.7.post_attention_layernorm.weight"),
        ("blk.7.ffn_down.weight", "model.layers.7.mlp.down_proj.weight"),
    ],
)
def test_tensors_get_their_hub_names(packed: str, hub: str) -> None:
    assert hub_name(packed) == hub


@pytest.mark.parametrize("name", ["blk.0.attn_sinks.weight", "rope_freqs.weight", "attn_q.weight"])
def test_a_tensor_that_such_a_model_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        hub_name(name)


def test_the_better_copy_of_the_embeddings_serves_both_ends() -> None:
    head, table = Packed("output.weight", (4, 3)), Packed("token_embd.weight", (4, 3))
    plan = planned([head, table, Packed("output_norm.weight", (4,))])
    assert list(plan) == ["model.embed_tokens.weight", "model.norm.weight"]
    assert plan["model.embed_tokens.weight"] is head
    assert planned([table])["model.embed_tokens.weight"] is table


def test_the_header_says_where_each_tensor_lies() -> None:
    plan = planned([Packed("token_embd.weight", (4, 3)), Packed("output_norm.weight", (4,))])
    raw = header(plan)
    length = int.from_bytes(raw[:8], "little")
    assert len(raw) == 8 + length
    assert length % 8 == 0
    table = json.loads(raw[8:])
    assert table["model.embed_tokens.weight"] == {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}
    assert table["model.norm.weight"] == {"dtype": "F32", "shape": [4], "data_offsets": [48, 64]}


def test_wrong_use_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
