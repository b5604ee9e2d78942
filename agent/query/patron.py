"""Cold start by the LLM's doubts: texts on which it is unsure together with their neighbours, spread over the pool."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agent.domain import Batch
from agent.protocols import Need, Query, Rows
from agent.query.choose import EMBEDDINGS, chosen, features, require
from agent.query.diversity import cluster
from agent.query.space import Vectors, nearest, sampled, squared, vectors
from agent.query.uncertainty import entropy
from prompts.messages import Frozen


class Patron(Frozen):
    """After PATRON (Yu et al., ACL 2023): propagate the LLM's entropy, partition the pool, choose, choose again.

    One pick a cluster, of as many clusters as texts are wanted: the largest `propagated entropy - beta x distance to
    the centre`, and in each further round also `+ gamma x min(most, distance to the nearest other pick or labelled
    text)`. The probabilities are the LLM's calibrated ones; a text that it has not read takes its neighbours' doubts.

    Time O(n^2 d) and O(n d k) a k-means step; memory O(n (d + neighbours)) and one block.
    """

    kind: Literal["patron"] = "patron"
    neighbours: int = Field(default=50, ge=1)
    rho: float = Field(default=0.05, ge=0)
    """How fast doubts fade with the squared distance."""
    beta: float = Field(default=0.5, ge=0)
    gamma: float = Field(default=0.3, ge=0)
    most: float = Field(default=0.5, ge=0)
    """From this distance on, picks are far enough from each other."""
    rounds: int = Field(default=2, ge=0)
    restarts: int = Field(default=3, ge=1)
    within: int = Field(default=20_000, ge=1)
    """In a larger pool, a random sample of this size is partitioned, and the picks come from it."""

    @property
    def name(self) -> str:
        return self.kind

    @property
    def needs(self) -> frozenset[Need]:
        return EMBEDDINGS | frozenset[Need]({"machine"})

    def query(self, ask: Query) -> Batch:
        """Raises BadInput where the LLM has read none of the candidates."""
        rows = sampled(ask, self.within)
        if not min(len(rows), ask.size):
            return chosen(ask, [], self.name)
        require(ask, self.needs, self.name)
        x = vectors(features(ask, ask.candidates.take(rows), "encoder", self.name))
        doubts = np.full(len(rows), np.nan)
        read = ~np.isnan(ask.machine[rows]).any(axis=1)
        doubts[read] = entropy(ask.machine[rows][read])
        scores = propagated(x, doubts, self.neighbours, self.rho)
        labels, centres = cluster(x, min(ask.size, len(x)), self.restarts, int(ask.rng.integers(2**31)))
        scores = scores - self.beta * np.linalg.norm(x - centres[labels], axis=1)
        known = vectors(features(ask, ask.labelled.columns, "encoder", self.name)) if len(ask.labelled) else x[:0]
        picks = self._apart(x, scores, labels, known)
        order = [int(r) for r in np.argsort(-scores, kind="stable") if int(r) not in set(picks)]
        picks += order[: min(ask.size, len(x)) - len(picks)]  # fewer clusters than texts: some vectors are equal
        spread = np.full(len(ask.candidates), np.nan)
        spread[rows] = scores
        return chosen(ask, rows[picks], self.name, spread)

    def _apart(self, x: Vectors, scores: NDArray[np.float64], labels: NDArray[np.intp], known: Vectors) -> list[int]:
        """One row a cluster, chosen anew in each round in view of the others'."""
        members = [np.flatnonzero(labels == each) for each in np.unique(labels)]
        picks = [int(rows[np.argmax(scores[rows])]) for rows in members]
        for _ in range(self.rounds):
            for i, rows in enumerate(members):
                others = np.concatenate([x[picks[:i] + picks[i + 1 :]], known])
                if len(others):
                    far = np.sqrt(squared(x[rows], others).min(axis=1))
                    picks[i] = int(rows[np.argmax(scores[rows] + self.gamma * np.minimum(self.most, far))])
        return picks


def propagated(x: Vectors, doubts: NDArray[np.float64], neighbours: int, rho: float) -> NDArray[np.float64]:
    """(n,): mean of `doubts_j exp(-rho |x_i - x_j|^2)` over the nearest rows j whose doubts are known, itself among
    them; undefined (nan) where none are."""
    read: Rows = np.flatnonzero(~np.isnan(doubts))
    if not len(read):
        return np.full(len(x), np.nan)
    distances, rows = nearest(x, x[read], neighbours)
    return (doubts[read][rows] * np.exp(-rho * distances**2)).mean(axis=1)
