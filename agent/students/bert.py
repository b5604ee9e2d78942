"""A fine-tuned encoder of the BERT family: the student that people take home as a Hugging Face folder."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agent.domain import Task
from agent.errors import BadInput, ModelError
from agent.protocols import Bench, Columns, Floats, Weighted
from agent.students.bert_start import Start, prepare
from agent.students.encode import (
    Precision,
    Tokens,
    autocast,
    best_device,
    best_precision,
    by_length,
    dropping,
    load_model,
    load_tokenizer,
    longest,
    padded,
    quiet,
    repeatable,
    shuffled,
    tokenize,
)
from agent.students.soft import usable
from prompts.messages import Frozen

if TYPE_CHECKING:
    import torch


class Bert(Frozen):
    """Fine-tunes `bench.checkpoint` by weighted cross entropy on soft targets.

    AdamW with linear warm-up and decay (Mosbach et al., 2021: few labels need many steps, not many epochs). Equal seed,
    rows and machine give equal weights.
    """

    kind: Literal["bert"] = "bert"
    start: Start | None = None
    """What the classifier reads at the start of training; None: `mean` where the checkpoint is a BERT, `checkpoint`
    where it is of another architecture. See `agent.students.bert_start`."""
    learning_rate: float = Field(default=5e-5, gt=0)
    head_rate: float = Field(default=1e-3, gt=0)
    """Learning rate of the classification layer, which alone starts from nothing."""
    weight_decay: float = Field(default=0.01, ge=0)
    warmup: float = Field(default=0.1, ge=0, le=1)
    """Share of the steps over which the learning rate rises."""
    batch: int = Field(default=16, ge=1)
    epochs: float = Field(default=3.0, gt=0)
    min_steps: int = Field(default=200, ge=1)
    max_steps: int = Field(default=1000, ge=1)
    max_length: int = Field(default=128, ge=8)
    """Tokens; longer texts are cut."""
    freeze_embeddings: bool = True
    """Half of a small encoder's weights are word vectors that a few labels hardly move."""
    frozen_layers: int = Field(default=0, ge=0)
    """How many of the lowest layers stay as they are, and the embeddings with them; each saves time."""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """Of hidden states and attention while training; None keeps the checkpoint's."""
    precision: Precision = "auto"
    threads: int | None = Field(default=None, ge=1)
    """Of torch; None leaves torch's own choice, which is all cores."""

    @property
    def name(self) -> str:
        return "bert"

    def steps(self, n: int) -> int:
        """Optimiser steps for `n` labelled texts."""
        return min(self.max_steps, max(self.min_steps, math.ceil(self.epochs * n / self.batch)))

    def fit(self, labelled: Weighted, task: Task, bench: Bench, rng: np.random.Generator) -> "BertStudent":
        """Raises BadInput where nothing has a weight, ModelError where no checkpoint can be loaded."""
        if bench.checkpoint is None:
            raise BadInput(
                "the BERT student has no checkpoint to start from", "name an encoder, such as all-MiniLM-L6-v2"
            )
        rows = usable(labelled, task)
        from transformers import AutoModelForSequenceClassification

        with repeatable(int(rng.integers(2**31)), self.threads):
            tokenizer = load_tokenizer(bench.checkpoint)
            config = _config(bench.checkpoint, task)
            if self.dropout is not None:
                _drop(config, self.dropout)
            network = load_model(AutoModelForSequenceClassification, bench.checkpoint, config=config)
            network = prepare(network, self.start).to(best_device())
            length = longest(self.max_length, config, tokenizer)
            reading = Reading(max_length=length, precision=best_precision(self.precision), threads=self.threads)
            student = BertStudent(network, tokenizer, task.names, reading)
            self._train(student, rows, bench, rng)
        return student

    def load(self, folder: Path, task: Task, bench: Bench | None = None) -> "BertStudent":
        """Raises ModelError where the folder was not saved by this kind of student, or for other labels."""
        del bench
        from transformers import AutoModelForSequenceClassification

        network = load_model(AutoModelForSequenceClassification, folder).to(best_device())
        saved = tuple(str(network.config.id2label[i]) for i in range(network.config.num_labels))
        if saved != task.names:
            raise ModelError(f"{folder} classifies {', '.join(saved)}", f"this task has {', '.join(task.names)}")
        try:
            reading = Reading.model_validate_json((folder / "student.json").read_bytes())
        except (OSError, ValueError) as e:
            raise ModelError(f"{folder} holds no readable student.json", "train the student again") from e
        return BertStudent(network, load_tokenizer(folder), task.names, reading)

    def _train(self, student: "BertStudent", rows: Weighted, bench: Bench, rng: np.random.Generator) -> None:
        import torch

        network, device = student.network, student.network.device
        groups = self._groups(network)
        optimiser = torch.optim.AdamW(groups, weight_decay=self.weight_decay, fused=True)
        rates = [float(group["lr"]) for group in optimiser.param_groups]
        tokens = tokenize(student.tokenizer, rows.columns, student.reading.max_length)
        batches = shuffled(np.asarray([len(r) for r in tokens["input_ids"]], dtype=np.intp), self.batch, rng)
        targets = torch.tensor(rows.targets, dtype=torch.float32, device=device)
        # Divided by the mean weight, not by the batch's: a batch of doubtful labels moves the student less.
        weights = torch.tensor(rows.weights / rows.weights.mean(), dtype=torch.float32, device=device)
        network.train()
        total = self.steps(len(rows.columns))
        for step in range(total):
            part = next(batches).tolist()
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * schedule(step, total, self.warmup)
            log_p = torch.log_softmax(student.logits(tokens, part), dim=1)
            loss = -((targets[part] * log_p).sum(dim=1) * weights[part]).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            bench.progress(step + 1, total, "training the student")
        network.eval()

    def _groups(self, network: Any) -> "list[dict[str, Any]]":
        """Body and head with their learning rates."""
        if self.freeze_embeddings:
            network.get_input_embeddings().weight.requires_grad_(False)
        if self.frozen_layers:
            network.base_model.embeddings.requires_grad_(False)
            for layer in _layers(network)[: self.frozen_layers]:
                layer.requires_grad_(False)
        head = [p for name, p in network.named_parameters() if name.startswith(("classifier", "pre_classifier"))]
        known = {id(p) for p in head}
        body = [p for p in network.parameters() if p.requires_grad and id(p) not in known]
        return [{"params": body, "lr": self.learning_rate}, {"params": head, "lr": self.head_rate}]


_DROPOUTS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "dropout",
    "attention_dropout",
    "seq_classif_dropout",
)
"""What architectures of the BERT family call it."""
_LAYERS = ("encoder", "transformer")
"""What holds their layers."""


def _drop(config: Any, share: float) -> None:
    """Raises ModelError where the architecture has no dropout that we know by name."""
    known = [name for name in _DROPOUTS if hasattr(config, name)]
    if not known:
        raise ModelError(f"no dropout of a {config.model_type!r} is known", "leave `dropout` out")
    for name in known:
        setattr(config, name, share)


def _layers(network: Any) -> Any:
    """From the input on. Raises ModelError where it is not known what this architecture calls them."""
    for name in _LAYERS:
        if (layers := getattr(getattr(network.base_model, name, None), "layer", None)) is not None:
            return layers
    raise ModelError(f"the layers of a {network.config.model_type!r} are not known", "leave `frozen_layers` out")


class Reading(Frozen):
    """How a saved student reads texts."""

    kind: Literal["bert"] = "bert"
    max_length: int
    precision: Literal["float32", "bfloat16"]
    threads: int | None = None


@dataclass(frozen=True)
class BertStudent:
    network: Any
    """A `BertForSequenceClassification` or a relative of it."""
    tokenizer: Any
    labels: tuple[str, ...]
    reading: Reading
    batch: int = 64

    def logits(self, tokens: Tokens, rows: list[int]) -> "torch.Tensor":
        """(rows, classes) in float32."""
        device = str(self.network.device)
        with autocast(self.reading.precision, self.network.device.type):
            return self.network(**padded(tokens, rows, self.tokenizer.pad_token_id, device)).logits.float()

    def predict(self, texts: Columns) -> Floats:
        """(n, classes) in float64."""
        return self._predicted(texts, 0)

    def samples(self, texts: Columns, m: int, seed: int = 0) -> Floats:
        """(m, n, classes) under dropout (Gal & Ghahramani, 2016); without any, `m` times what `predict` says."""
        seeds = np.random.default_rng(seed).integers(2**31, size=m)
        with dropping(self.network):
            return np.stack([self._predicted(texts, int(each)) for each in seeds])

    def embed(self, texts: Columns) -> Floats:
        """(n, hidden size): what the head reads, the last hidden state of the first token, at unit length."""
        import torch

        def vectors(inputs: "dict[str, torch.Tensor]") -> "torch.Tensor":
            hidden = self.network(**inputs, output_hidden_states=True).hidden_states[-1]
            return torch.nn.functional.normalize(hidden[:, 0].double(), dim=1)

        return self._each(texts, int(self.network.config.hidden_size), vectors)

    def save(self, folder: Path) -> None:
        """A Hugging Face folder with the names of the labels; `student.json` beside it says how texts are cut."""
        folder.mkdir(parents=True, exist_ok=True)
        with quiet():
            self.network.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
        (folder / "student.json").write_text(self.reading.model_dump_json(indent=1) + "\n", encoding="utf-8")

    def _predicted(self, texts: Columns, seed: int) -> NDArray[np.float64]:
        import torch

        def probabilities(inputs: "dict[str, torch.Tensor]") -> "torch.Tensor":
            return torch.softmax(self.network(**inputs).logits.double(), dim=1)

        return self._each(texts, len(self.labels), probabilities, seed)

    def _each(self, texts: Columns, width: int, read: Any, seed: int = 0) -> NDArray[np.float64]:
        import torch

        tokens = tokenize(self.tokenizer, texts, self.reading.max_length)
        device, pad = str(self.network.device), self.tokenizer.pad_token_id
        out = np.zeros((len(texts), width))
        # One autocast region for all batches, so that the weights are cast once.
        with (
            repeatable(seed, self.reading.threads),
            torch.no_grad(),
            autocast(self.reading.precision, self.network.device.type),
        ):
            for rows in by_length(tokens, self.batch):
                out[rows] = read(padded(tokens, rows.tolist(), pad, device)).cpu().numpy()
        return out


def schedule(step: int, total: int, warmup: float) -> float:
    """Rises to 1 over the warm-up, then falls to 0 in a straight line."""
    rising = max(1, round(warmup * total))
    return (step + 1) / rising if step < rising else (total - step) / max(1, total - rising)


def _config(checkpoint: Path, task: Task) -> Any:
    from transformers import AutoConfig

    names = dict(enumerate(task.names))
    with quiet():
        try:
            return AutoConfig.from_pretrained(
                checkpoint, local_files_only=True, id2label=names, label2id={name: i for i, name in names.items()}
            )
        except (OSError, ValueError, json.JSONDecodeError) as e:
            raise ModelError(f"{checkpoint} holds no model configuration", "give a Hugging Face folder") from e
