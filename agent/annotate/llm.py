"""Labels from the LLM: the label words read as probabilities at the first token, then calibrated."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from pydantic import Field

from agent.annotate import calibrate
from agent.annotate.demonstrations import of_people
from agent.ask import demand_answers
from agent.domain import Annotation, Batch, ClassAnswer, Example
from agent.errors import BadInput, EngineError
from agent.exchange import ChatFailure, ChatReply
from agent.protocols import Bench, ChatModel, Columns, Floats
from agent.seeds import generator
from agent.wording import label_request
from prompts.messages import Frozen
from prompts.template import load

LEAST_MEAN_MASS = 0.05
"""Below this mean label mass the model does not answer the question that was asked. Fewer than
`calibrate.LEAST_SAMPLE` texts do not show that: each of them is an abstention then."""

MOST_SHOTS = 32
"""More texts than that beside each question fill the window of a small LLM before they teach it anything."""


class Llm(Frozen):
    """Label reads by the LLM. With `calibration="batch"` its prior is taken from the bench's random sample."""

    kind: Literal["llm"] = "llm"
    prompt: str = "annotate/label"
    slots: dict[str, str] = {}
    calibration: Literal["none", "batch"] = "batch"
    strength: float = Field(default=1.0, ge=0.0, le=1.0)
    least_mass: float = Field(default=0.01, ge=0.0, le=1.0)
    """Below this label mass the annotator abstains."""
    shots: int = Field(default=0, ge=0, le=MOST_SHOTS)
    """Texts that people labelled before this round, shown with each question (Brown et al., 2020): at most so many.
    Labels name their number, after the prompt's fingerprint."""

    def annotate(self, batch: Batch, bench: Bench) -> tuple[Annotation, ...]:
        chat = bench.chat
        if chat is None:
            raise BadInput("this recipe asks an LLM, and none is there", "start one with: thresher engine up")
        if self.shots and bench.labelled is not None:
            rng = generator(bench.seed, "demonstrations")
            bench = replace(bench, demonstrations=of_people(bench.labelled, bench.task, self.shots, rng))
        texts = Columns(*_columns(batch.examples))
        readings = self.read(texts, chat, bench)
        shown = f"+{len(bench.demonstrations)}" if bench.demonstrations else ""
        by = f"llm:{chat.name}@{load(self.prompt).fingerprint(self.slots)}{shown}"
        return tuple(_annotation(e, readings, i, bench, by, self.least_mass) for i, e in enumerate(batch.examples))

    def read(self, texts: Columns, chat: ChatModel, bench: Bench, *, strict: bool = True) -> "Readings":
        """Reads all texts, and before them the sample that the prior comes from, in one batch.

        Args:
            strict: False where a model that says none of the label words is a finding; else it is an EngineError.
        """
        sample = self._sample(bench)
        requests = [
            label_request(self.prompt, self.slots, bench.task, c, i, bench.demonstrations)
            for c in (sample, texts)
            for i in range(len(c))
        ]
        replies = chat.complete(requests)
        demand_answers(replies, "label reads failed")
        if strict:
            _check(replies)
        raw = (
            np.stack([_row(r, bench.task.words) for r in replies]) if replies else np.zeros((0, len(bench.task.words)))
        )
        prior = bench.prior if self.calibration == "batch" else None
        prior = _mean(raw[: len(sample)]) if prior is None else prior
        own = raw[len(sample) :]
        even = None if prior is None else calibrate.calibrated(own, prior, self.strength)
        return Readings(own, even, tuple(replies[len(sample) :]))

    def probabilities(self, texts: Columns, chat: ChatModel, bench: Bench) -> Floats:
        """(n, classes): what it gives each label, calibrated where a prior is known, and no label comes of it.

        A row of nan where it gave no answer, or label words less than `least_mass`.
        """
        said = self.read(texts, chat, bench)
        rows = said.raw if said.calibrated is None else said.calibrated
        masses = np.asarray([_mass(reply) for reply in said.replies])
        return np.where(masses[:, None] >= self.least_mass, rows, np.nan)

    def prior(self, chat: ChatModel, bench: Bench) -> Floats | None:
        """(classes,): the LLM's mean label distribution over the bench's sample; None where that is too small.

        A bench that carries it (`Bench.prior`) has the sample read once for any number of batches.
        """
        sample = self._sample(bench)
        return _mean(self.read(sample, chat, replace(bench, sample=None)).raw) if len(sample) else None

    def _sample(self, bench: Bench) -> Columns:
        wanted = self.calibration == "batch" and bench.prior is None
        return bench.sample if wanted and bench.sample is not None else Columns([], [])


@dataclass(frozen=True)
class Readings:
    """What the LLM said of n texts."""

    raw: Floats
    """(n, classes), a row of nan where the request failed."""
    calibrated: Floats | None
    """(n, classes); None where no prior is known."""
    replies: tuple[ChatReply | ChatFailure, ...]


def _columns(examples: Sequence[Example]) -> tuple[list[str], list[str], list[str] | None]:
    pairs = any(e.text_b is not None for e in examples)
    return [e.id for e in examples], [e.text for e in examples], [e.text_b or "" for e in examples] if pairs else None


def _mean(readings: Floats) -> Floats | None:
    return calibrate.prior(readings[~np.isnan(readings).any(axis=1)])


def _row(reply: ChatReply | ChatFailure, words: Sequence[str]) -> Floats:
    if isinstance(reply, ChatFailure) or reply.reading is None:
        return np.full(len(words), np.nan)
    return np.asarray([reply.reading.probabilities[word] for word in words])


def _mass(reply: ChatReply | ChatFailure) -> float:
    """Probability that it gave to label words; nan without an answer."""
    return np.nan if isinstance(reply, ChatFailure) or reply.reading is None else reply.reading.label_mass


def _check(replies: Sequence[ChatReply | ChatFailure]) -> None:
    """A model that does not answer the question is one that cannot be used, and says so instead of labelling on."""
    masses = [r.reading.label_mass for r in replies if isinstance(r, ChatReply) and r.reading is not None]
    if len(masses) >= calibrate.LEAST_SAMPLE and (mean := float(np.mean(masses))) < LEAST_MEAN_MASS:
        raise EngineError(
            f"the model gave label words {mean:.1%} of its probability on average, wanted {LEAST_MEAN_MASS:.0%}",
            "use an instruct model, or label words that it would say (`word` in the task file)",
        )


def _annotation(e: Example, said: Readings, i: int, bench: Bench, by: str, least_mass: float) -> Annotation:
    reply, names = said.replies[i], bench.task.names
    identity = f"{bench.round}/llm/{e.id}"
    if isinstance(reply, ChatFailure) or reply.reading is None:
        why = reply.message if isinstance(reply, ChatFailure) else "the reply held no probabilities"
        return Annotation(
            id=identity, example=e.id, answer=ClassAnswer(label=None), by=by, provenance="machine", why=why
        )
    row = said.raw[i] if said.calibrated is None else said.calibrated[i]
    mass = reply.reading.label_mass
    label = names[int(np.argmax(row))] if mass >= least_mass else None
    answer = ClassAnswer(
        label=label,
        raw=calibrate.by_name(names, said.raw[i]),
        calibrated=None if said.calibrated is None else calibrate.by_name(names, said.calibrated[i]),
        label_mass=mass,
    )
    why = "" if label else f"label mass {mass:.3f} is below {least_mass}"
    return Annotation(
        id=identity,
        example=e.id,
        answer=answer,
        confidence=float(row.max()),
        by=by,
        provenance="machine",
        why=why,
        cost=reply.cost,
    )
