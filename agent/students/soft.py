"""What every student needs before it learns: checked rows, and soft targets as weighted hard ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.domain import Task
from agent.errors import BadInput
from agent.protocols import Columns, Floats, Weighted

UNSEEN_WEIGHT = 0.05
"""Weight of the one made-up row that stands for a class nobody has shown yet."""


@dataclass(frozen=True)
class Hard:
    """Soft targets taken apart: one copy of a row for each class that it may belong to."""

    rows: NDArray[np.intp]
    """(m,): which row of the labelled set a copy was made from."""
    classes: NDArray[np.intp]
    """(m,)"""
    weights: NDArray[np.float64]
    """(m,): weight of the row times the probability of the class, above 0."""

    def unseen(self, classes: int) -> list[int]:
        """Classes without a copy."""
        return sorted(set(range(classes)) - {int(c) for c in self.classes})


def usable(labelled: Weighted, task: Task) -> Weighted:
    """Rows with a weight above 0. Raises BadInput where none is left or where the numbers are no distributions."""
    n, k = len(labelled.columns), len(task.labels)
    targets, weights = np.asarray(labelled.targets, np.float64), np.asarray(labelled.weights, np.float64)
    if targets.shape != (n, k) or weights.shape != (n,):
        raise BadInput(
            f"{n} texts and {k} labels come with targets {targets.shape} and weights {weights.shape}",
            f"hand in targets ({n}, {k}) and weights ({n},)",
        )
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise BadInput(f"a training weight is {_first_bad(weights)}", "weights are finite and at least 0")
    kept = np.flatnonzero(weights > 0)
    if not len(kept):
        raise BadInput(f"none of {n} labelled texts has a weight above 0", "label some texts before training")
    sums = targets[kept].sum(axis=1)
    if not np.allclose(sums, 1.0, atol=1e-3) or (targets[kept] < 0).any():
        worst = float(sums[np.argmax(np.abs(np.nan_to_num(sums, nan=np.inf) - 1.0))])
        raise BadInput(f"a row of training targets sums to {worst:.4g}", "each row is a distribution over the labels")
    return Weighted(labelled.columns.take(kept), targets[kept], weights[kept])


def harden(labelled: Weighted) -> Hard:
    """(class, weight x probability) copies: the weighted log-likelihood of the copies is that of the soft targets."""
    weights = np.asarray(labelled.targets * labelled.weights[:, None], np.float64)
    rows, classes = np.nonzero(weights)
    return Hard(rows, classes, weights[rows, classes])


def softmax(scores: Floats) -> NDArray[np.float64]:
    """Over the last axis; rows sum to 1."""
    e: NDArray[np.float64] = np.exp(np.asarray(scores, np.float64) - np.max(scores, axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def joined(texts: Columns) -> list[str]:
    """One string a row; the two halves of a pair on two lines."""
    if texts.texts_b is None:
        return list(texts.texts)
    return [f"{a}\n{b}" for a, b in zip(texts.texts, texts.texts_b, strict=True)]


def _first_bad(weights: NDArray[np.floating[Any]]) -> float:
    return float(weights[np.flatnonzero(~np.isfinite(weights) | (weights < 0))[0]])
