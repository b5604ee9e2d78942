"""The generator without a run: texts for gaps or labels that the caller names, and what the filters say of them."""

from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from agent.domain import Candidate, Example, Task, Verdict
from agent.errors import BadInput
from agent.generate import Confirm, Duplicate, FilterSpec, Generate, Length, NearFence
from agent.generate.filters import digest, sift
from agent.protocols import Columns, Embedder, Fence, Gap, Labelled, Query
from agent.seeds import generator
from prompts.messages import Frozen
from serving.roles.fingerprints import fingerprints
from serving.roles.given import (
    LEAST_SAMPLE,
    MOST_SAMPLE,
    Content,
    Sample,
    Short,
    Text,
    columns,
    enough,
    known_labels,
    sample_columns,
)
from serving.roles.means import MOST_EMBEDDED, Counted, Means, Usage, prompt_for

MOST_TEXTS = 1000
"""Of one request."""
FILTERS: tuple[FilterSpec, ...] = (Length(), Duplicate(), NearFence(), Confirm())


Name = Annotated[Short, Field(min_length=1)]


class Place(Frozen):
    """What is missing: a label, and what kind of text."""

    label: Name = Field(description="A label's name.")
    description: Short = Field(default="", description="The kind of text, in a few words; any kind where empty.")
    examples: tuple[Content, ...] = Field(default=(), max_length=64, description="Texts of this kind; four are shown.")


class GenerateHead(Frozen):
    """What to write, and what it must pass."""

    task: Task
    n: int = Field(ge=1, le=MOST_TEXTS, description="How many texts the LLM is asked for, over all gaps in turn.")
    gaps: tuple[Place, ...] = Field(default=(), max_length=100, description="Places to write for.")
    labels: tuple[Name, ...] = Field(default=(), max_length=100, description="Instead: labels to write for.")
    prompt: str = Field(
        default="",
        description="Id of a generation prompt. Where empty: `generate/one` if every gap has examples to imitate, else "
        "`generate/gap`, which also works without.",
    )
    slots: dict[str, str] = Field(default={}, description="Fillings of its slots.")
    temperature: float = Field(default=1.0, ge=0.0, le=2.0)
    filters: tuple[FilterSpec, ...] = Field(default=FILTERS, max_length=16, description="In the order they are asked.")
    similarity: bool = Field(
        default=False, description="Also compare sentence embeddings with known and fenced texts; needs the encoder."
    )
    fence: tuple[Content, ...] = Field(default=(), description="Test texts that nothing written may come near.")
    sample: Sample | None = Field(
        default=None,
        max_length=MOST_SAMPLE,
        description=f"At least {LEAST_SAMPLE} random texts of the pool, to calibrate the read that confirms a label.",
    )
    sample_of: str = Field(default="", description="Instead: id of a stored data set to draw such a sample from.")
    seed: int = Field(default=0, ge=0, description="Of which examples each request shows.")

    @model_validator(mode="after")
    def _consistent(self) -> "GenerateHead":
        if bool(self.gaps) == bool(self.labels):
            raise ValueError("give either `gaps` or `labels` to write for")
        if self.sample is not None and self.sample_of:
            raise ValueError("give either `sample` or `sample_of`")
        return self


class GenerateRequest(GenerateHead):
    """A generation with the texts that are there already."""

    examples: tuple[Text, ...] = Field(default=(), description="Known texts: what repeats one of them is rejected.")


class Written(Frozen):
    """One text that the LLM wrote."""

    id: str
    text: str
    label: str = Field(description="The label that it was written for.")
    gap: str = Field(description="The kind of text that was asked for.")
    accepted: bool
    filter: str = Field(default="", description="The filter that rejected it.")
    reason: str = Field(default="", description="What that filter says.")


class Generated(Frozen):
    """What came of a generation."""

    accepted: tuple[Written, ...]
    rejected: tuple[Written, ...]
    refused: int = Field(description="Requests whose reply held no whole text.")
    by: str
    prompts: tuple[str, ...] = Field(description="Fingerprints `id@version#hash` of generator and filters.")
    usage: Usage


def generate(head: GenerateHead, known: Columns, means: Means) -> Generated:
    """Writes and filters.

    Raises:
        BadInput: a prompt, slot, label or data set that there is not, or a sample that is too small.
        EngineError: more than a fifth of the requests failed.
    """
    writer, places = _writer(head), _places(head)
    prompts = tuple(sorted(fingerprints(writer)))
    embed = _embedder(head, known, means)
    sample = _sample(head, means)
    chat = Counted(means.chat())
    ask = Query(
        task=head.task,
        size=head.n,
        candidates=known,
        machine=np.full((len(known), len(head.task.names)), np.nan),
        labelled=_nothing(head.task),
        rng=generator(head.seed, "generate"),
        chat=chat,
        embed=embed,
        fence=_fence(head, embed),
        sample=sample,
    )
    candidates, notes = writer.write(places, ask)
    _, verdicts = sift(candidates, writer.filters, ask)
    written = [_written(candidate, verdicts) for candidate in candidates]
    return Generated(
        accepted=tuple(each for each in written if each.accepted),
        rejected=tuple(each for each in written if not each.accepted),
        refused=int(notes["unwritten"]),
        by=f"llm:{chat.name}@{next(p for p in prompts if p.startswith(f'{writer.prompt}@'))}",
        prompts=prompts,
        usage=chat.usage(),
    )


def _writer(head: GenerateHead) -> Generate:
    shown = bool(head.gaps) and all(place.examples for place in head.gaps)
    prompt = prompt_for(head.prompt or ("generate/one" if shown else "generate/gap"), "generate", ("items",))
    for each in head.filters:
        if isinstance(each, Confirm):
            prompt_for(each.reader.prompt, "confirm", ("label",))
    return Generate(
        prompt=prompt.id, slots=head.slots, asks=1, each=1, temperature=head.temperature, filters=head.filters
    )


def _places(head: GenerateHead) -> list[Gap]:
    """One for each text that is asked for: the gaps in turn."""
    given = head.gaps or tuple(Place(label=label) for label in head.labels)
    known_labels((place.label for place in given), head.task)
    gaps = [Gap(place.label, place.description, _shown(place), 1.0) for place in given]
    return [gaps[i % len(gaps)] for i in range(head.n)]


def _shown(place: Place) -> tuple[Example, ...]:
    return tuple(Example(id=str(row), text=text) for row, text in enumerate(place.examples, 1))


def _embedder(head: GenerateHead, known: Columns, means: Means) -> Embedder | None:
    if not head.similarity:
        return None
    texts = len(known) + len(head.fence) + head.n
    if texts > MOST_EMBEDDED:
        what = f"{texts:,} texts would have to be encoded, and one request may have {MOST_EMBEDDED:,}"
        raise BadInput(what, "send fewer known texts, or leave `similarity` out")
    return means.embedder()


def _fence(head: GenerateHead, embed: Embedder | None) -> Fence | None:
    if not head.fence:
        return None
    texts = columns([Text(text=text) for text in head.fence])
    near = embed.embed(texts) if embed is not None else None
    return Fence(frozenset(digest(text) for text in texts.texts), near)


def _sample(head: GenerateHead, means: Means) -> Columns | None:
    if head.sample_of:
        found = means.sample(head.sample_of)
        enough(len(found))
        return found
    return None if head.sample is None else sample_columns(head.sample)


def _nothing(task: Task) -> Labelled:
    none, rows = np.zeros((0, len(task.names))), np.zeros(0, np.bool_)
    return Labelled(Columns([], []), none, rows, rows, none)


def _written(candidate: Candidate, verdicts: tuple[Verdict, ...]) -> Written:
    against = next((v for v in verdicts if v.candidate == candidate.example.id and not v.accepted), None)
    return Written(
        id=candidate.example.id,
        text=candidate.example.text,
        label=candidate.label,
        gap=candidate.gap,
        accepted=against is None,
        filter=against.filter if against else "",
        reason=against.reason if against else "",
    )
