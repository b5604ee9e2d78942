"""Strategies made of strategies."""

from typing import Annotated, Literal

from pydantic import Field

from agent.domain import Batch
from agent.protocols import Need, Query
from agent.query.badge import Badge
from agent.query.baseline import First, Random
from agent.query.choose import narrowed
from agent.query.committee import Bald
from agent.query.contrast import Contrastive
from agent.query.coverage import MaxHerding, ProbCover
from agent.query.disagreement import Disagreement
from agent.query.diversity import KCenter, KMeans
from agent.query.listed import Listed
from agent.query.llm import LlmChoose
from agent.query.patron import Patron
from agent.query.typical import TypiClust
from agent.query.uncertainty import Entropy, LeastConfidence, Margin
from agent.query.wrapped import SkActiveMl
from prompts.messages import Frozen


class Then(Frozen):
    """The first narrows the candidates down to `keep`, in its order; the second chooses among these."""

    kind: Literal["then"] = "then"
    first: "Chooser"
    second: "Chooser"
    keep: int = Field(ge=1)

    @property
    def name(self) -> str:
        return f"{self.first.name} then {self.second.name}"

    @property
    def needs(self) -> frozenset[Need]:
        return self.first.needs | self.second.needs

    def query(self, ask: Query) -> Batch:
        """With a `keep` below `ask.size`, no more than `keep` are chosen."""
        kept = self.first.query(narrowed(ask, list(range(len(ask.candidates))), self.keep))
        batch = self.second.query(narrowed(ask, _rows(ask, kept), min(ask.size, len(kept.picks))))
        notes = {**{f"first_{name}": value for name, value in kept.notes.items()}, **batch.notes}
        by = f"{kept.by} then {batch.by}"
        return batch.model_copy(update={"by": by, "cost": kept.cost + batch.cost, "notes": notes})


class Mix(Frozen):
    """`a` chooses its share of the batch, `b` the rest among what is left."""

    kind: Literal["mix"] = "mix"
    a: "Chooser"
    b: "Chooser"
    share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Of `a`; a half is rounded up."""

    @property
    def name(self) -> str:
        return f"{self.a.name} and {self.b.name}"

    @property
    def needs(self) -> frozenset[Need]:
        return self.a.needs | self.b.needs

    def query(self, ask: Query) -> Batch:
        size = int(self.share * ask.size + 0.5)
        a = self.a.query(narrowed(ask, list(range(len(ask.candidates))), size))
        taken = set(_rows(ask, a))
        rest = [row for row in range(len(ask.candidates)) if row not in taken]
        b = self.b.query(narrowed(ask, rest, ask.size - len(a.picks)))
        notes = {**{f"a_{name}": v for name, v in a.notes.items()}, **{f"b_{name}": v for name, v in b.notes.items()}}
        return Batch(picks=(*a.picks, *b.picks), by=f"{a.by} and {b.by}", cost=a.cost + b.cost, notes=notes)


AnyChooser = (
    Random
    | First
    | LeastConfidence
    | Margin
    | Entropy
    | Bald
    | KMeans
    | KCenter
    | TypiClust
    | ProbCover
    | MaxHerding
    | Badge
    | Contrastive
    | Patron
    | Disagreement
    | SkActiveMl
    | LlmChoose
    | Listed
    | Then
    | Mix
)
"""Every strategy that chooses among the candidates."""

Chooser = Annotated[AnyChooser, Field(discriminator="kind")]

Then.model_rebuild()
Mix.model_rebuild()


def _rows(ask: Query, batch: Batch) -> list[int]:
    """Rows of the picks among the candidates, in their order."""
    row = {id_: i for i, id_ in enumerate(ask.candidates.ids)}
    return [row[pick.example.id] for pick in batch.picks]
