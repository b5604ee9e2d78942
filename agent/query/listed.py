"""The lists of the LLM without the LLM: what a selector has to beat that reads its list from the top, or not at all."""

from typing import Literal

from pydantic import Field

from agent.domain import Batch
from agent.protocols import Need, Query
from agent.query.choose import chosen
from agent.query.llm import deal
from prompts.messages import Frozen


class Listed(Frozen):
    """Deals the candidates to lists as `LlmChoose` of the same sizes does, text for text where both draw the same
    random numbers, and takes the first texts of each list, or random ones."""

    kind: Literal["listed"] = "listed"
    take: Literal["first", "random"]
    list_size: int = Field(default=15, ge=1)
    per_list: int = Field(default=4, ge=1)

    @property
    def name(self) -> str:
        return f"{self.take} of each list"

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset()

    def query(self, ask: Query) -> Batch:
        size = min(ask.size, len(ask.candidates))
        lists = deal(ask, size, self.list_size, self.per_list) if size else []
        rows = [
            row
            for each in lists
            for row in (each.rows if self.take == "first" else ask.rng.permutation(each.rows))[: each.wanted]
        ]
        return chosen(ask, rows, self.name)
