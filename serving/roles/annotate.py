"""The annotator without a run: label reads of texts as they come, with a prior only where a random sample is known."""

from dataclasses import dataclass

from pydantic import Field, model_validator

from agent.annotate import Llm
from agent.annotate.explain import SLOT, explain
from agent.domain import Annotation, Batch, Pick, Task
from agent.errors import BadInput
from agent.protocols import Bench, Columns, Demonstration
from prompts.messages import Frozen
from serving.roles.fingerprints import fingerprints
from serving.roles.given import (
    LEAST_SAMPLE,
    MOST_SAMPLE,
    Demonstrated,
    Sample,
    Short,
    Text,
    enough,
    known_labels,
    sample_columns,
)
from serving.roles.means import Counted, Means, Usage, prompt_for

MOST_AT_ONCE = 1000
"""Examples of one JSON body; larger sets come line by line."""
BATCH = 64
"""Texts whose answers are waited for together, where they come line by line."""


class AnnotateHead(Frozen):
    """What is to be decided, and how the LLM is asked."""

    task: Task = Field(description="Labels and guidelines.")
    prompt: str = Field(default="annotate/label", description="Id of a label prompt.")
    slots: dict[str, str] = Field(default={}, description="Fillings of its slots. `rationale` is a field of its own.")
    demonstrations: tuple[Demonstrated, ...] = Field(default=(), max_length=64, description="Labelled texts to show.")
    rationale: bool = Field(default=False, description="Also ask for a reason: a second request for each text.")
    sample: Sample | None = Field(
        default=None,
        max_length=MOST_SAMPLE,
        description=f"At least {LEAST_SAMPLE} texts drawn at random from the pool: what the LLM says of them "
        "calibrates its probabilities. Without any sample, `calibrated` is null.",
    )
    sample_of: str = Field(default="", description="Instead: id of a stored data set to draw such a sample from.")
    least_mass: float = Field(default=0.01, ge=0.0, le=1.0, description="Label mass under which there is no label.")

    @model_validator(mode="after")
    def _consistent(self) -> "AnnotateHead":
        if self.sample is not None and self.sample_of:
            raise ValueError("give either `sample` or `sample_of`")
        if "rationale" in self.slots:
            raise ValueError("a label read has no room for a reason: say `rationale: true` instead of filling the slot")
        return self


class AnnotateRequest(AnnotateHead):
    """Texts to label, all in one body."""

    examples: tuple[Text, ...] = Field(
        min_length=1, max_length=MOST_AT_ONCE, description=f"At most {MOST_AT_ONCE}; send more as NDJSON."
    )


class Reason(Frozen):
    """The LLM's own words, asked for after the label was read."""

    text: str = Field(description="Empty where the reply could not be read.")
    label: str | None = Field(
        description="The label that the reason ends in; it may differ from the one that was read."
    )
    why: str = Field(default="", description="Why there is no reason.")


class Annotated(Frozen):
    """What the LLM said of one text."""

    id: Short
    label: str | None = Field(description="Null where it abstained, or the request failed.")
    confidence: float | None = Field(description="Of the likeliest label, calibrated where that is known.")
    raw: dict[str, float] | None = Field(description="Probabilities by label as read; sum to 1. Null where it failed.")
    calibrated: dict[str, float] | None = Field(description="After batch calibration; null without a random sample.")
    label_mass: float | None = Field(description="Probability that the LLM gave to any label word at all.")
    why: str = Field(default="", description="Why there is no label.")
    failed: bool = Field(default=False, description="True where the request failed, and asking again may help.")
    rationale: Reason | None = Field(default=None, description="Null where none was asked for.")


class AnnotatedAll(Frozen):
    """What came of a JSON body."""

    annotations: tuple[Annotated, ...] = Field(description="In the order of the examples.")
    by: str
    calibration: str = Field(description="Where the prior comes from, or why there is none.")
    prompts: tuple[str, ...] = Field(description="Fingerprints `id@version#hash`: label read, then rationale.")
    usage: Usage


@dataclass(frozen=True)
class Annotating:
    """An annotator that is ready: checked, and its prior read."""

    head: AnnotateHead
    annotator: Llm
    bench: Bench
    chat: Counted
    calibration: str
    prompts: tuple[str, ...]

    @property
    def by(self) -> str:
        return f"llm:{self.chat.name}@{self.prompts[0]}"

    def batch(self, texts: Columns) -> tuple[Annotated, ...]:
        """One answer a text, in order.

        Raises:
            EngineError: more than a fifth of the requests failed.
        """
        picks = tuple(Pick(example=texts.example(row)) for row in range(len(texts)))
        labels = self.annotator.annotate(Batch(picks=picks, by="request"), self.bench)
        reasons = self._reasons(texts) if self.head.rationale else [None] * len(labels)
        return tuple(_annotated(label, reason) for label, reason in zip(labels, reasons, strict=True))

    def _reasons(self, texts: Columns) -> list[Reason | None]:
        names = dict(zip(self.head.task.words, self.head.task.names, strict=True))
        said = explain(texts, self.chat, self.bench, self.head.prompt, self.head.slots)
        return [
            Reason(text="", label=None, why=answer.reason)
            if answer.value is None
            else Reason(text=answer.value.reason, label=names[answer.value.label])
            for answer in said
        ]


def prepare(head: AnnotateHead, means: Means) -> Annotating:
    """Checks the request, and reads the prior where a sample is known.

    Raises:
        BadInput: a prompt, slot, label or data set that there is not, or a sample that is too small.
        EngineError: the LLM does not answer.
    """
    _fitting(head)
    annotator = Llm(prompt=head.prompt, slots=head.slots, least_mass=head.least_mass)
    prompts = tuple(fingerprints(annotator))
    if head.rationale:
        prompts += tuple(fingerprints(annotator.model_copy(update={"slots": {**head.slots, **SLOT}})))
    sample, calibration = _sample(head, means)
    chat = Counted(means.chat())
    shown = tuple(Demonstration(each.text, each.label, each.text_b or "", each.reason) for each in head.demonstrations)
    bench = Bench(head.task, chat=chat, sample=sample, demonstrations=shown)
    prior = annotator.prior(chat, bench)
    if sample is not None and prior is None:
        calibration = "none: the LLM answered too few texts of the sample"
    ready = Bench(head.task, chat=chat, prior=prior, demonstrations=shown)
    return Annotating(head, annotator, ready, chat, calibration, prompts)


def annotate(request: AnnotateHead, texts: Columns, means: Means) -> AnnotatedAll:
    """All texts at once."""
    ready = prepare(request, means)
    return AnnotatedAll(
        annotations=ready.batch(texts),
        by=ready.by,
        calibration=ready.calibration,
        prompts=ready.prompts,
        usage=ready.chat.usage(),
    )


def _fitting(head: AnnotateHead) -> None:
    known = prompt_for(head.prompt, "annotate", ("label",))
    known_labels((each.label for each in head.demonstrations), head.task)
    if head.demonstrations and "demonstrations" not in known.variables:
        raise BadInput(f"the prompt {head.prompt!r} shows no demonstrations", "take annotate/label, or leave them out")
    if head.rationale and "rationale" not in known.slots:
        raise BadInput(f"the prompt {head.prompt!r} has no place for a reason", "take annotate/label, or ask for none")


def _sample(head: AnnotateHead, means: Means) -> tuple[Columns | None, str]:
    if head.sample_of:
        found = means.sample(head.sample_of)
        enough(len(found))
        return found, f"batch: {len(found)} random texts of the data set {head.sample_of}"
    if head.sample is not None:
        return sample_columns(head.sample), f"batch: {len(head.sample)} texts of the request's sample"
    return (
        None,
        f"none: no random sample of the pool is known; give {LEAST_SAMPLE} texts of it or more (`sample`, `sample_of`)",
    )


def _annotated(label: Annotation, reason: Reason | None) -> Annotated:
    answer = label.answer
    return Annotated(
        id=label.example,
        label=answer.label,
        confidence=label.confidence,
        raw=answer.raw,
        calibrated=answer.calibrated,
        label_mass=answer.label_mass,
        why=label.why,
        failed=answer.raw is None,
        rationale=reason,
    )
