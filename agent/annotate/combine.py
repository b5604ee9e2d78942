"""Annotators made of annotators."""

from dataclasses import replace
from typing import Literal

from pydantic import Field

from agent.annotate.human import Gold, Human, Simulated
from agent.annotate.llm import Llm
from agent.domain import Annotation, Batch, Pick
from agent.protocols import Bench
from prompts.messages import Frozen

Person = Gold | Simulated | Human


class Route(Frozen):
    """The machine labels everything; what it is least sure of goes to a person as well (route by confidence).

    Survey §4.3, HybridAL: accepted where confident, routed where not. Abstentions are routed first. At most `most`
    examples of a batch are routed, and only those whose confidence is under `below`.
    """

    kind: Literal["route"] = "route"
    machine: Llm = Llm()
    person: Person = Field(default=Human(), discriminator="kind")
    most: int = Field(default=8, ge=0)
    below: float = Field(default=1.0, ge=0.0, le=1.0)

    def annotate(self, batch: Batch, bench: Bench) -> tuple[Annotation, ...]:
        machine = self.machine.annotate(batch, bench)
        unsure = sorted((a for a in machine if _sureness(a) < self.below), key=lambda a: (_sureness(a), a.example))
        by_id = {pick.example.id: pick for pick in batch.picks}
        routed = Batch(picks=tuple(_routed(by_id[a.example], a) for a in unsure[: self.most]), by=batch.by)
        bench = replace(bench, suggested={**bench.suggested, **{a.example: a for a in machine if a.answer.label}})
        return (*machine, *self.person.annotate(routed, bench))


def _routed(pick: Pick, machine: Annotation) -> Pick:
    sure = _sureness(machine)
    why = "the LLM abstained" if machine.answer.label is None else f"the LLM's confidence is {sure:.2f}"
    return pick.model_copy(update={"why": why, "score": 1.0 - sure})


def _sureness(machine: Annotation) -> float:
    """0 to 1; 0 where the LLM abstained, however lopsided the little that it gave to label words was."""
    return 0.0 if machine.answer.label is None else machine.confidence or 0.0
