"""People and experts of a run who answer through the review queue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.annotate.human import NOTHING
from agent.annotate.votes import settled
from agent.domain import Annotation, Example, Pick
from agent.errors import CapReached, Waiting
from agent.protocols import Response
from serving.runs.picks import Picks
from serving.runs.review_queue import Ask, Suggestion
from serving.runs.reviews import Given, Reviews


@dataclass(frozen=True)
class QueuePeople:
    """Asks whoever labels at `/runs/RUN/review`."""

    reviews: Reviews
    run: str
    names: tuple[str, ...]
    """The labels of the task."""
    overlap: int = 1
    """People that answer for each text."""
    blind: float = 0.2
    """Share of texts whose suggestion is hidden."""
    most: float | None = None
    """Seconds of people that the run may take in all; None: any."""

    def answers(
        self, examples: Sequence[Example], index: int, suggested: Mapping[str, Annotation] = NOTHING
    ) -> dict[str, Response]:
        """By example id. Raises Waiting until enough people have answered for each, or their time is up.

        Raises CapReached where it was up before anybody answered.
        """
        asks = [_ask(e, suggested.get(e.id)) for e in examples]
        self.reviews.put(self.run, index, asks, self.names, overlap=self.overlap, blind=self.blind, most=self.most)
        found = self.reviews.answered(self.run, index)
        if found is None:
            missing = self.reviews.missing(self.run, index)
            raise Waiting(missing, f"label them on the page /runs/{self.run}/review")
        said = by_example(found)
        if examples and not said:
            raise CapReached(f"people have given the {(self.most or 0.0) / 60:g} minutes that they may")
        return said


@dataclass(frozen=True)
class QueueExperts:
    """Asks whoever looks over picks at `/runs/RUN/picks`."""

    picks: Picks
    run: str

    def struck(self, picks: Sequence[Pick], index: int) -> dict[str, str]:
        """Reasons by example id. Raises Waiting until each pick was kept or struck out."""
        self.picks.put(self.run, index, picks)
        found = self.picks.decided(self.run, index)
        if found is None:
            missing = self.picks.missing(self.run, index)
            raise Waiting(missing, f"keep or strike them out on the page /runs/{self.run}/picks")
        return found


def by_example(found: Sequence[Given]) -> dict[str, Response]:
    """What the answers to each text come to."""
    grouped: dict[str, list[Given]] = {}
    for given in found:
        grouped.setdefault(given.example, []).append(given)
    return {id_: settled([_response(g) for g in all_], [g.fresh for g in all_]) for id_, all_ in grouped.items()}


def _response(given: Given) -> Response:
    choice = given.choice
    return Response(
        label=choice.label,
        seconds=given.seconds,
        name=given.who,
        confirmed=given.confirmed,
        labels=int(given.paid),
        discard=choice.verdict == "bad_text",
        why={"undecided": "cannot decide", "bad_text": "bad text"}.get(choice.verdict, ""),
    )


def _ask(example: Example, machine: Annotation | None) -> Ask:
    if machine is None or machine.answer.label is None:
        return Ask(example=example.id, text=example.text, text_b=example.text_b)
    suggestion = Suggestion(
        label=machine.answer.label, confidence=machine.confidence, reason=machine.why, by=machine.by
    )
    return Ask(example=example.id, text=example.text, text_b=example.text_b, suggestion=suggestion)
