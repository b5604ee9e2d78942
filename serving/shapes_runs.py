"""What goes over HTTP about runs, as plain models: routes answer with them, the client reads them."""

from typing import Literal

from pydantic import Field

from agent.exchange import Cost
from prompts.messages import Frozen

State = Literal["queued", "running", "waiting", "done", "failed", "cancelled"]


class Progress(Frozen):
    """How far a run was when it last said so."""

    share: float = Field(description="Of the time that it takes in all, as far as that is known; 0 to 1.")
    left: float = Field(description="Seconds that are left, as far as that is known.")
    doing: str


class AskedNow(Frozen):
    """What people have not answered yet."""

    kind: Literal["labels", "picks"] = Field(description="Texts to label, or picks of the LLM to look over.")
    round: int = Field(description="From 0.")
    done: int
    total: int = Field(description="Answers that the round takes.")


class Caps(Frozen):
    """What a run may never exceed, over all its cells; it ends cleanly there. None is no cap."""

    requests: int | None = Field(default=None, ge=0)
    """To the LLM, retries among them."""
    tokens: int | None = Field(default=None, ge=0)
    """Read and written."""
    seconds: float | None = Field(default=None, ge=0)
    """In which the LLM works on at least one request."""
    human_labels: int | None = Field(default=None, ge=0)
    """Of people; where it is below the budget, it is the budget."""
    human_minutes: float | None = Field(default=None, ge=0)
    """Of people, as measured while they label. No text is handed out after that."""

    @property
    def of_llm(self) -> bool:
        return (self.requests, self.tokens, self.seconds) != (None, None, None)


class Charged(Frozen):
    """What counts against the caps on the LLM, over all cells of a run; what is under way counts in full."""

    requests: int
    tokens: int
    seconds: float


class RunShown(Frozen):
    """One run."""

    id: str
    title: str
    task: str = Field(description="Name of the task.")
    recipe: str
    state: State
    why: str = Field(description="Why it stopped, what it waits for, or what went wrong.")
    created: str = Field(description="ISO 8601, UTC.")
    updated: str = Field(description="When its state last changed.")
    origin: str = Field(description="`service`, or `cli` for a run that a command line works on.")
    budget: int = Field(description="Labels that people give, in all.")
    cells: int = Field(description="Runs of the loop that it consists of: arms by students by seeds.")
    finished: int = Field(description="Cells that are done.")
    human_labels: int = Field(description="People's labels so far, in the user's own cell.")
    machine_labels: int = Field(description="As of its last finished round.")
    cost: Cost = Field(description="Spent so far by the user's own cell; in a list as of its last finished round.")
    caps: Caps = Field(default=Caps(), description="What it may never exceed; null is no cap.")
    charged: Charged | None = Field(
        default=None, description="Against the caps on the LLM; null where there is none of them, and in a list."
    )
    asked: AskedNow | None = Field(default=None, description="What people are asked; null where that is nothing.")
    progress: Progress | None = Field(default=None, description="While it is being worked on; null in a list.")


class RunList(Frozen):
    items: tuple[RunShown, ...]
    next: str | None = Field(description="Give it as `after` for the rest; null where this is all.")


class Chosen(Frozen):
    """One text that was chosen, and why."""

    example: str
    text: str
    text_b: str | None
    origin: str = Field(description="`pool`, or `generated` for one that the LLM wrote.")
    score: float | None
    why: str = Field(description="What the chooser said.")
    shown: int | None = Field(description="Position in the list that the LLM was shown, from 0.")
    listed: int | None = Field(description="Length of that list.")
    filled: bool = Field(description="Whether the fallback chose it because the LLM did not.")


class RoundShown(Frozen):
    """What one round chose."""

    index: int
    by: str
    picks: tuple[Chosen, ...]
    notes: dict[str, float] = Field(description="Counts of refused replies, unknown ids and the like.")
