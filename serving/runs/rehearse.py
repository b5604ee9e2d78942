"""A run without its costs: the recipe's own steps, with an LLM, people and students that are only pretended.

What the steps would ask is counted as they ask it, so a forecast knows nothing of a recipe that the recipe does not do.
"""

import hashlib
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from agent.annotate import Llm
from agent.domain import Annotation, Example, Round, Task
from agent.exchange import ChatFailure, ChatReply, ChatRequest, Cost, Reading
from agent.journal import MemoryJournal
from agent.lab import Lab
from agent.loop import learn
from agent.protocols import Bench, Columns, Fence, Floats, Response, Weighted
from agent.recipe import Recipe
from agent.seeds import generator
from prompts.messages import Frozen
from serving.runs.job import Cell, Job
from serving.runs.tables import Table
from serving.runs.worker import shuffled

Manner = Literal["willing", "slow", "barren"]
"""How the pretended LLM behaves: answers as asked; has to be asked again wherever that is possible; answers as asked,
but writes only texts that the filters reject."""
POOL = 5000
"""Texts that are rehearsed with, unless the recipe wants more: what it asks hardly depends on the others."""
_WIDTH = 32
_LISTED = re.compile(r"^\[(\w+)\]", re.MULTILINE)
_WANTED = re.compile(r'label "([^"]*)"')
_OURS = re.compile(r"rehearsed (\d+) of")
_FENCED = re.compile(r'^"""\n(.*?)\n"""$', re.MULTILINE | re.DOTALL)
_KINDS = 4
"""Sorts of text that each label has in the pretended world, which has to have some structure to be weak somewhere."""


@dataclass(frozen=True)
class Asked:
    """One distinct request."""

    letters: int
    """Characters of its messages."""
    read: bool
    """A label read, which generates one token."""
    most: int
    """Tokens that the answer may have."""


@dataclass
class PretendedLlm:
    """A chat model that answers what parsers take, and keeps what it was asked, each question once."""

    manner: Manner
    task: Task
    asked: dict[str, Asked] = field(default_factory=dict)
    name = "rehearsal"

    def complete(self, requests: Sequence[ChatRequest]) -> list[ChatReply | ChatFailure]:
        return [self._one(request) for request in requests]

    def _one(self, request: ChatRequest) -> ChatReply:
        letters = sum(len(message.content) for message in request.messages)
        key = hashlib.sha256(request.model_dump_json().encode()).hexdigest()
        self.asked.setdefault(key, Asked(letters, bool(request.read), request.max_tokens))
        cost = Cost(calls=1)
        said = request.messages[-1].content
        if request.read:
            return ChatReply(text="", cost=cost, reading=self._reading(request, said))
        return ChatReply(text=self._text(request, said, key), cost=cost)

    def _reading(self, request: ChatRequest, said: str) -> Reading:
        """Sure of texts that it wrote itself, of all others as their hash has it."""
        n, own, fenced = len(request.read), _OURS.search(said), _FENCED.findall(said)
        number = zlib.crc32((fenced[-1] if fenced else said).encode())
        likeliest, sure = (int(own[1]) % n, 0.95) if own else (number % n, 0.55 + number % 41 / 100)
        shares = np.full(n, (1 - sure) / max(1, n - 1))
        shares[likeliest] = sure
        return Reading(probabilities=dict(zip(request.read, map(float, shares), strict=True)), label_mass=0.9)

    def _text(self, request: ChatRequest, said: str, key: str) -> str:
        listed = _LISTED.findall(said)
        if listed:
            if self.manner == "slow":
                return "none of these"
            scores = "\n".join(f"{id_}: 3" for id_ in listed)
            return f"{scores}\nSelected: {', '.join(listed)}"
        if self.manner == "slow" and request.repeat < 2000:
            return ""
        wanted = _WANTED.search(" ".join(message.content for message in request.messages))
        words = self.task.words
        label = words.index(wanted[1]) if wanted and wanted[1] in words else 0
        unlike = "the same" if self.manner == "barren" else f"number {key[:16]}"
        return f"1. a text that was rehearsed {label} of many, {unlike}, and of fitting length"


class PretendedPeople:
    """Answer everything at once, and agree.

    Args:
        overlap: how many of them answer for each text, each with a label of the budget.
    """

    def __init__(self, task: Task, overlap: int) -> None:
        self._names, self._overlap = task.names, overlap

    def answers(
        self, examples: Sequence[Example], index: int, suggested: Mapping[str, Annotation]
    ) -> Mapping[str, Response]:
        del index, suggested
        said = {e.id: self._names[zlib.crc32(e.id.encode()) % len(self._names)] for e in examples}
        return {id_: Response(label, labels=self._overlap) for id_, label in said.items()}


class PretendedEncoder:
    """Vectors without meaning, equal for equal texts, in as many heaps as labels have sorts of text.

    Args:
        classes: labels of the task.
    """

    name = "rehearsal"

    def __init__(self, classes: int) -> None:
        self._heaps = np.random.default_rng(0).normal(size=(classes * _KINDS, _WIDTH))

    def embed(self, texts: Columns) -> Floats:
        """(n, 32), rows of unit length."""
        numbers = np.asarray([zlib.crc32(text.encode()) for text in texts.texts], dtype=np.int64)
        noise = np.asarray([np.random.default_rng(number).normal(size=_WIDTH) for number in numbers])
        found = self._heaps[numbers % len(self._heaps)] + 0.7 * noise.reshape(-1, _WIDTH)
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)


@dataclass(frozen=True)
class PretendedStudent:
    """Agrees with the pretended LLM, but is unsure of other texts after every training."""

    classes: int
    trained: int

    def predict(self, texts: Columns) -> Floats:
        """(n, classes), rows sum to 1."""
        numbers = np.asarray([zlib.crc32(text.encode()) for text in texts.texts], dtype=np.int64)
        sure = 0.5 + (numbers ^ self.trained) % 47 / 100
        found = np.repeat((1 - sure)[:, None] / max(1, self.classes - 1), self.classes, axis=1)
        found[np.arange(len(numbers)), numbers % self.classes] = sure
        return found / found.sum(axis=1, keepdims=True)

    def samples(self, texts: Columns, m: int, seed: int = 0) -> Floats:
        """(m, n, classes): the same student after `m` other trainings."""
        return np.stack([PretendedStudent(self.classes, self.trained + seed + i + 1).predict(texts) for i in range(m)])

    def embed(self, texts: Columns) -> Floats:
        return PretendedEncoder(self.classes).embed(texts)

    def save(self, folder: Path) -> None:
        raise NotImplementedError(f"a rehearsal keeps nothing, not even in {folder}")


class PretendedLearner(Frozen):
    """Stands for a learner that would have to be trained."""

    kind: Literal["pretended"] = "pretended"
    name: str

    def fit(self, labelled: Weighted, task: Task, bench: Bench, rng: np.random.Generator) -> PretendedStudent:
        del bench, rng
        return PretendedStudent(len(task.names), zlib.crc32(f"{self.name}{len(labelled.columns)}".encode()))


def rehearsed(job: Job, table: Table, cell: Cell, llm: PretendedLlm) -> tuple[Round, ...]:
    """The rounds of one cell; what they asked the LLM is added to `llm.asked`."""
    pool = shuffled(job, table, cell.seed)
    spec = job.spec(cell).model_copy(update={"recipe": _pretended(job.spec(cell).recipe)})
    gold = {id_: job.task.names[zlib.crc32(id_.encode()) % len(job.task.names)] for id_ in table.columns.ids}
    bench = Bench(
        task=job.task,
        seed=cell.seed,
        chat=llm,
        embed=PretendedEncoder(len(job.task.names)),
        people=PretendedPeople(job.task, job.people.overlap),
        overlap=job.people.overlap,
        gold=gold,
        sample=pool.columns.take(range(min(job.sample, len(pool)))),
    )
    return learn(spec, pool, Lab(spec, bench, Fence(frozenset())), MemoryJournal()).history


def zero_shot(job: Job, table: Table, test: Table, llm: PretendedLlm) -> None:
    """The LLM's own row of a comparison, as `serving.runs.worker` asks for it."""
    pool = shuffled(job, table, job.seeds[0])
    sample = pool.columns.take(range(min(job.sample, len(pool))))
    texts = test.columns.take(range(min(job.test_reads, len(test.columns))))
    Llm().read(texts, llm, Bench(job.task, sample=sample))


def part(job: Job, table: Table) -> Table:
    """Enough of the table to rehearse with: all of a small one, random texts of a large one."""
    sizes = [sum(step.size for step in each.recipe.steps) for each in job.arms]
    least = max(POOL, 2 * max(sizes), job.sample)
    if len(table.columns) <= least:
        return table
    rows = np.sort(generator(0, "rehearsal").permutation(len(table.columns))[:least])
    return Table(table.columns.take(rows), {}, table.path)


def _pretended(recipe: Recipe) -> Recipe:
    learner = PretendedLearner(name=recipe.learner.name)
    scout = PretendedLearner(name=recipe.scout.name) if recipe.scout is not None else None
    return recipe.model_copy(update={"learner": learner, "scout": scout})
