"""The generator: finds where the student is weak, lets the LLM write for it, and keeps what passes the filters."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from pydantic import Field

from agent.ask import Answer, ask_all, demand_answers
from agent.domain import Batch, Candidate, Example, Pick
from agent.errors import BadInput
from agent.exchange import ChatReply, ChatRequest
from agent.generate import gaps
from agent.generate.filters import Confirm, Duplicate, FilterSpec, Length, NearFence, sift
from agent.protocols import Gap, Need, Query
from agent.wording import labels
from prompts.messages import Frozen
from prompts.replies import Items, parse_items
from prompts.template import load


class Generate(Frozen):
    """Gap-driven generation with rejection filtering (survey §3.3), as a query strategy.

    Its picks have the origin `generated`; the label that each was written for is only what the filters confirm it
    by: the annotator of the step labels it like any other text.
    """

    kind: Literal["generate"] = "generate"
    prompt: str = "generate/one"
    """`generate/one` asks for one text, which small models manage; `generate/gap` for several in one reply."""
    slots: dict[str, str] = {}
    clusters: int = Field(default=8, ge=1)
    gaps: int = Field(default=8, ge=1)
    """How many weak places are written for."""
    asks: int = Field(default=15, ge=1)
    """Requests for each place, with other examples each time."""
    each: int = Field(default=1, ge=1)
    """Texts wanted from one request."""
    shown: int = Field(default=4, ge=1)
    """Texts of the place that one request shows."""
    temperature: float = Field(default=1.0, ge=0.0)
    filters: tuple[FilterSpec, ...] = (Length(), Duplicate(), NearFence(), Confirm())

    @property
    def name(self) -> str:
        return self.kind

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({"student", "chat", "embeddings"})

    def query(self, ask: Query) -> Batch:
        """At most `ask.size` accepted texts, in the order of the gaps; all candidates and verdicts beside them."""
        if ask.candidates.texts_b is not None:
            raise BadInput("generation writes single texts, and this pool holds pairs", "take a recipe without it")
        places = gaps.find(ask, self.clusters, self.gaps, 4 * self.shown)
        candidates, notes = self.write(places, ask)
        accepted, verdicts = sift(candidates, self.filters, ask)
        picks = tuple(
            Pick(example=c.example, why=f"written for {c.label!r}{f', about {c.gap}' if c.gap else ''}")
            for c in accepted[: ask.size]
        )
        return Batch(picks=picks, by=self._by(ask), notes=notes, candidates=candidates, verdicts=verdicts)

    def write(self, places: Sequence[Gap], ask: Query) -> tuple[tuple[Candidate, ...], dict[str, float]]:
        """What the LLM wrote for these places, unfiltered; how many requests brought no whole text is `unwritten`."""
        if ask.chat is None:
            raise BadInput("generation asks an LLM, and none is there", "start one with: thresher engine up")
        places = [self._showing(place, ask) for _ in range(self.asks) for place in places]
        requests = [self._request(place, ask, i) for i, place in enumerate(places)]
        answers = ask_all(ask.chat, requests, lambda text: parse_items(text, wanted=self.each))
        demand_answers([answer.replies[-1] for answer in answers], "texts were not written")
        written = [_whole(answer) for answer in answers]
        prefix = _free(f"g{ask.round}", ask)
        candidates = tuple(
            self._candidate(text, place, f"{prefix}-{i}-{n}", ask)
            for i, (place, texts) in enumerate(zip(places, written, strict=True))
            for n, text in enumerate(texts)
        )
        unwritten = sum(not texts for texts in written)
        return candidates, {"requests": float(len(requests)), "unwritten": float(unwritten)}

    def _showing(self, place: Gap, ask: Query) -> Gap:
        """The place with the few of its texts that one request shows: the parents of what comes of it."""
        order = ask.rng.permutation(len(place.examples))[: self.shown]
        return replace(place, examples=tuple(place.examples[int(k)] for k in order))

    def _request(self, place: Gap, ask: Query, i: int) -> ChatRequest:
        (card,) = labels([c for c in ask.task.labels if c.name == place.label])
        known = load(self.prompt)
        given: dict[str, object] = {
            "item": ask.task.item,
            "label": card,
            "others": [c.word for c in ask.task.labels if c.name != place.label],
            "gap": f"texts on {place.description}" if place.description else "hard cases",
            "examples": [example.text for example in place.examples],
            "wanted": self.each,
            "task_guidelines": ask.task.guidelines,
        }
        messages = known.render(self.slots, **{name: value for name, value in given.items() if name in known.variables})
        return ChatRequest(
            messages=messages, max_tokens=64 * self.each, temperature=self.temperature, top_p=0.95, repeat=i
        )

    def _candidate(self, text: str, place: Gap, id_: str, ask: Query) -> Candidate:
        parents = tuple(e.id for e in place.examples)
        text = text.replace("<text>", "").replace("</text>", "").strip()  # small models copy the format's placeholder
        example = Example(id=id_, text=text, origin="generated", parents=parents)
        return Candidate(example=example, label=place.label, gap=place.description, by=self._by(ask))

    def _by(self, ask: Query) -> str:
        assert ask.chat is not None
        return f"llm:{ask.chat.name}@{load(self.prompt).fingerprint(self.slots)}"


def _whole(answer: Answer[Items]) -> tuple[str, ...]:
    """The texts that were written to their end: where the token limit cut the reply off, not its last one.

    That is none of ours where the reply went on beyond the texts that were wanted.
    """
    if answer.value is None:
        return ()
    last = answer.replies[-1]
    cut = isinstance(last, ChatReply) and last.finish == "length" and not answer.value.cut
    return answer.value.items[:-1] if cut else answer.value.items


def _free(prefix: str, ask: Query) -> str:
    """A start of ids that no text of the run has."""
    known = (*ask.candidates.ids, *ask.labelled.columns.ids)
    while any(id_.startswith(f"{prefix}-") for id_ in known):
        prefix = f"{prefix}x"
    return prefix
