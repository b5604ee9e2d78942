"""Texts on which the members of a committee disagree, each of them sure."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agent.domain import Batch
from agent.protocols import Floats, Need, Query, Sampler
from agent.query.choose import SAMPLES, STUDENT, highest, require
from agent.query.space import blocks
from prompts.messages import Frozen


def mutual_information(p: Floats) -> NDArray[np.float64]:
    """(n,): `H[mean_m p^m] - mean_m H[p^m]` of (members, n, classes), in nats, at least 0 (Houlsby et al., 2011)."""
    from scipy.special import entr

    p = np.asarray(p, np.float64)
    together = entr(p.mean(axis=0)).sum(axis=-1)
    return np.asarray(np.maximum(together - entr(p).sum(axis=-1).mean(axis=0), 0.0), np.float64)


class Bald(Frozen):
    """Largest mutual information between label and model (Houlsby et al., 2011; Gal et al., 2017: by dropout).

    The members are whatever the student samples: linear students fitted to reweighted labels, BERT under dropout.
    O(members x n) predictions; memory O(n) and one block of candidates.
    """

    kind: Literal["bald"] = "bald"
    members: int = Field(default=10, ge=2)

    @property
    def name(self) -> str:
        return self.kind

    @property
    def needs(self) -> frozenset[Need]:
        return STUDENT | SAMPLES

    def query(self, ask: Query) -> Batch:
        """Raises BadInput where there is no student, or one that cannot be sampled."""
        require(ask, self.needs, self.name)
        known = ask.student
        assert isinstance(known, Sampler)
        scores, seed = np.zeros(len(ask.candidates)), int(ask.rng.integers(2**31))
        for part in blocks(len(scores), self.members * len(ask.task.names)):
            texts = ask.candidates.take(range(part.start, part.stop))
            scores[part] = mutual_information(known.samples(texts, self.members, seed))
        return highest(ask, scores, self.name)
