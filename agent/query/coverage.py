"""Texts that cover the pool: each pick is the one that explains most of what is not explained yet."""

import heapq
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agent.domain import Batch
from agent.protocols import Need, Query, Rows
from agent.query.choose import chosen
from agent.query.diversity import Source, cluster, given, source_needs
from agent.query.space import CELLS, Vectors, blocks, squared
from prompts.messages import Frozen

Similarity = Callable[[Vectors], Vectors]
"""From squared distances to how well one text covers another, 0 to 1."""


class ProbCover(Frozen):
    """Balls of one radius around the picks are to hold as much of the pool as possible (Yehuda et al., NeurIPS 2022).

    The radius is the largest at which a share `purity` of all balls holds texts of one cluster only, with as many
    clusters as classes: found exactly, not on a grid.

    Time O(n^2 d) twice, and O(n d) for each gain that is computed anew, at most n a pick; memory O(n d) and one block.
    """

    kind: Literal["probcover"] = "probcover"
    features: Source = "encoder"
    purity: float = Field(default=0.95, gt=0, lt=1)
    radius: float | None = Field(default=None, gt=0)
    """Instead of the one that `purity` leads to. Distances of rows of unit length, 0 to 2."""
    restarts: int = Field(default=3, ge=1)
    within: int = Field(default=10_000, ge=1)
    """In a larger pool, a random sample of this size is covered, and the picks come from it."""

    @property
    def name(self) -> str:
        return self.kind

    @property
    def needs(self) -> frozenset[Need]:
        return source_needs(self.features)

    def query(self, ask: Query) -> Batch:
        rows, x, known = given(ask, self.within, self.features, self.name)
        if not len(rows):
            return chosen(ask, [], self.name)
        radius = self.radius
        if radius is None:
            labels, _ = cluster(x, len(ask.task.names), self.restarts, int(ask.rng.integers(2**31)))
            radius = pure_radius(x, labels, self.purity)
        return chosen(ask, rows[cover(x, known, ask.size, ball(radius))], self.name)


class MaxHerding(Frozen):
    """As ProbCover with soft edges: coverage is a Gaussian kernel (Bae, Noh & Sutherland, ECCV 2024).

    Time O(n^2 d), and O(n d) for each gain that is computed anew, at most n a pick; memory O(n d) and one block.
    """

    kind: Literal["maxherding"] = "maxherding"
    features: Source = "encoder"
    sharpness: float = Field(default=1.0, gt=0)
    """`g` of the kernel `exp(-g |x - y|^2)`, on rows of unit length."""
    within: int = Field(default=10_000, ge=1)
    """In a larger pool, a random sample of this size is covered, and the picks come from it."""

    @property
    def name(self) -> str:
        return self.kind

    @property
    def needs(self) -> frozenset[Need]:
        return source_needs(self.features)

    def query(self, ask: Query) -> Batch:
        rows, x, known = given(ask, self.within, self.features, self.name)
        return chosen(ask, rows[cover(x, known, ask.size, gaussian(self.sharpness))], self.name)


def ball(radius: float) -> Similarity:
    """1 for what lies nearer than `radius`, else 0; a text always covers itself."""
    edge = max(radius**2, 1e-12)
    return lambda d: (d < edge).astype(np.float64)


def gaussian(sharpness: float) -> Similarity:
    return lambda d: np.exp(-sharpness * d)


def pure_radius(x: Vectors, labels: NDArray[np.intp], purity: float) -> float:
    """The supremum of all radii at which a share `purity` of the balls around rows holds no row of another cluster.

    inf where there is one cluster only.
    """
    stranger = np.full(len(x), np.inf)
    for part in blocks(len(x), len(x)):
        d = np.where(labels[part, None] == labels[None, :], np.inf, squared(x[part], x))
        stranger[part] = d.min(axis=1)
    impure = min(len(x) - 1, int((1.0 - purity) * len(x) + 1e-9))
    return float(np.sqrt(np.sort(stranger)[impure]))


def cover(x: Vectors, known: Vectors | None, k: int, similarity: Similarity) -> Rows:
    """(min(k, n),) distinct rows, each the one that adds most to `sum_u max_{picked or known} similarity(u, .)`.

    Gains only ever shrink, so an old one is an upper bound, and few are computed anew (lazy greedy; Minoux, 1978). The
    picks are those of the plain greedy algorithm. Equal gains go in row order.
    """
    covered = np.zeros(len(x))
    for part in blocks(0 if known is None else len(known), len(x)):
        assert known is not None
        covered = np.maximum(covered, similarity(squared(known[part], x)).max(axis=0))
    queue: list[tuple[float, int]] = []
    for part in blocks(len(x), len(x)):
        gains = np.maximum(similarity(squared(x[part], x)) - covered, 0.0).sum(axis=1)
        queue += [(-float(gain), part.start + i) for i, gain in enumerate(gains)]
    heapq.heapify(queue)
    taken, computed, many = list[int](), np.zeros(len(x), dtype=np.intp), 1
    while len(taken) < min(k, len(x)):
        stale = list[int]()
        while queue and len(stale) < many and computed[queue[0][1]] < len(taken):
            stale.append(heapq.heappop(queue)[1])
        if stale:
            gains = np.maximum(similarity(squared(x[stale], x)) - covered, 0.0).sum(axis=1)
            computed[stale] = len(taken)
            for gain, row in zip(gains, stale, strict=True):
                heapq.heappush(queue, (-float(gain), row))
            many = min(2 * many, max(1, CELLS // len(x)))  # where all gains are alike, single rows would take for ever
            continue
        row, many = heapq.heappop(queue)[1], 1
        taken.append(row)
        covered = np.maximum(covered, similarity(squared(x[row : row + 1], x))[0])
    return np.asarray(taken, dtype=np.intp)
