"""Logistic regression on a frozen sentence encoder: trains in a moment, and serves as a scout between rounds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from agent.domain import Task
from agent.errors import BadInput, ModelError
from agent.protocols import Bench, Columns, Embedder, Floats, Weighted
from agent.students.files import Card, read_card, write_student
from agent.students.head import Head, Seen, fit_head, numbers, restored
from agent.students.soft import usable
from prompts.messages import Frozen


class FrozenLinear(Frozen):
    """Weighted multinomial logistic regression on `bench.embed`, the encoder itself unchanged.

    It keeps the vectors and targets of what it was fitted on: `samples` fits its committee to them when asked.
    """

    kind: Literal["linear"] = "linear"
    c: float = Field(default=3.0, gt=0)
    """Inverse strength of the L2 penalty, on rows of unit length."""

    @property
    def name(self) -> str:
        return "linear"

    def fit(self, labelled: Weighted, task: Task, bench: Bench, rng: np.random.Generator) -> "LinearStudent":
        """Exact, so `rng` is not used. Raises BadInput where nothing has a weight or no encoder was given."""
        del rng
        if bench.embed is None:
            raise BadInput("the linear student has no sentence encoder", "name an encoder, such as all-MiniLM-L6-v2")
        rows = usable(labelled, task)
        x = np.asarray(bench.embed.embed(rows.columns), np.float64)
        return LinearStudent(
            bench.embed, task.names, fit_head(x, rows, self.c), Seen(x, rows.targets, rows.weights, self.c)
        )

    def load(self, folder: Path, task: Task, bench: Bench | None = None) -> "LinearStudent":
        """With the encoder of `bench`, else the one whose folder the student noted; it has to be the same one."""
        card = read_card(folder, self.kind, task)
        encoder = bench.embed if bench is not None else None
        if encoder is None:
            if not card.encoder_folder:
                raise ModelError(
                    f"{folder} does not say where its encoder {card.encoder!r} lies", "hand the encoder in"
                )
            from agent.embed import SentenceEncoder  # which itself imports from this folder

            encoder = SentenceEncoder(Path(card.encoder_folder))
        if encoder.name != card.encoder:
            raise ModelError(f"{folder} was trained on the encoder {card.encoder!r}, found {encoder.name!r}")
        return LinearStudent(encoder, task.names, *restored(folder))


@dataclass(frozen=True)
class LinearStudent:
    encoder: Embedder
    labels: tuple[str, ...]
    head: Head
    seen: Seen

    def predict(self, texts: Columns) -> Floats:
        return self.head.predict(self.encoder.embed(texts))

    def samples(self, texts: Columns, m: int, seed: int = 0) -> Floats:
        """(m, n, classes): `m` more students, each fitted to other weights of the labels (`agent.students.head`)."""
        return self.seen.samples(self.encoder.embed(texts), m, seed)

    def embed(self, texts: Columns) -> Floats:
        """The encoder's vectors: this student has no others."""
        return self.encoder.embed(texts)

    def save(self, folder: Path) -> None:
        where = getattr(self.encoder, "folder", None)
        lies = str(where) if where else ""
        card = Card(kind="linear", labels=self.labels, encoder=self.encoder.name, encoder_folder=lies)
        write_student(folder, card, numbers(self.head, self.seen))
