"""Labels from people: asked for real, simulated from gold, or gold itself. Each one counts against the budget."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from agent.domain import Annotation, Batch, ClassAnswer, Cost, Example
from agent.errors import BadInput
from agent.protocols import Bench, Response
from agent.seeds import generator
from prompts.messages import Frozen


class SimulatedPeople:
    """People who answer with the gold label, and with any other one at rate `noise`.

    Whether an answer is wrong depends on the seed and the example's id alone, so that every arm meets the same person.
    """

    def __init__(self, gold: Mapping[str, str], labels: Sequence[str], noise: float, seconds: float, seed: int) -> None:
        self._gold, self._labels = gold, tuple(labels)
        self._noise, self._seconds, self._seed = noise, seconds, seed

    def answers(self, examples: Sequence[Example], index: int) -> dict[str, Response]:
        del index  # the same person answers in every round
        return {e.id: self._answer(e.id) for e in examples}

    def _answer(self, id_: str) -> Response:
        if id_ not in self._gold:
            raise BadInput(f"example {id_!r} has no gold label to simulate a person with", "fill its label in the data")
        rng = generator(self._seed, "simulated person", id_)
        label = self._gold[id_]
        if rng.random() < self._noise:
            label = str(rng.choice([name for name in self._labels if name != label]))
        return Response(label, self._seconds, "simulated")


class Gold(Frozen):
    """The gold label, as a person who never errs. Costs one human label an example."""

    kind: Literal["gold"] = "gold"

    def annotate(self, batch: Batch, bench: Bench) -> tuple[Annotation, ...]:
        people = SimulatedPeople(_gold(bench), bench.task.names, 0.0, 0.0, bench.seed)
        return _asked(batch, bench, people.answers(batch.examples, bench.round), "gold")


class Simulated(Frozen):
    """A person simulated from gold who errs at rate `noise` and takes `seconds` a label."""

    kind: Literal["simulated"] = "simulated"
    noise: float = Field(default=0.0, ge=0.0, le=1.0)
    seconds: float = Field(default=8.0, ge=0.0)

    def annotate(self, batch: Batch, bench: Bench) -> tuple[Annotation, ...]:
        people = SimulatedPeople(_gold(bench), bench.task.names, self.noise, self.seconds, bench.seed)
        return _asked(batch, bench, people.answers(batch.examples[: bench.left], bench.round), "simulated")


class Human(Frozen):
    """Whoever answers on the bench: real people through a file or a queue, or simulated ones."""

    kind: Literal["human"] = "human"

    def annotate(self, batch: Batch, bench: Bench) -> tuple[Annotation, ...]:
        if bench.people is None:
            raise BadInput("this recipe asks people, and nobody is there to answer", "name a label column or a file")
        return _asked(batch, bench, bench.people.answers(batch.examples[: bench.left], bench.round), "human")


def _gold(bench: Bench) -> Mapping[str, str]:
    if bench.gold is None:
        raise BadInput("this recipe needs gold labels, and the data has none", "name the column that holds them")
    return bench.gold


def _asked(batch: Batch, bench: Bench, answers: Mapping[str, Response], use: str) -> tuple[Annotation, ...]:
    """One annotation for each example the budget still covers."""
    return tuple(
        Annotation(
            id=f"{bench.round}/{use}/{e.id}",
            example=e.id,
            answer=ClassAnswer(label=answers[e.id].label),
            by=f"human:{answers[e.id].name}",
            provenance="human",
            cost=Cost(human_labels=1, human_seconds=answers[e.id].seconds),
        )
        for e in batch.examples[: bench.left]
    )
