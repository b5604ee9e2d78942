"""What a BERT classifier reads before it has learnt anything.

`BertForSequenceClassification` reads the first token through a dense layer, the pooler. Sentence encoders were trained
on the mean over all tokens instead, and their pooler is a leftover: on film sentences, a linear probe on 32 labels
finds 66.7 % on the mean of all-MiniLM-L6-v2, 58 % on its first token and 56 % behind its pooler (600 noisy labels:
74.8, 65.5 and 63.5). A student that starts from the pooler has to win those points back from its few labels.

So `mean` adds one transformer layer that starts as an exact average: its queries are zero, so that every token attends
to all alike, values and output are identities, the feed-forward part adds nothing, and the pooler passes on what it
gets. The result is an ordinary BERT with one more layer: every library loads it, and every part of it goes on learning.

Fine-tuned on SST-2 (200 steps, 436 held-out sentences): with 32 gold labels 69.5 % from `mean` and 66.7 % from
`checkpoint` (3 draws; `mean` ahead in each). With 600 labels of which 17 % are wrong, 2 draws: 78.7 % and 80.7 % at the
rate 5e-5, 81.0 % from `mean` at 2e-5: what starts closer to the task also learns the errors sooner.
"""

import copy
from typing import Any, Literal

from agent.errors import ModelError

Start = Literal["mean", "first", "checkpoint"]
"""`mean`: the average over the tokens; `first`: the first token with an open pooler; `checkpoint`: as it was saved."""

MEAN_GAIN = 10.0
"""How much louder the average is than the first token's own state in the sum that the layer normalises."""
POOLER_GAIN = 0.5
"""Keeps unit-variance inputs in the straight part of the pooler's tanh."""


def prepare(network: Any, start: Start | None) -> Any:
    """The network, changed in place. Without a `start` a BERT starts from `mean`, any other architecture as it is.

    Raises:
        ModelError: `start` needs a BERT and this is another architecture.
    """
    import torch

    kind = str(network.config.model_type)
    is_bert = kind == "bert" and getattr(network, "bert", None) is not None
    start = start or ("mean" if is_bert else "checkpoint")
    if start != "checkpoint":
        if not is_bert:
            raise ModelError(
                f"the start {start!r} needs a BERT, the checkpoint is a {kind!r}", "use start='checkpoint'"
            )
        with torch.no_grad():
            if start == "mean":
                _append_mean(network)
            _open_pooler(network)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.startswith("classifier") and name.endswith("bias"):
                parameter.zero_()
    return network


def _append_mean(network: Any) -> None:
    import torch

    layers, size = network.bert.encoder.layer, int(network.config.hidden_size)
    layer, eye = copy.deepcopy(layers[-1]), torch.eye(size)
    heads, out = layer.attention.self, layer.attention.output
    heads.query.weight.zero_()
    heads.value.weight.copy_(eye)
    out.dense.weight.copy_(MEAN_GAIN * eye)
    layer.output.dense.weight.zero_()
    for linear in (heads.query, heads.value, out.dense, layer.output.dense):
        linear.bias.zero_()
    for norm in (out.LayerNorm, layer.output.LayerNorm):
        norm.weight.fill_(1.0)
        norm.bias.zero_()
    if hasattr(heads, "layer_idx"):
        heads.layer_idx = len(layers)
    layers.append(layer)
    network.config.num_hidden_layers = len(layers)


def _open_pooler(network: Any) -> None:
    import torch

    dense = network.bert.pooler.dense
    dense.weight.copy_(POOLER_GAIN * torch.eye(int(network.config.hidden_size)))
    dense.bias.zero_()
