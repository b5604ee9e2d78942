"""The nouns of the method. All are values: frozen, without undeclared fields, equal when their fields are equal."""

from typing import Annotated, Any, Literal, cast
from unicodedata import normalize

from pydantic import Field, field_validator, model_validator

from agent.exchange import Cost
from prompts.messages import Frozen

__all__ = [
    "Annotation",
    "Batch",
    "Candidate",
    "ClassAnswer",
    "Cost",
    "Example",
    "LabelCard",
    "Pick",
    "Round",
    "Status",
    "Stop",
    "Task",
    "Verdict",
]

Status = Literal["unlabelled", "pending", "labelled", "abstained", "audit", "discarded"]
"""Where an example stands. `audit` is labelled by a person and never trained on."""

STATUSES: tuple[Status, ...] = ("unlabelled", "pending", "labelled", "abstained", "audit", "discarded")

Provenance = Literal["machine", "human", "confirmed"]
"""Who stands behind a label; `confirmed`: a person agreed with the machine's."""


class LabelCard(Frozen):
    """One label of a task, as people and the LLM see it."""

    name: str = Field(min_length=1)
    word: str = ""
    """The word the LLM answers with; the name where empty."""
    description: str = ""
    examples: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _fill_word(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        card = cast("dict[str, Any]", given)
        return card if card.get("word") else {**card, "word": card.get("name", "")}


class Task(Frozen):
    """What is to be decided about each text. At least two labels, with distinct names and distinct words."""

    kind: Literal["classification"] = "classification"
    name: str = Field(min_length=1)
    labels: tuple[LabelCard, ...]
    guidelines: str = ""
    item: str = "text"
    """What one example is called in prompts and on pages, for instance `film review sentence`."""
    language: str = "en"

    @field_validator("labels")
    @classmethod
    def _distinct(cls, labels: tuple[LabelCard, ...]) -> tuple[LabelCard, ...]:
        if len(labels) < 2:
            raise ValueError(f"a task needs at least two labels, found {len(labels)}")
        for what, given in (("name", [c.name for c in labels]), ("word", [c.word for c in labels])):
            folded = [" ".join(normalize("NFKC", value).casefold().split()) for value in given]
            if "" in folded:
                raise ValueError(f"a label has the blank {what} {given[folded.index('')]!r}")
            twice = [value for value, plain in zip(given, folded, strict=True) if folded.count(plain) > 1]
            if twice:
                raise ValueError(f"two labels have the same {what} {' and '.join(map(repr, dict.fromkeys(twice)))}")
        return labels

    @property
    def names(self) -> tuple[str, ...]:
        """Label names in the order of the task; class index i of every array means `names[i]`."""
        return tuple(card.name for card in self.labels)

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(card.word for card in self.labels)


class Example(Frozen):
    """One text, or a pair of texts, to be labelled."""

    id: str = Field(min_length=1)
    text: str
    text_b: str | None = None
    meta: dict[str, str] = {}
    origin: Literal["pool", "generated"] = "pool"
    parents: tuple[str, ...] = ()
    """Ids of the examples that a generated one was written from."""


class Pick(Frozen):
    """One example that was chosen, and how."""

    example: Example
    score: float | None = None
    why: str = ""
    shown: int | None = Field(default=None, ge=0)
    """Position in the list that the LLM was shown, from 0."""
    listed: int | None = Field(default=None, ge=1)
    """Length of that list."""
    listing: int | None = Field(default=None, ge=0)
    """Which of the batch's lists that was, from 0."""
    filled: bool = False
    """True where the declared fallback chose it because the LLM did not."""


class Candidate(Frozen):
    """A generated example with the label it was written for, before the filters saw it."""

    example: Example
    label: str
    gap: str = ""
    """Which weakness of the student it was written for."""
    by: str = ""


class Verdict(Frozen):
    """What one filter said about one candidate."""

    candidate: str
    filter: str
    accepted: bool
    reason: str = ""
    numbers: dict[str, float] = {}


class Batch(Frozen):
    """Picks in order, and who chose them."""

    picks: tuple[Pick, ...]
    by: str
    cost: Cost = Cost()
    notes: dict[str, float] = {}
    """Counts worth keeping, such as refused replies or unknown ids."""
    candidates: tuple[Candidate, ...] = ()
    """Everything that a generator wrote, accepted or not."""
    verdicts: tuple[Verdict, ...] = ()
    asked: tuple[str, ...] = ()
    """Digests of the LLM requests that choosing it was the first of its run to make."""
    capped: str = ""
    """The cap that left no room for choosing; empty where there was."""
    struck: tuple[Pick, ...] = ()
    """Picks that an expert took out before anybody labelled them, with his reason as `why`."""

    @property
    def generated(self) -> tuple[Example, ...]:
        """Examples that are new to the pool."""
        return tuple(pick.example for pick in self.picks if pick.example.origin == "generated")

    @property
    def examples(self) -> tuple[Example, ...]:
        return tuple(pick.example for pick in self.picks)


class ClassAnswer(Frozen):
    """An answer to a classification task. `label` is None where the annotator abstained."""

    kind: Literal["class"] = "class"
    label: str | None
    raw: dict[str, float] | None = None
    """Probabilities by label name as read from the LLM; sum to 1."""
    calibrated: dict[str, float] | None = None
    """The same after calibration; None where no prior is known."""
    label_mass: float | None = None
    """Probability that the LLM wanted to give to any label at all, 0 to 1."""


Answer = Annotated[ClassAnswer, Field()]
"""The union over task kinds; so far it has one member."""


class Annotation(Frozen):
    """One label event. Events are only ever appended; a later one for the same example supersedes by naming it."""

    id: str
    example: str
    answer: Answer
    confidence: float | None = Field(default=None, ge=0.0, le=1.0)
    by: str
    """`human:NAME`, `llm:MODEL@PROMPT#HASH` or `student:RUN`."""
    provenance: Provenance
    use: Literal["train", "audit", "discard"] = "train"
    """`discard`: the text is none for this task, and leaves the pool."""
    why: str = ""
    cost: Cost = Cost()
    supersedes: str | None = None


class Round(Frozen):
    """What one pass of the loop came to."""

    index: int = Field(ge=0)
    sizes: dict[str, int]
    """Number of examples by status, over pool and generated examples."""
    human_labels: int = 0
    """People's labels so far, wherever they were used: training, audit, calibration, validation."""
    machine_labels: int = 0
    measures: dict[str, float] = {}
    cost: Cost = Cost()
    """Spent in this round."""
    picked: int = 0
    struck: int = 0
    """Picks that an expert took out; `picked` does not count them."""
    filled: int = 0
    accepted: int = 0
    """Generated texts that joined the pool."""
    capped: str = ""
    """The cap that ended the round early; what the round had begun is not in it."""
    rejected: int = 0
    """Generated texts that a filter turned down. Those that passed, but were more than wanted, count in neither."""


class Stop(Frozen):
    """Why a run ended."""

    rule: str
    reason: str
    numbers: dict[str, float] = {}
