"""Texts whose gradients are long and point in different directions."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agent.domain import Batch
from agent.protocols import Floats, Need, Query, Rows
from agent.query.choose import STUDENT, chosen, features, prediction
from agent.query.diversity import Source, source_needs
from agent.query.space import Vectors, vectors
from prompts.messages import Frozen


class Badge(Frozen):
    """k-means++ over the gradients of the last layer under the student's own label (Ash et al., ICLR 2020).

    The gradient of a text is the outer product of `p - onehot(argmax p)` and its vector. Distances of outer products
    come from the factors, so that no (n, classes x d) matrix is ever made: time O(n (d + classes)) a pick, memory
    O(n (d + classes)).
    """

    kind: Literal["badge"] = "badge"
    features: Source = "student"
    origin: bool = True
    """True where the zero gradient counts as a centre, so that texts of which the student is certain are hardly ever
    drawn (as in scikit-activeml); False draws the second pick by its distance to the first alone (as in the authors'
    code)."""

    @property
    def name(self) -> str:
        return self.kind

    @property
    def needs(self) -> frozenset[Need]:
        return STUDENT | source_needs(self.features)

    def query(self, ask: Query) -> Batch:
        p = prediction(ask, self.name)
        size = min(ask.size, len(p))
        if not size:
            return chosen(ask, [], self.name)
        h = features(ask, ask.candidates, self.features, self.name)
        draws = ask.rng.random(size)
        return chosen(ask, spread(gradients(p), vectors(h), draws, origin=self.origin), self.name)


def gradients(p: Floats) -> Vectors:
    """(n, classes): `p - onehot(argmax p)`, the first factor of each gradient."""
    p = vectors(p)
    return p - np.eye(p.shape[1])[p.argmax(axis=1)]


def spread(a: Vectors, h: Vectors, draws: Sequence[float] | NDArray[np.float64], *, origin: bool = True) -> Rows:
    """(len(draws),) distinct rows by k-means++ over the outer products of the rows of `a` and `h`.

    The first is the longest; each further one is drawn with probability proportional to its squared distance to the
    nearest that came before. Where all of these are 0, the rest is drawn evenly.

    Args:
        draws: numbers in [0, 1), one a pick; the first is not used.
    """
    norms = (a**2).sum(axis=1) * (h**2).sum(axis=1)
    row = int(np.argmax(norms))
    left = np.ones(len(a), dtype=np.bool_)
    taken, distance = [row], norms if origin else np.full(len(a), np.inf)
    for draw in draws[1:]:
        left[row] = False
        cross = (a @ a[row]) * (h @ h[row])
        distance = np.minimum(distance, np.maximum(norms + norms[row] - 2.0 * cross, 0.0))
        weights = np.where(left, distance, 0.0)
        if not weights.sum() > 0:
            weights = left.astype(np.float64)
        reached = np.cumsum(weights)
        row = int(np.searchsorted(reached / reached[-1], draw, side="right"))
        taken.append(row)
    return np.asarray(taken, dtype=np.intp)
