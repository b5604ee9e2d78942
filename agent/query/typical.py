"""Typical texts: for a budget so small that a student's doubts mean nothing yet."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agent.domain import Batch
from agent.protocols import Need, Query, Rows
from agent.query.choose import chosen
from agent.query.diversity import Source, cluster, given, source_needs
from agent.query.space import Vectors, nearest
from prompts.messages import Frozen


class TypiClust(Frozen):
    """The most typical text of each of the largest clusters that hold no label yet (Hacohen et al., ICML 2022).

    As many clusters as labels and picks together. Typicality is the inverse mean distance to the nearest neighbours
    within the cluster. Where clusters without a label run out, those with the fewest labels follow.

    Time O(n d clusters) a k-means step and O(d sum of squared cluster sizes); memory O(n d) and one block.
    """

    kind: Literal["typiclust"] = "typiclust"
    features: Source = "encoder"
    neighbours: int = Field(default=20, ge=1)
    most_clusters: int = Field(default=500, ge=1)
    restarts: int = Field(default=3, ge=1)
    within: int = Field(default=50_000, ge=1)
    """In a larger pool, the picks come from a random sample of this size."""

    @property
    def name(self) -> str:
        return self.kind

    @property
    def needs(self) -> frozenset[Need]:
        return source_needs(self.features)

    def query(self, ask: Query) -> Batch:
        rows, x, known = given(ask, self.within, self.features, self.name)
        size = min(len(rows), ask.size)
        if not size:
            return chosen(ask, [], self.name)
        x = x if known is None else np.concatenate([x, known])
        wanted = min(size + len(ask.labelled), self.most_clusters)
        labels, _ = cluster(x, wanted, self.restarts, int(ask.rng.integers(2**31)))
        return chosen(ask, rows[typical(x, labels, len(rows), size, self.neighbours)], self.name)


def typical(x: Vectors, labels: NDArray[np.intp], n: int, k: int, neighbours: int) -> Rows:
    """(k,) distinct rows below `n`; the rows from `n` on are labelled already.

    Clusters take turns: those with fewer labels first, of these the larger ones, then by number. Each gives the most
    typical row that is left; equal ones go in row order.

    Args:
        labels: (rows,), the cluster of each row.
    """
    turns: list[tuple[int, int, Rows]] = []
    for each in np.unique(labels):
        rows = np.flatnonzero(labels == each)
        free = rows < n
        order = np.argsort(-typicality(x[rows], neighbours)[free], kind="stable")
        turns.append((int((~free).sum()), -len(rows), rows[free][order]))
    turns.sort(key=lambda turn: turn[:2])
    taken, depth = list[int](), 0
    while len(taken) < k:
        taken += [int(rows[depth]) for _, _, rows in turns if depth < len(rows)]
        depth += 1
    return np.asarray(taken[:k], dtype=np.intp)


def typicality(x: Vectors, neighbours: int) -> NDArray[np.float64]:
    """(n,): the inverse mean distance to the `neighbours` nearest other rows; 1 for a row that is alone."""
    k = min(neighbours, len(x) - 1)
    if not k:
        return np.ones(len(x))
    distances, _ = nearest(x, x, k + 1)  # each row is its own nearest one, at distance 0
    return 1.0 / (distances.sum(axis=1) / k + 1e-7)
