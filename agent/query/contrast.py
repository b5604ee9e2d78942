"""Texts that the student reads unlike the labelled texts next to them."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agent.domain import Batch
from agent.protocols import Floats, Need, Query, Rows
from agent.query.choose import LABELLED, STUDENT, chosen, features, highest, prediction, require, student
from agent.query.diversity import Source, source_needs
from agent.query.space import blocks, nearest, vectors
from prompts.messages import Frozen

LEAST = 1e-7
"""What a smaller probability counts as, so that divergences stay finite."""


class Contrastive(Frozen):
    """Contrastive active learning, "CAL" (Margatina et al., EMNLP 2021): near in space, far in prediction.

    The score is the mean of KL(p_j || p_x) over the nearest labelled texts j. Time O(n labels d); memory O(n
    neighbours) and one block.
    """

    kind: Literal["contrastive"] = "contrastive"
    features: Source = "student"
    neighbours: int = Field(default=10, ge=1)

    @property
    def name(self) -> str:
        return self.kind

    @property
    def needs(self) -> frozenset[Need]:
        return STUDENT | LABELLED | source_needs(self.features)

    def query(self, ask: Query) -> Batch:
        """Raises BadInput where the question lacks what it needs."""
        require(ask, self.needs, self.name)
        p = prediction(ask, self.name)
        if not len(p):
            return chosen(ask, [], self.name)
        x = vectors(features(ask, ask.candidates, self.features, self.name))
        known = vectors(features(ask, ask.labelled.columns, self.features, self.name))
        _, rows = nearest(x, known, self.neighbours)
        return highest(ask, contrast(p, student(ask, self.name).predict(ask.labelled.columns), rows), self.name)


def contrast(p: Floats, known: Floats, rows: Rows) -> NDArray[np.float64]:
    """(n,): mean over `rows` (n, neighbours) of KL(known_j || p_i), in nats, at least 0.

    Args:
        p: (n, classes). known: (labelled, classes).
    """
    log_p, q = np.log(_floored(p)), _floored(known)
    own = (q * np.log(q)).sum(axis=1)
    scores = np.zeros(len(p))
    for part in blocks(len(p), rows.shape[1] * p.shape[1]):
        near = rows[part]
        scores[part] = (own[near] - (q[near] * log_p[part, None, :]).sum(axis=2)).mean(axis=1)
    return scores


def _floored(p: Floats) -> NDArray[np.float64]:
    least = np.maximum(vectors(p), LEAST)
    return least / least.sum(axis=1, keepdims=True)
