"""Labels from people: asked for real, simulated from gold, or gold itself. Each one counts against the budget."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from agent.domain import Annotation, Batch, ClassAnswer, Cost, Example
from agent.errors import BadInput
from agent.protocols import Bench, Response
from agent.seeds import generator
from prompts.messages import Frozen

NOTHING: Mapping[str, Annotation] = MappingProxyType({})


class SimulatedPeople:
    """People who answer with the gold label, and with any other one at rate `noise`.

    Whether an answer is wrong depends on the seed and the example's id alone, so that every arm meets the same person.
    """

    def __init__(self, gold: Mapping[str, str], labels: Sequence[str], noise: float, seconds: float, seed: int) -> None:
        self._gold, self._labels = gold, tuple(labels)
        self._noise, self._seconds, self._seed = noise, seconds, seed

    def answers(
        self, examples: Sequence[Example], index: int, suggested: Mapping[str, Annotation] = NOTHING
    ) -> dict[str, Response]:
        del index, suggested  # the same person answers in every round, and looks at the text alone
        return {e.id: self._answer(e.id) for e in examples}

    def _answer(self, id_: str) -> Response:
        if id_ not in self._gold:
            raise BadInput(f"example {id_!r} has no gold label to simulate a person with", "fill its label in the data")
        label = self._gold[id_]
        if self._noise:  # who never errs draws nothing
            rng = generator(self._seed, "simulated person", id_)
            if rng.random() < self._noise:
                label = str(rng.choice([name for name in self._labels if name != label]))
        return Response(label, self._seconds, "simulated")


class Gold(Frozen):
    """The gold label, as a person who never errs. Costs one human label an example."""

    kind: Literal["gold"] = "gold"

    def annotate(self, batch: Batch, bench: Bench) -> tuple[Annotation, ...]:
        people = SimulatedPeople(_gold(bench), bench.task.names, 0.0, 0.0, bench.seed)
        asked = batch.examples[: bench.left]
        return _asked(asked, bench, people.answers(asked, bench.round), "gold")


class Simulated(Frozen):
    """A person simulated from gold who errs at rate `noise` and takes `seconds` a label."""

    kind: Literal["simulated"] = "simulated"
    noise: float = Field(default=0.0, ge=0.0, le=1.0)
    seconds: float = Field(default=8.0, ge=0.0)

    def annotate(self, batch: Batch, bench: Bench) -> tuple[Annotation, ...]:
        people = SimulatedPeople(_gold(bench), bench.task.names, self.noise, self.seconds, bench.seed)
        asked = batch.examples[: bench.left]
        return _asked(asked, bench, people.answers(asked, bench.round), "simulated")


class Human(Frozen):
    """Whoever answers on the bench: real people through a file or a queue, or simulated ones.

    An example is asked for only while the budget holds a label for each of the people that answer for it. Where several
    do, each answer is an annotation, followed by the one that they come to.
    """

    kind: Literal["human"] = "human"

    def annotate(self, batch: Batch, bench: Bench) -> tuple[Annotation, ...]:
        if bench.people is None:
            raise BadInput("this recipe asks people, and nobody is there to answer", "name a label column or a file")
        asked = batch.examples[: bench.left // bench.overlap]
        suggested = {e.id: bench.suggested[e.id] for e in asked if e.id in bench.suggested}
        return _asked(asked, bench, bench.people.answers(asked, bench.round, suggested), "human")


def _gold(bench: Bench) -> Mapping[str, str]:
    if bench.gold is None:
        raise BadInput("this recipe needs gold labels, and the data has none", "name the column that holds them")
    return bench.gold


def _asked(
    examples: Sequence[Example], bench: Bench, answers: Mapping[str, Response], use: str
) -> tuple[Annotation, ...]:
    """The annotations of each example that was asked for, and of the corrections that came with their answers.

    An example that nobody answers any more, since people's time was up, gets none and stays where it is.
    """
    asked = {e.id: f"{bench.round}/{use}/{e.id}" for e in examples}
    late = {id_: f"{bench.round}/correction/{id_}" for id_ in answers if id_ not in asked}
    return tuple(
        a for id_, name in (asked | late).items() if id_ in answers for a in annotations(name, id_, answers[id_])
    )


def annotations(name: str, example: str, said: Response) -> Iterator[Annotation]:
    """`said` as label events: one, or where several people answered, each answer and then what they come to.

    Args:
        name: id of the event; those of single answers get `/1`, `/2`… after it.
        example: id of the example.
    """
    for i, each in enumerate(said.given, 1):
        yield _annotation(f"{name}/{i}", example, each)
    paid = Response(said.label, 0.0, said.name, said.confirmed, 0, said.discard, said.why) if said.given else said
    yield _annotation(name, example, paid)


def _annotation(name: str, example: str, said: Response) -> Annotation:
    return Annotation(
        id=name,
        example=example,
        answer=ClassAnswer(label=said.label),
        by=f"human:{said.name}",
        provenance="confirmed" if said.confirmed else "human",
        use="discard" if said.discard else "train",
        why=said.why,
        cost=Cost(human_labels=said.labels, human_seconds=said.seconds),
    )
