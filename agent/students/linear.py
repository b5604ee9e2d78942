"""Logistic regression on a frozen sentence encoder: trains in a moment, and serves as a scout between rounds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agent.domain import Task
from agent.errors import BadInput, ModelError
from agent.protocols import Bench, Columns, Embedder, Floats, Weighted
from agent.students.files import read_arrays, read_card, write_student
from agent.students.soft import UNSEEN_WEIGHT, harden, softmax, usable
from prompts.messages import Frozen


class FrozenLinear(Frozen):
    """Weighted multinomial logistic regression on `bench.embed`, the encoder itself unchanged.

    A class without a label is represented by one made-up row of small weight at the mean of the labelled texts, so that
    it stays possible and never likely.
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
        from sklearn.linear_model import LogisticRegression

        if bench.embed is None:
            raise BadInput("the linear student has no sentence encoder", "name an encoder, such as all-MiniLM-L6-v2")
        rows, k = usable(labelled, task), len(task.names)
        hard = harden(rows)
        x = np.asarray(bench.embed.embed(rows.columns), np.float64)
        unseen = hard.unseen(k)
        features = np.concatenate([x[hard.rows], np.repeat(x.mean(axis=0, keepdims=True), len(unseen), axis=0)])
        classes = np.concatenate([hard.classes, np.asarray(unseen, dtype=np.intp)])
        weights = np.concatenate([hard.weights, np.full(len(unseen), UNSEEN_WEIGHT)])
        model: Any = LogisticRegression(C=self.c, max_iter=2000)
        model.fit(features, classes, sample_weight=weights)
        coef, bias = np.asarray(model.coef_, np.float64), np.asarray(model.intercept_, np.float64)
        if k == 2:  # one row for the second class: the first class has the opposite half
            coef, bias = np.concatenate([-coef, coef]) / 2, np.concatenate([-bias, bias]) / 2
        return LinearStudent(bench.embed, task.names, coef, bias)

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
        arrays = read_arrays(folder, "coef", "bias")
        return LinearStudent(encoder, task.names, arrays["coef"], arrays["bias"])


@dataclass(frozen=True)
class LinearStudent:
    encoder: Embedder
    labels: tuple[str, ...]
    coef: NDArray[np.float64]
    """(classes, d)"""
    bias: NDArray[np.float64]
    """(classes,)"""

    def predict(self, texts: Columns) -> Floats:
        # In the vectors' own precision: a whole pool is scored in every round, and converting it costs more than that.
        x = self.encoder.embed(texts)
        return softmax(np.asarray(x @ self.coef.T.astype(x.dtype), np.float64) + self.bias)

    def embed(self, texts: Columns) -> Floats:
        """The encoder's vectors: this student has no others."""
        return self.encoder.embed(texts)

    def save(self, folder: Path) -> None:
        where = getattr(self.encoder, "folder", None)
        arrays = {"coef": self.coef, "bias": self.bias}
        write_student(
            folder, "linear", self.labels, arrays, encoder=self.encoder.name, encoder_folder=str(where) if where else ""
        )
