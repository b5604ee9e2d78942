"""Distances between texts, never more of the matrix at once than a block."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from agent.protocols import Floats, Query, Rows

CELLS = 1 << 22
"""Numbers of a distance matrix that are held at once: 32 MiB in float64."""

Vectors = NDArray[np.float64]


def blocks(n: int, width: int) -> Iterator[slice]:
    """Parts of `n` rows, in order, each with at most `CELLS` cells where a row has `width` of them."""
    size = max(1, CELLS // max(1, width))
    for start in range(0, n, size):
        yield slice(start, min(n, start + size))


def squared(x: Vectors, y: Vectors) -> Vectors:
    """(len(x), len(y)): squared Euclidean distances, at least 0."""
    cross = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1)[None, :] - 2.0 * (x @ y.T)
    return np.maximum(cross, 0.0)


def nearest(x: Vectors, y: Vectors, k: int) -> tuple[Vectors, Rows]:
    """The `min(k, len(y))` nearest rows of `y` for each row of `x`: distances, ascending, and row numbers, (n, k) each.

    O(n m d) time for m rows of `y`; memory O(n k) and one block. Equal distances stand in row order.
    """
    k = min(k, len(y))
    distances, rows = np.zeros((len(x), k)), np.zeros((len(x), k), dtype=np.intp)
    for part in blocks(len(x), len(y)):
        d = squared(x[part], y)
        found = np.sort(np.argpartition(d, k - 1, axis=1)[:, :k], axis=1)
        near = np.take_along_axis(d, found, axis=1)
        order = np.argsort(near, axis=1, kind="stable")
        rows[part] = np.take_along_axis(found, order, axis=1)
        distances[part] = np.sqrt(np.take_along_axis(near, order, axis=1))
    return distances, rows


def sampled(ask: Query, within: int) -> Rows:
    """All candidates; of more than `within` (or `ask.size`, if that is larger) a random sample, in row order."""
    n, most = len(ask.candidates), max(within, ask.size)
    return np.arange(n) if n <= most else np.sort(ask.rng.permutation(n)[:most])


def vectors(x: Floats) -> Vectors:
    """In float64: the cross product of `squared` loses half of the digits."""
    return np.asarray(x, np.float64)
