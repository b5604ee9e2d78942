"""A sentence encoder fine-tuned on pairs of labelled texts, with logistic regression on top (SetFit)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agent.domain import Task
from agent.errors import BadInput, ModelError
from agent.protocols import Bench, Columns, Floats, Weighted
from agent.students.bert import schedule
from agent.students.encode import (
    Precision,
    autocast,
    best_device,
    best_precision,
    encoded,
    load_model,
    load_tokenizer,
    longest,
    padded,
    pooled,
    quiet,
    repeatable,
    tokenize,
)
from agent.students.files import Card, read_card, write_student
from agent.students.head import Head, Seen, fit_head, numbers, restored
from agent.students.soft import usable
from prompts.messages import Frozen

Pairs = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]
"""Rows, the rows beside them, and the cosine that each two should have: 1 for one class, 0 for two."""


class SetFit(Frozen):
    """Few-shot fine-tuning without prompts (Tunstall et al., 2022): pairs of one class draw near, others apart.

    `bench.checkpoint`, a sentence encoder, learns to give pairs of texts the cosine 1 or 0 (squared error); then a
    logistic regression learns the labels from its vectors. Rows are drawn by weight and their class by soft target.
    With one class among the labels there are no pairs to tell apart, and the encoder stays as it is.
    """

    kind: Literal["setfit"] = "setfit"
    iterations: int = Field(default=20, ge=1)
    """Pairs of one class, and pairs of two classes, for each labelled text."""
    learning_rate: float = Field(default=2e-5, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup: float = Field(default=0.1, ge=0, le=1)
    batch: int = Field(default=16, ge=2)
    """Pairs of a step, half of each kind."""
    max_steps: int = Field(default=300, ge=1)
    max_length: int = Field(default=128, ge=8)
    """Tokens; longer texts are cut."""
    freeze_embeddings: bool = True
    c: float = Field(default=3.0, gt=0)
    """Inverse strength of the L2 penalty of the head, on rows of unit length."""
    precision: Precision = "auto"
    threads: int | None = Field(default=None, ge=1)
    """Of torch; None leaves torch's own choice, which is all cores."""

    @property
    def name(self) -> str:
        return "setfit"

    def steps(self, n: int) -> int:
        """Optimiser steps for `n` labelled texts."""
        return min(self.max_steps, math.ceil(2 * self.iterations * n / self.batch))

    def fit(self, labelled: Weighted, task: Task, bench: Bench, rng: np.random.Generator) -> "SetFitStudent":
        """Raises BadInput where nothing has a weight, ModelError where no encoder can be loaded."""
        if bench.checkpoint is None:
            raise BadInput("the SetFit student has no encoder to start from", "name one, such as all-MiniLM-L6-v2")
        rows = usable(labelled, task)
        from transformers import AutoModel

        with repeatable(int(rng.integers(2**31)), self.threads):
            tokenizer = load_tokenizer(bench.checkpoint)
            network = load_model(AutoModel, bench.checkpoint).to(best_device())
            length = longest(self.max_length, network.config, tokenizer)
            encoder = Encoder(network, tokenizer, length, best_precision(self.precision), self.threads)
            self._train(encoder, rows, bench, rng)
        x = np.asarray(encoder.embed(rows.columns), np.float64)
        seen = Seen(x, rows.targets, rows.weights, self.c)
        return SetFitStudent(encoder, task.names, fit_head(x, rows, self.c), seen)

    def load(self, folder: Path, task: Task, bench: Bench | None = None) -> "SetFitStudent":
        """Raises ModelError where the folder was not saved by this kind of student, or for other labels."""
        del bench
        from transformers import AutoModel

        card = read_card(folder, self.kind, task)
        if card.max_length is None:
            raise ModelError(f"{folder} does not say how long its texts are", "train the student again")
        head, seen = restored(folder)
        network = load_model(AutoModel, folder).eval().to(best_device())
        encoder = Encoder(network, load_tokenizer(folder), card.max_length, card.precision, self.threads)
        return SetFitStudent(encoder, task.names, head, seen)

    def _train(self, encoder: "Encoder", rows: Weighted, bench: Bench, rng: np.random.Generator) -> None:
        import torch

        batches = pairs(rows.targets, rows.weights, self.batch, rng)
        network, device = encoder.network, encoder.network.device
        if self.freeze_embeddings:
            network.get_input_embeddings().weight.requires_grad_(False)
        body = [p for p in network.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(body, lr=self.learning_rate, weight_decay=self.weight_decay, fused=True)
        tokens = tokenize(encoder.tokenizer, rows.columns, encoder.max_length)
        total = self.steps(len(rows.columns)) if batches is not None else 0
        network.train()
        for step in range(total):
            assert batches is not None
            a, b, wanted = next(batches)
            shown, places = np.unique(np.concatenate([a, b]), return_inverse=True)  # each text is read once a step
            optimiser.param_groups[0]["lr"] = self.learning_rate * schedule(step, total, self.warmup)
            with autocast(encoder.precision, device.type):
                inputs = padded(tokens, shown.tolist(), encoder.tokenizer.pad_token_id, str(device))
                vectors = pooled(network, inputs)
            left, right = vectors[places[: len(a)].tolist()], vectors[places[len(a) :].tolist()]
            loss = (((left * right).sum(dim=1) - torch.from_numpy(wanted).to(device)) ** 2).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(body, 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            bench.progress(step + 1, total, "training the student")
        network.eval()


def pairs(targets: Floats, weights: Floats, size: int, rng: np.random.Generator) -> Iterator[Pairs] | None:
    """Batches without end, half of one class and half of two; None where all labels are of one class.

    Args:
        targets: (n, classes), rows sum to 1. weights: (n,). A row is drawn by its weight, its class by its target.
    """
    mass = np.asarray(targets, np.float64) * np.asarray(weights, np.float64)[:, None]
    classes = mass.sum(axis=0) / mass.sum()
    if (classes > 0).sum() < 2:
        return None
    by_class = mass / np.maximum(mass.sum(axis=0, keepdims=True), 1e-300)
    wanted = (np.arange(size) < size // 2).astype(np.float32)

    def row(c: int) -> int:
        return int(rng.choice(len(mass), p=by_class[:, c]))

    def batches() -> Iterator[Pairs]:
        while True:
            first = rng.choice(len(classes), size=size, p=classes)
            others = [classes * (np.arange(len(classes)) != c) for c in first]
            second = [rng.choice(len(classes), p=other / other.sum()) for other in others]
            second = np.where(wanted == 1, first, second)
            yield np.asarray([row(c) for c in first]), np.asarray([row(c) for c in second]), wanted

    return batches()


@dataclass(frozen=True)
class Encoder:
    """A fine-tuned sentence encoder in memory."""

    network: Any
    tokenizer: Any
    max_length: int
    precision: Literal["float32", "bfloat16"]
    threads: int | None = None

    def embed(self, texts: Columns) -> NDArray[np.float32]:
        """(n, d), rows of unit length."""
        return encoded(self.network, self.tokenizer, texts, self.max_length, self.precision, self.threads)


@dataclass(frozen=True)
class SetFitStudent:
    encoder: Encoder
    labels: tuple[str, ...]
    head: Head
    seen: Seen

    def predict(self, texts: Columns) -> Floats:
        return self.head.predict(self.encoder.embed(texts))

    def samples(self, texts: Columns, m: int, seed: int = 0) -> Floats:
        """(m, n, classes): `m` heads on the one encoder, each fitted to other weights of the labels."""
        return self.seen.samples(self.encoder.embed(texts), m, seed)

    def embed(self, texts: Columns) -> Floats:
        """The fine-tuned encoder's vectors."""
        return self.encoder.embed(texts)

    def save(self, folder: Path) -> None:
        """A Hugging Face folder of the encoder; the head and what it learned from in `arrays.npz` beside it."""
        folder.mkdir(parents=True, exist_ok=True)
        with quiet():
            self.encoder.network.save_pretrained(folder)
            self.encoder.tokenizer.save_pretrained(folder)
        length, precision = self.encoder.max_length, self.encoder.precision
        card = Card(kind="setfit", labels=self.labels, max_length=length, precision=precision)
        write_student(folder, card, numbers(self.head, self.seen))
