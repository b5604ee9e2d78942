"""The protocols of the method: one verb each, no base classes. What they hand each other stands beside them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from agent.domain import Annotation, Batch, Candidate, Example, Pick, Round, Stop, Task, Verdict
from agent.exchange import ChatFailure, ChatReply, ChatRequest

T = TypeVar("T")
Floats = NDArray[np.floating[Any]]
Rows = NDArray[np.intp]
Need = Literal["student", "samples", "chat", "embeddings", "labelled", "machine"]
"""What a strategy cannot work without. `samples`: a student that is a `Sampler`; `labelled`: texts that bear a label;
`machine`: what the LLM says of some candidates."""


@dataclass(frozen=True)
class Columns:
    """Texts as columns, so that a million of them need no objects. `texts_b` is None for single texts."""

    ids: Sequence[str]
    texts: Sequence[str]
    texts_b: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Rows | Sequence[int]) -> "Columns":
        wanted = rows.tolist() if isinstance(rows, np.ndarray) else rows  # NumPy's integers are slow to index with
        a, b, c = self.ids, self.texts, self.texts_b
        return Columns([a[i] for i in wanted], [b[i] for i in wanted], None if c is None else [c[i] for i in wanted])

    def example(self, row: int) -> Example:
        b = None if self.texts_b is None else self.texts_b[row]
        return Example(id=self.ids[row], text=self.texts[row], text_b=b)


@dataclass(frozen=True)
class Labelled:
    """L as a strategy or a cleaner may see it: the label that stands for each example, and where it came from."""

    columns: Columns
    targets: Floats
    """(n, classes): one-hot for people's labels, the LLM's calibrated probabilities for its own. Rows sum to 1."""
    human: NDArray[np.bool_]
    """(n,): True where a person stands behind the label."""
    generated: NDArray[np.bool_]
    """(n,): True where the LLM wrote the text."""
    machine: Floats
    """(n, classes): the LLM's calibrated probabilities, also where a person answered since; nan where it never did."""

    def __len__(self) -> int:
        return len(self.columns)


@dataclass(frozen=True)
class Weighted:
    """What a learner is fitted on."""

    columns: Columns
    targets: Floats
    """(n, classes), rows sum to 1."""
    weights: Floats
    """(n,), each at least 0; 1 is the weight of a person's label."""


class Student(Protocol):
    """A fitted model, never changed again."""

    def predict(self, texts: Columns) -> Floats:
        """Class probabilities, (n, classes); rows sum to 1; classes in the order of the task."""
        ...

    def embed(self, texts: Columns) -> Floats:
        """The student's own representation, (n, d), rows of unit length."""
        ...

    def save(self, folder: Path) -> None: ...


@runtime_checkable
class Sampler(Protocol):
    """A student that also knows what else it could have become; not every one does."""

    def samples(self, texts: Columns, m: int, seed: int = 0) -> Floats:
        """(m, n, classes): what `m` members of a committee predict, the same members for equal seeds."""
        ...


class Embedder(Protocol):
    """A frozen sentence encoder."""

    name: str

    def embed(self, texts: Columns) -> Floats:
        """(n, d), rows of unit length."""
        ...


class ChatModel(Protocol):
    """Any LLM. One failure does not touch the other requests of its batch; order is kept."""

    @property
    def name(self) -> str: ...

    def complete(self, requests: Sequence[ChatRequest]) -> list[ChatReply | ChatFailure]: ...


@dataclass(frozen=True)
class Fence:
    """What generated texts must stay away from. Strategies and prompts never see the texts behind it."""

    hashes: frozenset[str]
    """SHA-256 of each case-folded, whitespace-normalised test and audit text."""
    embeddings: Floats | None = None
    """(n, d), rows of unit length."""


@dataclass(frozen=True)
class Query:
    """What a strategy may look at. It holds no gold label, no person, no test text."""

    task: Task
    size: int
    """How many examples are wanted, at most."""
    candidates: Columns
    """What may be chosen: U, and where the step says so the machine-labelled part of L as well."""
    machine: Floats
    """(candidates, classes): the LLM's calibrated probabilities, a row of nan where it has said nothing of one."""
    labelled: Labelled
    rng: np.random.Generator
    round: int = 0
    student: Student | None = None
    chat: ChatModel | None = None
    embed: Embedder | None = None
    fence: Fence | None = None
    """Used by the filters of a generator only."""
    sample: Columns | None = None
    """A fixed random sample of the pool, from which the LLM's prior over labels is estimated."""


@dataclass(frozen=True)
class Response:
    """What people said of one example. `label` None: they could not decide, or not agree."""

    label: str | None
    seconds: float = 0.0
    name: str = "person"
    confirmed: bool = False
    """True where they were shown the machine's label and agreed with it."""
    labels: int = 1
    """Labels of the budget that it cost; 0 for the correction of an answer that was paid before."""
    discard: bool = False
    """True where the text is none for this task, and leaves the pool. `label` is None then."""
    why: str = ""
    given: tuple["Response", ...] = ()
    """The answers that this one was made of, where several people were asked."""


class People(Protocol):
    """Where answers of people come from: a file that was filled in, a review queue, or a simulation."""

    def answers(
        self, examples: Sequence[Example], index: int, suggested: Mapping[str, Annotation]
    ) -> Mapping[str, Response]:
        """By example id, for round `index`; `suggested` holds the machine's labels that people may be shown.

        May hold corrections too: answers to examples of earlier rounds that changed since they were read, at no cost.
        Raises `agent.errors.Waiting` while any of the examples is unanswered.
        """
        ...


class Experts(Protocol):
    """People who look over the LLM's picks before anybody labels them."""

    def struck(self, picks: Sequence[Pick], index: int) -> Mapping[str, str]:
        """Why not, by example id, of those to leave out of round `index`. Raises `agent.errors.Waiting` until all
        have been looked at."""
        ...


def _silent(_done: int, _total: int, _what: str) -> None:
    return None


@dataclass(frozen=True)
class Demonstration:
    """A labelled text that a prompt shows before it asks. `label` is a name of the task."""

    text: str
    label: str
    text_b: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Bench:
    """What annotators and learners may use. Everything that they did not make themselves is handed in here."""

    task: Task
    round: int = 0
    left: int = 0
    """People's labels that the budget still holds."""
    seed: int = 0
    chat: ChatModel | None = None
    embed: Embedder | None = None
    people: People | None = None
    overlap: int = 1
    """How many of `people` answer for each example; each of them costs a label."""
    suggested: Mapping[str, Annotation] = field(default_factory=dict[str, Annotation])
    """The machine's labels by example id, which people may be shown."""
    gold: Mapping[str, str] | None = None
    """Gold labels by id, for simulated people only."""
    sample: Columns | None = None
    """A fixed random sample of the pool, from which the LLM's prior over labels is estimated."""
    prior: Floats | None = None
    """(classes,): that prior where it is known already; the sample is then not read again."""
    demonstrations: tuple[Demonstration, ...] = ()
    """Shown by label reads, where their prompt shows any."""
    labelled: Labelled | None = None
    """L before this round, of which an annotator may show some."""
    checkpoint: Path | None = None
    """Local folder of the encoder that a student starts from."""
    progress: Callable[[int, int, str], None] = field(default=_silent)
    """Called with (done, total, what)."""


class QueryStrategy(Protocol):
    """Query(f, U, M): chooses at most `ask.size` distinct candidates."""

    @property
    def name(self) -> str: ...

    @property
    def needs(self) -> frozenset[Need]: ...

    def query(self, ask: Query) -> Batch: ...


class Annotator(Protocol):
    """Annotate(x, M): any number of annotations an example; raises `Waiting` where people have to answer first."""

    def annotate(self, batch: Batch, bench: Bench) -> tuple[Annotation, ...]: ...


class Cleaner(Protocol):
    """Turns what L holds into what is trained on: keep, drop, down-weight."""

    def clean(self, labelled: Labelled, bench: Bench) -> Weighted: ...


@dataclass(frozen=True)
class Gap:
    """A place where the student is weak."""

    label: str
    """The class to write for."""
    description: str
    examples: tuple[Example, ...]
    weakness: float
    """0 to 1, larger is weaker."""


class Filter(Protocol):
    """Says of each candidate, in order, whether it may pass."""

    def judge(self, candidates: Sequence[Candidate], ask: Query) -> tuple[Verdict, ...]: ...


class Learner(Protocol):
    @property
    def name(self) -> str: ...

    def fit(self, labelled: Weighted, task: Task, bench: Bench, rng: np.random.Generator) -> Student: ...

    def load(self, folder: Path, task: Task, bench: Bench | None = None) -> Student:
        """A student that this kind of learner saved; `bench` brings the encoder that it may stand on."""
        ...


class StoppingRule(Protocol):
    """Pure: can be asked twice, and replayed on a stored run."""

    def check(self, history: Sequence[Round]) -> Stop | None: ...


class Journal(Protocol):
    """Do once, remember for ever."""

    def step(self, key: str, kind: type[T], compute: Callable[[], T]) -> T: ...
