"""What is said to the LLM and what comes back: one question, one reply or one failure."""

from typing import Literal

from pydantic import Field

from prompts.messages import Frozen, Message


class Cost(Frozen):
    """What something used up. Adds with `+`; the zero is `Cost()`."""

    human_labels: int = 0
    human_seconds: float = 0.0
    calls: int = 0
    tokens_in: int = 0
    cached_tokens: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    money: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        names = type(self).model_fields
        return Cost(**{name: getattr(self, name) + getattr(other, name) for name in names})


class ChatRequest(Frozen):
    """One question. Two requests with equal fields are one question: the ledger answers the second from the first.

    A *label read* (`read` not empty) asks for one token and for the probability of each word in `read`, over the whole
    vocabulary, at that position; the reply then carries a `Reading` and its text means nothing.
    """

    messages: tuple[Message, ...] = Field(min_length=1)
    max_tokens: int = Field(default=256, ge=1)
    temperature: float = Field(default=0.0, ge=0.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    seed: int | None = None
    """Best left out: the ledger makes answers repeatable, and the CPU build of vLLM 0.32 dies of a seeded request whose
    prompt it reads in two parts ("CPU Generator does not use offset")."""
    stop: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    """Words whose first-token probabilities are wanted, for instance the label words of a task."""
    pattern: str | None = None
    """A regular expression that the reply must match, where the server honours structured outputs."""
    repeat: int = 0
    """Counts wanted repetitions of one question, so that they are not answered from the first."""


class Reading(Frozen):
    """A distribution over label words, read from the first token of an answer."""

    probabilities: dict[str, float]
    """For each word asked, its share of `label_mass`; sums to 1."""
    label_mass: float = Field(ge=0.0, le=1.0 + 1e-6)
    """The probability, over the whole vocabulary, that the answer starts with any of the words."""


class ChatReply(Frozen):
    """An answer, with what it cost when it was first asked."""

    text: str
    finish: str = "stop"
    """Why the text ends there: `stop`, or `length` where `max_tokens` cut it."""
    cost: Cost = Cost()
    reading: Reading | None = None
    recorded: bool = False
    """True where the ledger answered and nothing was sent."""


class ChatFailure(Frozen):
    """A question that got no usable answer, after all retries. The other questions of its batch are not affected."""

    kind: Literal["connection", "busy", "server", "timeout", "malformed", "refused", "capped"]
    """`capped`: not sent, since a cap on what may be sent is reached."""
    message: str
    attempts: int = Field(default=1, ge=1)

    @property
    def passing(self) -> bool:
        """Whether the server is at fault, and not the question."""
        return self.kind in ("connection", "busy", "server", "timeout")
