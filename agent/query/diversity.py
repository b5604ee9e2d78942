"""Texts that cover the pool."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agent.domain import Batch
from agent.protocols import Floats, Need, Query, Rows
from agent.query.choose import EMBEDDINGS, STUDENT, chosen, features
from agent.query.space import Vectors, sampled, vectors
from prompts.messages import Frozen

Source = Literal["encoder", "student"]
"""Whose vectors: the frozen sentence encoder's, or the student's own."""


class KMeans(Frozen):
    """As many clusters as texts are wanted, and the text nearest to the centre of each (Yuan et al., 2020, BERT-KM).

    Time O(n d k) a k-means step; memory O(n (d + k)).
    """

    kind: Literal["kmeans"] = "kmeans"
    features: Source = "encoder"
    restarts: int = Field(default=3, ge=1)
    """Random starts, of which the tightest clustering counts."""
    within: int = Field(default=50_000, ge=1)
    """In a larger pool, the clusters are those of a random sample of this size, and the picks come from it."""

    @property
    def name(self) -> str:
        return self.kind

    @property
    def needs(self) -> frozenset[Need]:
        return source_needs(self.features)

    def query(self, ask: Query) -> Batch:
        rows = sampled(ask, self.within)
        size = min(len(rows), ask.size)
        if not size:
            return chosen(ask, [], self.name)
        x = features(ask, ask.candidates.take(rows), self.features, self.name)
        _, centres = cluster(x, size, self.restarts, int(ask.rng.integers(2**31)))
        return chosen(ask, rows[nearest_rows(x, centres, size)], self.name)


class KCenter(Frozen):
    """Greedy k-center, "CoreSet" (Sener & Savarese, 2018): each pick is the one farthest from all that came before.

    Where nothing is labelled yet, the first pick is a random one. Time O(n d) for each label and each pick; memory
    O(n d).
    """

    kind: Literal["kcenter"] = "kcenter"
    features: Source = "encoder"

    @property
    def name(self) -> str:
        return self.kind

    @property
    def needs(self) -> frozenset[Need]:
        return source_needs(self.features)

    def query(self, ask: Query) -> Batch:
        n = len(ask.candidates)
        if not min(n, ask.size):
            return chosen(ask, [], self.name)
        x = features(ask, ask.candidates, self.features, self.name)
        known = features(ask, ask.labelled.columns, self.features, self.name) if len(ask.labelled) else None
        start = int(ask.rng.integers(n))
        return chosen(ask, farthest_first(x, known, min(ask.size, n), start), self.name)


def cluster(x: Floats, k: int, restarts: int, seed: int) -> tuple[Rows, NDArray[np.float64]]:
    """k-means into `k` clusters, or as many as there are distinct rows: the cluster of each row, and the centres.

    Time O(n d k) a step, at most 300 steps a restart; memory O(n (d + k)).
    """
    from sklearn.cluster import KMeans as Clusters
    from threadpoolctl import threadpool_limits

    distinct = k if k == 1 else len(np.unique(x, axis=0))
    start: Any = restarts  # scikit-learn takes numbers here, though its annotation knows only the word "auto"
    clusters = Clusters(n_clusters=min(k, distinct), n_init=start, random_state=seed)
    with threadpool_limits(limits=1):  # sums in one order, so that equal seeds give equal clusters
        fitted = clusters.fit(x)
    return np.asarray(fitted.labels_, dtype=np.intp), np.asarray(fitted.cluster_centers_)


def nearest_rows(x: Floats, centres: Floats, k: int) -> Rows:
    """(min(k, n),) distinct rows. Each centre in turn takes the nearest row that is left, until `k` are taken."""
    left, taken = np.ones(len(x), dtype=np.bool_), list[int]()
    orders = [np.argsort(((x - centre) ** 2).sum(axis=1), kind="stable") for centre in centres]
    for i in range(min(k, len(x))):
        order = orders[i % len(orders)]
        row = int(order[left[order]][0])
        left[row] = False
        taken.append(row)
    return np.asarray(taken, dtype=np.intp)


def farthest_first(x: Floats, known: Floats | None, k: int, start: int) -> Rows:
    """(k,) distinct rows of `x`, each the farthest from `known` and the rows before it; equal distances in row order.

    Args:
        start: the first row where `known` is None.
    """
    distance = np.full(len(x), np.inf)
    for row in () if known is None else known:
        distance = np.minimum(distance, ((x - row) ** 2).sum(axis=1))
    taken = list[int]()
    for _ in range(k):
        row = start if known is None and not taken else int(np.argmax(distance))
        taken.append(row)
        distance = np.minimum(distance, ((x - x[row]) ** 2).sum(axis=1))
        distance[taken] = -1.0
    return np.asarray(taken, dtype=np.intp)


def given(ask: Query, within: int, source: Source, name: str) -> tuple[Rows, Vectors, Vectors | None]:
    """Rows of the candidates that take part, at most `within` or as many as are wanted; their vectors; and those of the
    labelled texts."""
    rows = sampled(ask, within)
    x = vectors(features(ask, ask.candidates.take(rows), source, name))
    known = vectors(features(ask, ask.labelled.columns, source, name)) if len(ask.labelled) else None
    return rows, x, known


def source_needs(source: Source) -> frozenset[Need]:
    """What `features` of this source cannot be had without."""
    return STUDENT if source == "student" else EMBEDDINGS
