"""What every other strategy has to beat."""

from typing import Literal

import numpy as np

from agent.domain import Batch
from agent.protocols import Need, Query
from agent.query.choose import chosen
from prompts.messages import Frozen


class Random(Frozen):
    """The head of one random order: equal seeds and rounds choose alike, and a larger batch holds a smaller one."""

    kind: Literal["random"] = "random"

    @property
    def name(self) -> str:
        return self.kind

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset()

    def query(self, ask: Query) -> Batch:
        return chosen(ask, ask.rng.permutation(len(ask.candidates))[: ask.size], self.name)


class First(Frozen):
    """The first candidates in the order of the pool."""

    kind: Literal["first"] = "first"

    @property
    def name(self) -> str:
        return self.kind

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset()

    def query(self, ask: Query) -> Batch:
        return chosen(ask, np.arange(min(ask.size, len(ask.candidates))), self.name)
