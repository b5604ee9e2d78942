"""What a caller of a role hands in: texts, labelled texts, a random sample; as requests hold it and as columns."""

from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from agent.domain import Task
from agent.errors import BadInput
from agent.protocols import Columns
from prompts.messages import Frozen
from serving.runs.tables import MOST_CHARACTERS

LEAST_SAMPLE = 100
"""Random texts of the pool without which a stateless call calibrates nothing: fewer give no prior worth the name."""
MOST_SAMPLE = 1000
"""More change nothing that matters, and each is one more question to the LLM."""


def _written(text: str) -> str:
    if not text.strip():
        raise ValueError("an empty text says nothing: fill it, or leave the example out")
    return _whole(text)


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{text[error.start]!r} is half a character: encode the text as UTF-8 again") from error
    return text


Content = Annotated[str, AfterValidator(_written), Field(min_length=1, max_length=MOST_CHARACTERS)]
"""A text with something in it."""
Short = Annotated[str, AfterValidator(_whole), Field(max_length=200)]
"""A name."""


class Text(Frozen):
    """One example of a request."""

    id: Short = Field(default="", description="The caller's own id; the number of its row, from 1, where empty.")
    text: Content = Field(description="The text.")
    text_b: Content | None = Field(default=None, description="The second text, where examples are pairs.")


class LabelledText(Text):
    """An example whose label is known."""

    label: Short = Field(min_length=1, description="A label's name, as the task has it.")


class Demonstrated(LabelledText):
    """A labelled text that is shown to the LLM before it is asked."""

    reason: Annotated[str, AfterValidator(_whole)] = Field(
        default="", max_length=2000, description="Why it has this label, shown where a rationale is asked for."
    )


Sample = tuple[Text | Content, ...]
"""Random texts of the pool, each plain or as an example."""


def columns(texts: Sequence[Text]) -> Columns:
    """Raises BadInput where an id stands twice."""
    ids = [each.id or str(row) for row, each in enumerate(texts, 1)]
    distinct(ids)
    pairs = any(each.text_b is not None for each in texts)
    return Columns(ids, [each.text for each in texts], [each.text_b or "" for each in texts] if pairs else None)


def distinct(ids: Sequence[str]) -> None:
    """Raises BadInput where an id stands twice."""
    seen = dict[str, int]()
    for row, id_ in enumerate(ids, 1):
        if id_ in seen:
            raise BadInput(f"id {id_!r} stands in rows {seen[id_]} and {row}", "give every example an id of its own")
        seen[id_] = row


def sample_columns(sample: Sequence[Text | str]) -> Columns:
    """Raises BadInput for fewer texts than a prior needs."""
    texts = [Text(text=each) if isinstance(each, str) else each for each in sample]
    enough(len(texts))
    return columns([each.model_copy(update={"id": ""}) for each in texts])


def enough(found: int) -> None:
    """Raises BadInput for fewer texts than a prior needs."""
    if found < LEAST_SAMPLE:
        what = f"the sample holds {found} texts, and a calibration prior needs at least {LEAST_SAMPLE}"
        raise BadInput(what, "send more texts drawn at random from the pool, or none: probabilities are then raw only")


def known_labels(labels: Iterable[str], task: Task) -> None:
    """Raises BadInput for a label that the task does not have."""
    for label in labels:
        if label not in task.names:
            raise BadInput(f"{label[:60]!r} is no label of the task", f"use one of {', '.join(task.names)}")
