"""Small, made-up surroundings for strategies and students: an encoder, a student and an LLM that cost nothing."""

import hashlib
import itertools
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from agent.domain import LabelCard, Task
from agent.exchange import ChatRequest
from agent.protocols import Columns, Floats, Labelled, Need, Query
from agent.scripted import Scripted, ScriptedChat

EVERYTHING: tuple[Need, ...] = get_args(Need)

TASK = Task(
    name="weather",
    labels=(
        LabelCard(name="sunny", word="positive", description="Praises the weather."),
        LabelCard(name="rainy", word="negative", description="Complains about the weather."),
    ),
    guidelines="Decide how the writer finds the weather.",
    item="weather report",
)

_WARM = ["sun", "bright", "warm", "lovely", "golden", "clear", "mild", "glow"]
_WET = ["rain", "dull", "cold", "dreadful", "grey", "soaked", "storm", "mud"]
_OTHER = [
    "today",
    "over",
    "the",
    "hills",
    "near",
    "our",
    "old",
    "village",
    "along",
    "river",
    "road",
    "morning",
    "evening",
    "north",
    "market",
]


def texts(n: int, *, seed: int = 0, pairs: bool = False) -> tuple[Columns, np.ndarray]:
    """`n` distinct toy sentences and their classes (0 is sunny), in random order."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 2, n)
    lines = [_line(rng, _WET if c else _WARM, i) for i, c in enumerate(classes)]
    seconds = [_line(rng, _OTHER, i) for i in range(n)] if pairs else None
    return Columns([f"t{seed}-{i}" for i in range(n)], lines, seconds), classes


def _line(rng: np.random.Generator, words: list[str], i: int) -> str:
    picked = [*rng.choice(words, 3), *rng.choice(_OTHER, int(rng.integers(1, 5)))]
    return " ".join([str(w) for w in rng.permutation(picked)] + [f"no{i}"])


class ToyEncoder:
    """Sums one fixed random vector a word; rows of unit length."""

    name = "toy"

    def embed(self, texts: Columns) -> Floats:
        out = np.zeros((len(texts), 64))
        for i, text in enumerate(texts.texts):
            b = "" if texts.texts_b is None else texts.texts_b[i]
            for word in f"{text} {b}".split():
                seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
                out[i] += np.random.default_rng(seed).normal(size=64)
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)


@dataclass(frozen=True)
class PlainStudent:
    """Knows the toy words, and is sure of nothing."""

    def predict(self, texts: Columns) -> Floats:
        warm = np.asarray([sum(w in _WARM for w in t.split()) - sum(w in _WET for w in t.split()) for t in texts.texts])
        noise = np.asarray([len(t) % 7 for t in texts.texts]) / 10
        p = 1 / (1 + np.exp(-(warm + noise) / 4))
        return np.stack([p, 1 - p], axis=1)

    def embed(self, texts: Columns) -> Floats:
        return ToyEncoder().embed(texts)

    def save(self, folder: Path) -> None:
        raise AssertionError(f"no test keeps a toy student in {folder}")


@dataclass(frozen=True)
class ToyStudent(PlainStudent):
    """One that can be sampled."""

    def samples(self, texts: Columns, m: int, seed: int = 0) -> Floats:
        sure = np.random.default_rng(seed).uniform(0, 1, (m, 1, 1))
        return sure * self.predict(texts) + (1 - sure) / 2


def toy_answer(request: ChatRequest) -> Scripted:
    """Chooses from the end of a list, reads labels by their words, and writes toy sentences."""
    said = request.messages[-1].content
    if request.read:
        shares = np.linspace(2, 1, len(request.read))
        return {word: float(s) for word, s in zip(request.read, shares / shares.sum(), strict=True)}
    shown = re.findall(r"^\[(\w+)\]", said, re.MULTILINE)
    if shown:
        return "Selected: " + ", ".join(reversed(shown[-8:]))
    return "\n".join(f"{i + 1}. the old market was {word} and full of people" for i, word in enumerate(_WARM[:5]))


def toy_neighbours(request: ChatRequest) -> Scripted:
    """Reads a label by the words that a text shares with the demonstrations before it."""
    said = [message.content for message in request.messages]
    asked, share = set(said[-1].split()), dict.fromkeys(request.read, 0.01)
    for shown, answer in itertools.pairwise(said[:-1]):
        if answer in share:
            share[answer] += len(asked & set(shown.split()) & {*_WARM, *_WET}) ** 2
    return {word: 0.9 * value / sum(share.values()) for word, value in share.items()}


def frozen(array: np.ndarray) -> np.ndarray:
    """An array that raises where anybody writes into it."""
    array.flags.writeable = False
    return array


def question(
    n: int = 60,
    size: int = 6,
    *,
    seed: int = 0,
    having: Collection[Need] = EVERYTHING,
    labelled: int = 6,
    pairs: bool = False,
) -> Query:
    """A question over toy sentences. What `having` does not name is not there. All arrays are read-only."""
    labelled = labelled if "labelled" in having else 0
    columns, classes = texts(n, seed=1, pairs=pairs)
    known, known_classes = texts(labelled, seed=2, pairs=pairs)
    machine = np.full((n, 2), np.nan)
    if "machine" in having:
        machine = np.where(np.arange(n)[:, None] % 3 == 0, np.nan, np.eye(2)[classes] * 0.8 + 0.1)
    return Query(
        task=TASK,
        size=size,
        candidates=columns,
        machine=frozen(machine),
        labelled=Labelled(
            known,
            frozen(np.eye(2)[known_classes]),
            frozen(np.ones(labelled, dtype=np.bool_)),
            frozen(np.zeros(labelled, dtype=np.bool_)),
            frozen(np.full((labelled, 2), np.nan)),
        ),
        rng=np.random.default_rng(seed),
        student=(ToyStudent() if "samples" in having else PlainStudent()) if "student" in having else None,
        chat=ScriptedChat(toy_answer) if "chat" in having else None,
        embed=ToyEncoder() if "embeddings" in having else None,
    )
