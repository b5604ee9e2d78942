"""Strategies made of strategies."""

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator

from agent.annotate.llm import Llm
from agent.domain import Batch
from agent.protocols import Bench, Need, Query
from agent.query.badge import Badge
from agent.query.baseline import First, Random
from agent.query.choose import narrowed, require
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
from prompts.template import load


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


class Read(Frozen):
    """The LLM reads the first `reads` candidates, and `then` chooses among all by what it said: no text gets its label.

    What an earlier step had it label is known already and is not read again. Notes count the texts that were read
    (`read`) and those of them that it gave no label to speak of (`unread`).
    """

    kind: Literal["read"] = "read"
    then: "Chooser"
    reads: int = Field(ge=1)
    reader: Llm = Llm()

    @field_validator("reader")
    @classmethod
    def _without_labels(cls, reader: Llm) -> Llm:
        if reader.shots:
            raise ValueError("a reader that only helps to choose is shown no labelled texts: leave out `shots`")
        return reader

    @property
    def name(self) -> str:
        return f"{self.then.name} after reads"

    @property
    def needs(self) -> frozenset[Need]:
        return (self.then.needs - {"machine"}) | frozenset[Need]({"chat"})

    def query(self, ask: Query) -> Batch:
        """Raises EngineError where more than a fifth of the reads fail."""
        if not min(len(ask.candidates), ask.size):
            return self.then.query(ask)
        require(ask, self.needs, self.name)
        assert ask.chat is not None
        rows = np.flatnonzero(np.isnan(ask.machine[: self.reads]).any(axis=1))
        bench = Bench(ask.task, chat=ask.chat, sample=ask.sample)
        machine = ask.machine.copy()
        if len(rows):
            machine[rows] = self.reader.probabilities(ask.candidates.take(rows), ask.chat, bench)
        batch = self.then.query(replace(ask, machine=machine))
        unread = int(np.isnan(machine[rows]).any(axis=1).sum())
        by = f"llm:{ask.chat.name}@{load(self.reader.prompt).fingerprint(self.reader.slots)}"
        notes = {"read": float(len(rows)), "unread": float(unread), **batch.notes}
        return batch.model_copy(update={"by": f"{batch.by} after reads by {by}", "notes": notes})


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
    | Read
)
"""Every strategy that chooses among the candidates."""

Chooser = Annotated[AnyChooser, Field(discriminator="kind")]

Then.model_rebuild()
Mix.model_rebuild()
Read.model_rebuild()


def _rows(ask: Query, batch: Batch) -> list[int]:
    """Rows of the picks among the candidates, in their order."""
    row = {id_: i for i, id_ in enumerate(ask.candidates.ids)}
    return [row[pick.example.id] for pick in batch.picks]
