"""How long the cells of a study were at work, and on which machines: from what each cell recorded of itself."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from prompts.messages import Frozen


@dataclass(frozen=True)
class Span:
    """Where and when a cell was done. Times know their zone."""

    machine: str
    begun: datetime
    ended: datetime


class Worked(Frozen):
    """What all processes that worked on a study did together, however often it was killed and wherever it went on."""

    wall: float | None = 0.0
    """Seconds in which at least one cell was at work, of those that recorded it; None where none did."""
    machines: dict[str, int] = {}
    """Cells that each machine did, the one that began first first."""
    lacking: int = 0
    """Cells that recorded neither time nor machine: they were done before cells did."""
    references: int = 0
    """How many of all these are reference rows, which are no cells of the plan."""

    @property
    def took(self) -> str:
        if self.wall is None:
            return "not recorded"
        return f"at least {duration(self.wall)}" if self.lacking else duration(self.wall)

    def where(self, what: str) -> str:
        """The machines, each with how many cells it did.

        Args:
            what: the word for one cell.
        """
        parts = [f"on {machine}: {_many(n, what)}" for machine, n in self.machines.items()]
        parts += [f"machine not recorded: {_many(self.lacking, what)}"] if self.lacking else []
        parts += [f"{_many(self.references, 'reference row')} among them"] if self.references else []
        return "; ".join(parts)

    def told(self, what: str) -> str:
        """Time and machines on one line."""
        wall = "wall time not recorded" if self.wall is None else f"{what}s took {self.took} of wall time"
        return "; ".join(part for part in (wall, self.where(what)) if part)


def worked(spans: Sequence[Span | None], references: int = 0) -> Worked:
    """The length of the union of all spans, and a count by machine; None stands for a cell that recorded none."""
    known = sorted((span for span in spans if span is not None), key=lambda span: span.begun)
    wall, until = 0.0, -math.inf
    for span in known:
        begun, ended = span.begun.timestamp(), span.ended.timestamp()
        wall += max(0.0, ended - max(begun, until))
        until = max(until, ended)
    return Worked(
        wall=wall if known or not spans else None,
        machines=dict(Counter(span.machine for span in known)),
        lacking=len(spans) - len(known),
        references=references,
    )


def duration(seconds: float) -> str:
    """`12.3 s`, `14 min 31 s`, `2 h 0 min 5 s`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min {rest} s" if hours else f"{minutes} min {rest} s"


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
