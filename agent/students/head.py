"""Logistic regression on vectors: what stands on a frozen or fine-tuned encoder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agent.protocols import Columns, Floats, Weighted
from agent.students.files import read_arrays
from agent.students.soft import UNSEEN_WEIGHT, harden, softmax


@dataclass(frozen=True)
class Head:
    coef: NDArray[np.float64]
    """(classes, d)"""
    bias: NDArray[np.float64]
    """(classes,)"""

    def predict(self, x: Floats) -> NDArray[np.float64]:
        """(n, classes) for (n, d) vectors; rows sum to 1."""
        # In the vectors' own precision: a whole pool is scored in every round, and converting it costs more than that.
        return softmax(np.asarray(x @ self.coef.T.astype(x.dtype), np.float64) + self.bias)


def fit_head(x: Floats, rows: Weighted, c: float) -> Head:
    """Weighted multinomial logistic regression of the soft targets of `rows` on their vectors `x`, (n, d). Exact.

    A class without a label is represented by one made-up row of small weight at the mean of `x`, so that it stays
    possible and never likely.

    Args:
        c: inverse strength of the L2 penalty.
    """
    from sklearn.linear_model import LogisticRegression

    hard, x, k = harden(rows), np.asarray(x, np.float64), rows.targets.shape[1]
    unseen = hard.unseen(k)
    features = np.concatenate([x[hard.rows], np.repeat(x.mean(axis=0, keepdims=True), len(unseen), axis=0)])
    classes = np.concatenate([hard.classes, np.asarray(unseen, dtype=np.intp)])
    weights = np.concatenate([hard.weights, np.full(len(unseen), UNSEEN_WEIGHT)])
    model: Any = LogisticRegression(C=c, max_iter=2000)
    model.fit(features, classes, sample_weight=weights)
    coef, bias = np.asarray(model.coef_, np.float64), np.asarray(model.intercept_, np.float64)
    if k == 2:  # one row for the second class: the first class has the opposite half
        coef, bias = np.concatenate([-coef, coef]) / 2, np.concatenate([-bias, bias]) / 2
    return Head(coef, bias)


@dataclass(frozen=True)
class Seen:
    """What a head was fitted on, and how: enough to fit others like it."""

    x: NDArray[np.float64]
    """(n, d)"""
    targets: Floats
    """(n, classes)"""
    weights: Floats
    """(n,)"""
    c: float
    NAMES: ClassVar[tuple[str, ...]] = ("x", "targets", "weights", "c")

    def samples(self, x: Floats, m: int, seed: int) -> NDArray[np.float64]:
        """(m, n, classes): what a committee of `m` heads says of the vectors `x`, (n, d)."""
        rows = Weighted(Columns([], []), self.targets, self.weights)
        return np.stack([head.predict(x) for head in committee(self.x, rows, self.c, m, seed)])

    def arrays(self) -> dict[str, Floats]:
        return {"x": self.x, "targets": self.targets, "weights": self.weights, "c": np.asarray(self.c)}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.float64]]) -> "Seen":
        """From what `arrays` gave."""
        return cls(arrays["x"], arrays["targets"], arrays["weights"], float(arrays["c"]))


def numbers(head: Head, seen: Seen) -> dict[str, Floats]:
    """What is kept of a head and of what it was fitted on; `restored` reads it back."""
    return {"coef": head.coef, "bias": head.bias, **seen.arrays()}


def restored(folder: Path) -> tuple[Head, Seen]:
    """Raises ModelError where the folder does not hold all numbers."""
    arrays = read_arrays(folder, "coef", "bias", *Seen.NAMES)
    return Head(arrays["coef"], arrays["bias"]), Seen.of(arrays)


def committee(x: Floats, rows: Weighted, c: float, m: int, seed: int) -> list[Head]:
    """`m` heads, each fitted to weights times numbers of one Bayesian bootstrap (Rubin, 1981): exponential, mean 1.

    The plain bootstrap leaves out a third of the rows; of a few labels that is often a whole class.
    """
    rng = np.random.default_rng(seed)
    draws = rng.dirichlet(np.ones(len(rows.weights)), size=m) * len(rows.weights)
    return [fit_head(x, Weighted(rows.columns, rows.targets, rows.weights * draw), c) for draw in draws]
