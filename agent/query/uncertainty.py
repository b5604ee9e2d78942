"""Texts that the student is unsure of. `p` is (n, classes), rows sum to 1; the largest scores are chosen."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agent.domain import Batch
from agent.protocols import Floats, Need, Query
from agent.query.choose import STUDENT, highest, prediction
from prompts.messages import Frozen

Scores = NDArray[np.float64]


def least_confidence(p: Floats) -> Scores:
    """(n,): 1 - max_c p_c, in [0, 1 - 1/classes] (Lewis & Gale, 1994)."""
    return np.asarray(1.0 - p.max(axis=1), np.float64)


def margin(p: Floats) -> Scores:
    """(n,): -(p_(1) - p_(2)), in [-1, 0]; also called breaking ties (Scheffer et al., 2001; Luo et al., 2005)."""
    top = np.sort(p, axis=1)[:, -2:]
    return np.asarray(top[:, 0] - top[:, 1], np.float64)


def entropy(p: Floats) -> Scores:
    """(n,): -sum_c p_c ln p_c, in nats, with 0 ln 0 = 0."""
    from scipy.special import entr

    return np.asarray(entr(np.asarray(p, np.float64)).sum(axis=1), np.float64)


class LeastConfidence(Frozen):
    kind: Literal["least-confidence"] = "least-confidence"

    @property
    def name(self) -> str:
        return self.kind

    @property
    def needs(self) -> frozenset[Need]:
        return STUDENT

    def query(self, ask: Query) -> Batch:
        return highest(ask, least_confidence(prediction(ask, self.name)), self.name)


class Margin(Frozen):
    """Best average rank among uncertainty scores for fine-tuned transformers (Schröder et al., ACL Findings 2022)."""

    kind: Literal["margin"] = "margin"

    @property
    def name(self) -> str:
        return self.kind

    @property
    def needs(self) -> frozenset[Need]:
        return STUDENT

    def query(self, ask: Query) -> Batch:
        return highest(ask, margin(prediction(ask, self.name)), self.name)


class Entropy(Frozen):
    kind: Literal["entropy"] = "entropy"

    @property
    def name(self) -> str:
        return self.kind

    @property
    def needs(self) -> frozenset[Need]:
        return STUDENT

    def query(self, ask: Query) -> Batch:
        return highest(ask, entropy(prediction(ask, self.name)), self.name)
