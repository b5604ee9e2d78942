"""Whole runs that cost nothing: toy sentences, an LLM that reads toy words, and journals that are killed on purpose."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from agent.annotate.human import SimulatedPeople
from agent.embed import CachedEmbedder
from agent.exchange import ChatFailure, ChatReply, ChatRequest
from agent.journal import MemoryJournal
from agent.lab import Lab
from agent.loop import Outcome, learn
from agent.pool import Pool
from agent.protocols import Bench, Columns, Fence
from agent.recipe import Recipe, RunSpec
from agent.scripted import Scripted, ScriptedChat
from tests.support.questions import TASK, ToyEncoder, texts

T = TypeVar("T")
WARM = frozenset(["sun", "bright", "warm", "lovely", "golden", "clear", "mild", "glow"])
WET = frozenset(["rain", "dull", "cold", "dreadful", "grey", "soaked", "storm", "mud"])
ENCODER = CachedEmbedder(ToyEncoder())


def digits(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def reads(request: ChatRequest) -> Scripted:
    """Label words by the toy words of the last message, with a lean towards `positive` and an error now and then."""
    said = request.messages[-1].content
    words = Counter(re.findall(r"[a-z]+", said))
    warmth = sum(words[w] for w in WARM) - sum(words[w] for w in WET) + 0.8 + (digits(said) % 7 - 3) / 2
    p = 1 / (1 + np.exp(-warmth))
    return {"positive": 0.9 * float(p), "negative": 0.9 * float(1 - p)}


def writes(said: str, seed: int) -> str:
    """Five texts in random order: three for the label of the prompt, one for the other, one too short."""
    wanted, other = (WARM, WET) if 'label "positive"' in said else (WET, WARM)
    rng = np.random.default_rng(seed)
    lines = [f"a {' '.join(rng.choice(sorted(wanted), 3))} walk past house {rng.integers(10**6)}" for _ in range(3)]
    lines.append(f"a {' '.join(rng.choice(sorted(other), 3))} walk past barn {rng.integers(10**6)}")
    return "\n".join(f"{i}. {line}" for i, line in enumerate(rng.permutation([*lines, "too short"]), 1))


def answer(request: ChatRequest) -> Scripted:
    """What the toy LLM says to any prompt of the library."""
    said = request.messages[-1].content
    if request.read:
        return reads(request)
    shown = re.findall(r"^\[(\w+)\]", said, re.MULTILINE)
    if shown:
        return "Selected: " + ", ".join(shown[-3:])
    return writes(said, digits(f"{said}{request.repeat}"))


class Remembering:
    """A chat model with a memory that outlives a kill, as the ledger has. `sent` counts what really went out."""

    name = "toy"

    def __init__(self, say: Callable[[ChatRequest], Scripted] = answer) -> None:
        self._chat = ScriptedChat(say)
        self.known: dict[str, ChatReply | ChatFailure] = {}
        self.sent = Counter[str]()

    def complete(self, requests: Sequence[ChatRequest]) -> list[ChatReply | ChatFailure]:
        return [self._one(request) for request in requests]

    def _one(self, request: ChatRequest) -> ChatReply | ChatFailure:
        key = request.model_dump_json()
        if key in self.known:
            reply = self.known[key]
            return reply.model_copy(update={"recorded": True}) if isinstance(reply, ChatReply) else reply
        self.sent[key] += 1
        self.known[key] = self._chat.complete([request])[0]
        return self.known[key]


class Killed(Exception):
    """Stands for `kill -9`."""


class Fragile(MemoryJournal):
    """Dies once, at the step `key`: before its work, after its work but before writing, or after writing."""

    def __init__(self, key: str = "", moment: str = "") -> None:
        super().__init__()
        self.key, self.moment = key, moment
        self.worked = Counter[str]()

    def step(self, key: str, kind: type[T], compute: Callable[[], T]) -> T:
        self._die(key, "before")

        def counted() -> T:
            value = compute()
            self.worked[key] += 1
            self._die(key, "unwritten")
            return value

        value = super().step(key, kind, counted)
        self._die(key, "after")
        return value

    def _die(self, key: str, moment: str) -> None:
        if (key, moment) == (self.key, self.moment):
            self.key = ""
            raise Killed


def toy_pool(n: int, seed: int = 1) -> tuple[Pool, dict[str, str]]:
    """`n` toy sentences, and their gold labels by id."""
    columns, classes = texts(n, seed=seed)
    return Pool.of(TASK, columns), {i: TASK.names[c] for i, c in zip(columns.ids, classes, strict=True)}


def toy_lab(
    recipe: Recipe, pool: Pool, gold: dict[str, str], budget: int, chat: Remembering | None = None, seed: int = 0
) -> Lab:
    """A lab with simulated people, the toy encoder and, where given, the toy LLM."""
    spec = RunSpec(recipe=recipe, task=TASK, data="toy", seed=seed, budget=budget)
    people = SimulatedPeople(gold, TASK.names, 0.0, 8.0, seed)
    sample = pool.columns.take(range(min(30, len(pool))))
    bench = Bench(TASK, seed=seed, chat=chat, embed=ENCODER, people=people, gold=gold, sample=sample)
    return Lab(spec, bench, Fence(frozenset()))


def toy_run(recipe: Recipe, n: int, budget: int, journal: MemoryJournal | None = None, seed: int = 0) -> Outcome:
    """A whole run over `n` toy sentences."""
    pool, gold = toy_pool(n)
    lab = toy_lab(recipe, pool, gold, budget, Remembering(), seed)
    return learn(lab.spec, pool, lab, journal or MemoryJournal())


def columns_of(*lines: str) -> Columns:
    return Columns([f"x{i}" for i in range(len(lines))], list(lines))
