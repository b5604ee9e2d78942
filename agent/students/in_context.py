"""The LLM itself as student: nothing is trained, the labelled texts are shown to it before each question."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from agent.annotate.demonstrations import chosen, demonstration
from agent.annotate.llm import Llm
from agent.domain import Task
from agent.errors import BadInput, EngineError, ModelError
from agent.protocols import Bench, ChatModel, Columns, Demonstration, Embedder, Floats, Weighted
from agent.students.soft import usable
from prompts.messages import Frozen


class InContext(Frozen):
    """In-context learning (Brown et al., 2020) by label reads, with one set of demonstrations for all texts.

    The demonstrations are the surest labels, classes in turn, in random order; what a prompt can hold is all that it
    learns from, and soft targets count for the choice alone. Each text that it predicts is one question to the LLM.
    """

    kind: Literal["in-context"] = "in-context"
    shown: int = Field(default=16, ge=0)
    """Demonstrations at most."""
    reads: Llm = Llm()

    @property
    def name(self) -> str:
        return "in-context"

    def fit(self, labelled: Weighted, task: Task, bench: Bench, rng: np.random.Generator) -> "InContextStudent":
        """Reads the sample for the LLM's prior. Raises BadInput where nothing has a weight, or no LLM is there."""
        rows = usable(labelled, task)
        chat = _chat(bench)
        order = [int(r) for r in chosen(rows, self.shown, rng)]
        demonstrations = tuple(demonstration(rows, r, task) for r in order)
        prior = self.reads.prior(chat, replace(bench, task=task, prior=None, demonstrations=demonstrations))
        card = Card(labels=task.names, demonstrations=demonstrations, prior=None if prior is None else tuple(prior))
        return InContextStudent(task, self.reads, chat, bench.embed, card)

    def load(self, folder: Path, task: Task, bench: Bench | None = None) -> "InContextStudent":
        """Raises ModelError where the folder holds none, or one for other labels; BadInput without an LLM."""
        try:
            card = Card.model_validate_json((folder / "student.json").read_bytes())
        except (OSError, ValueError) as e:
            raise ModelError(f"{folder} holds no readable student", "train it again") from e
        if card.labels != task.names:
            raise ModelError(f"{folder} classifies {', '.join(card.labels)}", f"this task has {', '.join(task.names)}")
        bench = bench or Bench(task)
        return InContextStudent(task, self.reads, _chat(bench), bench.embed, card)


class Card(Frozen):
    """All that there is of such a student."""

    kind: Literal["in-context"] = "in-context"
    labels: tuple[str, ...]
    demonstrations: tuple[Demonstration, ...]
    prior: tuple[float, ...] | None = None
    """The LLM's mean label distribution over a sample of the pool, under these demonstrations."""


@dataclass(frozen=True)
class InContextStudent:
    task: Task
    reads: Llm
    chat: ChatModel
    encoder: Embedder | None
    card: Card

    def predict(self, texts: Columns) -> Floats:
        """One label read a text. Raises EngineError where one of them failed: a guess would look like an answer."""
        prior = None if self.card.prior is None else np.asarray(self.card.prior)
        bench = Bench(self.task, prior=prior, demonstrations=self.card.demonstrations)
        said = self.reads.read(texts, self.chat, bench)
        p = said.raw if said.calibrated is None else said.calibrated
        if failed := int(np.isnan(p).any(axis=1).sum()):
            what = f"{failed} of {len(p)} label reads of the student failed"
            raise EngineError(
                what, "check the LLM server (thresher engine status), then resume; answers so far are kept"
            )
        return p

    def embed(self, texts: Columns) -> Floats:
        """The encoder's vectors: an LLM behind a server has none to give."""
        if self.encoder is None:
            raise BadInput("the in-context student has no sentence encoder", "name one, such as all-MiniLM-L6-v2")
        return self.encoder.embed(texts)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "student.json").write_text(self.card.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _chat(bench: Bench) -> ChatModel:
    if bench.chat is None:
        raise BadInput("the in-context student asks an LLM, and none is there", "start one with: thresher engine up")
    return bench.chat
