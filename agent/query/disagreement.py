"""Texts on which the student and the LLM contradict each other: one of the two is wrong, and a person can say which."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agent.domain import Batch
from agent.protocols import Floats, Need, Query
from agent.query.choose import highest, prediction
from prompts.messages import Frozen


def jensen_shannon(p: Floats, q: Floats) -> NDArray[np.float64]:
    """(n,): H2[(p + q) / 2] - (H2[p] + H2[q]) / 2, in bits, in [0, 1] (Lin, 1991); nan where a row of q is nan.

    It is 1 where both are certain of different labels, 0 where they agree, and small where either is unsure.
    """
    from scipy.special import rel_entr

    p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    middle = (p + q) / 2
    nats = (rel_entr(p, middle) + rel_entr(q, middle)).sum(axis=1) / 2
    return np.asarray(np.clip(nats / np.log(2), 0.0, 1.0), np.float64)


class Disagreement(Frozen):
    """Largest divergence between the student and the LLM's calibrated label; texts without such a label come last."""

    kind: Literal["disagreement"] = "disagreement"

    @property
    def name(self) -> str:
        return self.kind

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({"student", "machine"})

    def query(self, ask: Query) -> Batch:
        return highest(ask, jensen_shannon(prediction(ask, self.name), ask.machine), self.name)
