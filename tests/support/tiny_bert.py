"""A BERT that a test can train in a second."""

from pathlib import Path
from typing import Any

import pytest

from agent.students.encode import quiet
from tests.support.questions import texts

_SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def tiny_bert(folder: Path, **settings: Any) -> Path:
    """Two layers of random weights and a vocabulary of the toy words, saved as a Hugging Face folder."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    columns, _ = texts(400, seed=9, pairs=True)
    both = " ".join([*columns.texts, *(columns.texts_b or ())])
    words = sorted({word for word in both.split() if not word.startswith("no")})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    config = transformers.BertConfig(
        **{
            "vocab_size": len(vocabulary),
            "max_position_embeddings": 64,
            **_SIZES,
        }
        | settings
    )
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(0)
        transformers.BertModel(config).save_pretrained(folder)
        transformers.BertTokenizer(vocab={word: i for i, word in enumerate(vocabulary)}).save_pretrained(folder)
    return folder


def tiny_relative(kind: str, folder: Path) -> Path:
    """An encoder of another architecture with the vocabulary of `tiny_bert`, its tokens and its size."""
    tiny_bert(folder)
    transformers = pytest.importorskip("transformers")
    shared = {"vocab_size": transformers.AutoConfig.from_pretrained(folder).vocab_size, "max_position_embeddings": 64}
    sizes = {
        "distilbert": {"dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 2},
        "electra": {"embedding_size": 32, **_SIZES},
        "roberta": {"pad_token_id": 0, **_SIZES},
    }[kind]
    config = transformers.AutoConfig.for_model(kind, **shared, **sizes)
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(0)
        transformers.AutoModel.from_config(config).save_pretrained(folder)
    return folder
