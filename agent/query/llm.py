"""The LLM as selector: short lists in random order, and an honest count of what it did not do (ActiveLLM, shortened).

Long lists are beyond small models, and large ones read them from the top: of GPT-4's picks from 200 texts, 73 % stood
among the first 50. So each list is short, its order random, and the position of every pick recorded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from agent.domain import Batch, Cost, Pick
from agent.errors import BadInput, EngineError
from agent.exchange import ChatFailure, ChatReply, ChatRequest
from agent.generate import gaps
from agent.protocols import ChatModel, Need, Query
from agent.query.baseline import First, Random
from agent.query.choose import narrowed, require
from agent.query.disagreement import Disagreement
from agent.query.diversity import KCenter, KMeans
from agent.query.uncertainty import Entropy, LeastConfidence, Margin
from agent.wording import labels
from prompts.messages import Frozen
from prompts.replies import Refusal, parse_indices, parse_ranking, parse_reasons, parse_scores
from prompts.template import load

Fallback = Annotated[
    Random | First | LeastConfidence | Margin | Entropy | KMeans | KCenter | Disagreement, Field(discriminator="kind")
]

FILLED_BY = "filled by "
"""How `Pick.why` starts where a fallback chose; the name of the fallback follows."""


class LlmChoose(Frozen):
    """Shows the LLM short lists of texts and takes what it chooses, ranks first or scores highest, as the prompt asks.

    Names that were not in the list and names said twice are dropped. A list that came out short is asked once more,
    without its picks, in another order; what is then missing comes from `fallback` and is marked as filled.
    """

    kind: Literal["llm"] = "llm"
    prompt: str = "select/choose"
    slots: dict[str, str] = {"mode": "no-cot"}
    list_size: int = Field(default=15, ge=1)
    per_list: int = Field(default=4, ge=1)
    """How many the LLM chooses from one list."""
    order: Literal["random", "reversed"] = "random"
    """`reversed`: each list stands as it would, last text first. A selector that reads from the top then parts ways."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Tokens that a reply may take; None: as many as the slot `mode` needs for what it wants written first."""
    temperature: float = Field(default=0.0, ge=0.0)
    shown_labels: int = Field(default=8, ge=0)
    """How many labelled texts the prompt shows, where its slot `context` wants any: the latest ones."""
    fallback: Fallback = Random()

    @property
    def name(self) -> str:
        return self.kind

    def window(self, size: int, among: int) -> int:
        """How many of `among` candidates it shows the LLM to choose `size` of them: the head of one random order."""
        return window(size, among, self.list_size, self.per_list)

    @property
    def needs(self) -> frozenset[Need]:
        context: frozenset[Need] = frozenset({"student", "embeddings"}) if self._weaknesses else frozenset()
        chat: frozenset[Need] = frozenset({"chat"})
        return chat | context | self.fallback.needs

    def query(self, ask: Query) -> Batch:
        """Raises EngineError where not one list got a reply."""
        size = min(ask.size, len(ask.candidates))
        if not size:
            return Batch(picks=(), by=self.name)
        require(ask, self.needs, self.name)
        assert ask.chat is not None
        chat, known = ask.chat, load(self.prompt)
        if known.reply not in _READERS:
            what = f"the prompt {self.prompt!r} asks for {known.reply}, not for a choice"
            raise BadInput(what, "use select/choose, select/rank or select/score")
        by = f"llm:{chat.name}@{known.fingerprint(self.slots)} else {self.fallback.name}"
        lists, weak = deal(ask, size, self.list_size, self.per_list), self._weak(ask)
        lists = [drawn.turned() for drawn in lists] if self.order == "reversed" else lists
        self._ask(lists, ask, chat, weak)
        short = [drawn.again(ask.rng) for drawn in lists if drawn.missing]
        self._ask(short, ask, chat, weak, again=True)
        picks = tuple(
            pick.model_copy(update={"listing": i}) for i, drawn in enumerate((*lists, *short)) for pick in drawn.picks
        )
        filled = self._fill(ask, picks, size)
        return Batch(
            picks=(*picks, *filled), by=by, cost=_cost(lists, short), notes=_notes(lists, short, picks, filled)
        )

    def _ask(
        self, lists: "Sequence[Listing]", ask: Query, chat: ChatModel, weak: list[str], *, again: bool = False
    ) -> None:
        """All lists in one batch. Where lists are asked `again`, what they gave before stands if nobody answers."""
        if not lists:
            return
        known = load(self.prompt)
        replies = chat.complete([self._request(drawn, ask, weak) for drawn in lists])
        failures = [reply for reply in replies if isinstance(reply, ChatFailure)]
        if len(failures) == len(replies) and not again:
            what = f"the LLM answered none of {len(replies)} lists: {failures[0].message}"
            raise EngineError(what, "see that it is up: thresher engine status")
        for drawn, reply in zip(lists, replies, strict=True):
            if isinstance(reply, ChatFailure):
                drawn.failed = True
                continue
            drawn.cost = reply.cost
            drawn.read(reply, ask, known.reply)
            if self.slots.get("mode") == "explanation":
                drawn.explain(reply.text)

    def _request(self, drawn: "Listing", ask: Query, weak: list[str]) -> ChatRequest:
        texts, b = ask.candidates, ask.candidates.texts_b
        known = load(self.prompt)
        given: dict[str, object] = {
            "item": ask.task.item,
            "instances": [
                {"id": id_, "text": texts.texts[row], "text_b": "" if b is None else b[row]}
                for id_, row in zip(drawn.ids, drawn.rows, strict=True)
            ],
            "wanted": drawn.wanted,
            "task_guidelines": ask.task.guidelines,
            "labels": labels(ask.task.labels),
            "labelled": self._labelled(ask),
            "weaknesses": weak,
        }
        messages = known.render(self.slots, **{name: value for name, value in given.items() if name in known.variables})
        return ChatRequest(messages=messages, max_tokens=self._room, temperature=self.temperature)

    def _labelled(self, ask: Query) -> list[dict[str, str]]:
        texts, words = ask.labelled.columns, ask.task.words
        rows = range(len(texts))[-self.shown_labels :] if self.shown_labels else range(0)
        b = texts.texts_b
        return [
            {
                "text": texts.texts[r],
                "text_b": "" if b is None else b[r],
                "label": words[int(ask.labelled.targets[r].argmax())],
            }
            for r in rows
        ]

    def _fill(self, ask: Query, picks: Sequence[Pick], size: int) -> tuple[Pick, ...]:
        missing = size - len(picks)
        if not missing:
            return ()
        taken = {pick.example.id for pick in picks}
        rest = [row for row, id_ in enumerate(ask.candidates.ids) if id_ not in taken]
        batch = self.fallback.query(narrowed(ask, rest, missing))
        why = f"{FILLED_BY}{self.fallback.name}"
        return tuple(pick.model_copy(update={"filled": True, "why": why}) for pick in batch.picks)

    def _weak(self, ask: Query) -> list[str]:
        """Where the student is weak, in a few words a place, where the prompt wants to know."""
        if not self._weaknesses:
            return []
        return [gap.description for gap in gaps.find(ask, 8, 4, 0) if gap.description]

    @property
    def _room(self) -> int:
        if self.max_tokens is not None:
            return self.max_tokens
        match self.slots.get("mode"):
            case "no-cot":
                return 256
            case "explanation":
                return 96 + 40 * self.list_size  # a line for every text, then the answer
            case _:
                return 512

    @property
    def _weaknesses(self) -> bool:
        return self.slots.get("context") == "weaknesses"


@dataclass
class Listing:
    """One list as it was shown, and what came of it."""

    rows: tuple[int, ...]
    ids: tuple[str, ...]
    """By position. They are drawn anew for every list, so that they say nothing about a text."""
    wanted: int
    picks: tuple[Pick, ...] = ()
    unknown: int = 0
    repeated: int = 0
    surplus: int = 0
    refused: bool = False
    failed: bool = False
    cost: Cost = field(default_factory=Cost)

    @property
    def missing(self) -> int:
        return self.wanted - len(self.picks)

    def turned(self) -> "Listing":
        """The same texts, last one first, before anybody was asked; names stay with the places."""
        return Listing(self.rows[::-1], self.ids, self.wanted)

    @property
    def miscounted(self) -> bool:
        """An answer that named another number of texts than were wanted."""
        return not (self.refused or self.failed) and bool(self.missing or self.surplus)

    def read(self, reply: ChatReply, ask: Query, kind: str) -> None:
        """Takes the picks from a reply of the kind that the prompt asks for."""
        found = _READERS[kind](reply.text, self.ids, self.wanted, reply.finish == "length")
        if isinstance(found, Refusal):
            self.refused = True
            return
        self.unknown, self.repeated, self.surplus = found.unknown, found.repeated, found.surplus
        self.picks = tuple(
            Pick(
                example=ask.candidates.example(self.rows[place]),
                score=found.scores.get(self.ids[place]),
                shown=place,
                listed=len(self.rows),
            )
            for place in (self.ids.index(id_) for id_ in found.ids)
        )

    def explain(self, text: str) -> None:
        """Gives each pick the line that the reply has about it."""
        whys = parse_reasons(text, allowed=self.ids)
        ids = [self.ids[pick.shown or 0] for pick in self.picks]
        self.picks = tuple(
            pick.model_copy(update={"why": whys.get(id_, "")}) for id_, pick in zip(ids, self.picks, strict=True)
        )

    def again(self, rng: np.random.Generator) -> "Listing":
        """What is left of the list, in another order under other ids, for the number that is missing."""
        taken = {pick.shown for pick in self.picks}
        rest = [row for place, row in enumerate(self.rows) if place not in taken]
        rows = tuple(rest[int(i)] for i in rng.permutation(len(rest)))
        return Listing(rows, _ids(len(rows), rng), self.missing)


def window(size: int, among: int, list_size: int, per_list: int) -> int:
    """How many of `among` candidates stand in the lists from which `size` are chosen."""
    return min(among, max(size, -(-size // per_list) * list_size))


def deal(ask: Query, size: int, list_size: int, per_list: int) -> list[Listing]:
    """Random candidates without replacement, dealt evenly to as many lists as it takes to choose `size`."""
    count = -(-size // per_list)
    dealt = ask.rng.permutation(len(ask.candidates))[: window(size, len(ask.candidates), list_size, per_list)]
    parts, shares = np.array_split(dealt, count), np.array_split(np.arange(size), count)
    return [
        Listing(tuple(int(r) for r in part), _ids(len(part), ask.rng), len(share))
        for part, share in zip(parts, shares, strict=True)
    ]


class Choice(Frozen):
    """What a reply of any kind chose."""

    ids: tuple[str, ...]
    scores: dict[str, float] = {}
    unknown: int = 0
    repeated: int = 0
    surplus: int = 0
    """Ids named beyond the number wanted; where all are ranked or scored there are none."""


def _chosen(text: str, ids: Sequence[str], wanted: int, cut: bool) -> Choice | Refusal:
    found = parse_indices(text, allowed=ids, wanted=wanted, cut=cut)
    if isinstance(found, Refusal):
        return found
    return Choice(ids=found.ids, unknown=len(found.unknown), repeated=found.repeated, surplus=found.cut)


def _ranked(text: str, ids: Sequence[str], wanted: int, cut: bool) -> Choice | Refusal:
    """The head of the ranking."""
    found = parse_ranking(text, allowed=ids, cut=cut)
    if isinstance(found, Refusal):
        return found
    return Choice(ids=found.ids[:wanted], unknown=len(found.unknown), repeated=found.repeated)


def _scored(text: str, ids: Sequence[str], wanted: int, cut: bool) -> Choice | Refusal:
    """The highest scores; of equal ones, what stood earlier in the (randomly ordered) list."""
    found = parse_scores(text, allowed=ids, low=1, high=5, cut=cut)  # the scale of select/score
    if isinstance(found, Refusal):
        return found
    order = sorted((id_ for id_ in ids if id_ in found.scores), key=lambda id_: -found.scores[id_])
    return Choice(ids=tuple(order[:wanted]), scores=found.scores, unknown=len(found.unknown))


_READERS: dict[str, Callable[[str, Sequence[str], int, bool], Choice | Refusal]] = {
    "indices": _chosen,
    "ranking": _ranked,
    "scores": _scored,
}
"""How a reply of each kind is read; the last argument says whether it broke off at its token limit."""


def _ids(n: int, rng: np.random.Generator) -> tuple[str, ...]:
    """Distinct numbers of two digits (more for long lists): short to copy, and no count that could be continued."""
    low = 10 ** max(1, len(str(2 * n)) - 1)
    return tuple(str(low + int(i)) for i in rng.permutation(9 * low)[:n])


def _cost(*rounds: Sequence[Listing]) -> Cost:
    return sum((drawn.cost for lists in rounds for drawn in lists), Cost())


def _notes(
    lists: Sequence[Listing], short: Sequence[Listing], picks: Sequence[Pick], filled: Sequence[Pick]
) -> dict[str, float]:
    both = (*lists, *short)
    counts = {
        "lists": len(lists),
        "asked_again": len(short),
        "refused": sum(drawn.refused for drawn in both),
        "failed": sum(drawn.failed for drawn in both),
        "unknown": sum(drawn.unknown for drawn in both),
        "repeated": sum(drawn.repeated for drawn in both),
        "miscounted": sum(drawn.miscounted for drawn in both),
        "chosen": len(picks),
        "filled": len(filled),
    }
    return {name: float(count) for name, count in counts.items()}
