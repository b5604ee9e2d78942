"""What is sent to the LLM, counted as it happens, and the hard cap on it."""

import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import Field

from agent.errors import CapReached
from agent.exchange import ChatReply, ChatRequest, Cost
from prompts.messages import Frozen
from serving.llm.occupancy import Share

MASSES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
"""Upper bounds of the classes that label masses are counted in."""
_TEMPLATE_TOKENS = 32
_MESSAGE_TOKENS = 8


class Cap(Frozen):
    """The most that may be sent; None is no limit."""

    requests: int | None = Field(default=None, ge=0)
    """HTTP requests, retries among them."""
    tokens: int | None = Field(default=None, ge=0)
    """Prompt tokens and generated tokens together."""
    seconds: float | None = Field(default=None, ge=0)
    """In which at least one request is under way."""


@dataclass(frozen=True)
class Used:
    """What counts against a cap so far."""

    requests: int = 0
    tokens: int = 0
    seconds: float = 0.0


Book = Callable[[Used], None]
"""Writes down what is added to the use, before it is sent; negative where a reservation is given back."""


def unbooked(_used: Used) -> None:
    """Nobody has to know it after this process."""


class Spent(Frozen):
    """The counters at one moment."""

    requests: int = 0
    """HTTP requests sent, whatever came of them."""
    retries: int = 0
    """Those among `requests` that repeated one that had failed."""
    paid: Cost = Cost()
    """What the answers cost that came, those among them that could not be used. `seconds` are the server's:
    requests side by side share them."""
    hits: int = 0
    """Questions answered by the ledger, or by an equal question of the same batch."""
    saved: Cost = Cost()
    """What those had cost when they were first asked."""
    failures: dict[str, int] = Field(default_factory=dict)
    """Failed attempts by kind (`agent.exchange.ChatFailure`), those that a retry made good among them."""
    unmetered: int = 0
    """Answers whose server did not say how many tokens they took; `paid` counts the upper bound for them."""


@dataclass
class Reservation:
    """Room held for one request under the cap. `used` is what it took in the end; None: not known, so all of it."""

    tokens: int
    used: int | None = None
    share: Share | None = None
    """Of the time in which it was under way."""
    patience: float | None = None
    """Seconds after which the cap on seconds would be passed; None where there is none."""


def prompt_bound(request: ChatRequest) -> int:
    """An upper bound of the prompt's tokens: byte-level vocabularies never make more tokens than UTF-8 bytes."""
    text = sum(len(message.content.encode()) + _MESSAGE_TOKENS for message in request.messages)
    return text + _TEMPLATE_TOKENS


class Meter:
    """Counts for all threads of a process. One meter is shared by the chat adapter and the ledger before it.

    Args:
        used: what counts against the cap already, from earlier processes of the same run.
        book: told what is added, before it is sent.
    """

    def __init__(self, cap: Cap | None = None, used: Used | None = None, book: Book = unbooked) -> None:
        self._cap, self._before, self._book = cap or Cap(), used or Used(), book
        self._changed = threading.Condition()
        self._reserved: list[Reservation] = []
        self._charged = self._before.tokens
        self._counts: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._paid = Cost()
        self._saved = Cost()
        self._masses: Counter[float] = Counter()
        self._mass = 0.0

    def spent(self) -> Spent:
        with self._changed:
            return Spent(
                requests=self._counts["requests"],
                retries=self._counts["retries"],
                paid=self._paid,
                hits=self._counts["hits"],
                saved=self._saved,
                failures=dict(self._failures),
                unmetered=self._counts["unmetered"],
            )

    @contextmanager
    def sending(
        self, request: ChatRequest, retry: bool = False, busy: Callable[[], float] = lambda: 0.0
    ) -> Generator[Reservation]:
        """Holds room for one HTTP request while it is under way, and counts it.

        Near the cap it waits for the requests under way, which mostly give back a part of what they had reserved.

        Args:
            busy: seconds of this process in which a request was under way.

        Raises:
            CapReached: there is no room; nothing was counted.
        """
        tokens = prompt_bound(request) + (1 if request.read else request.max_tokens)
        reservation = Reservation(tokens)
        with self._changed:
            while self._held_back(tokens):
                self._changed.wait()
            reservation.patience = self._patience(busy())
            self._reserved.append(reservation)
            self._counts["requests"] += 1
            self._counts["retries"] += retry
        self._book(Used(requests=1, tokens=tokens))
        try:
            yield reservation
        finally:
            used = tokens if reservation.used is None else reservation.used
            with self._changed:
                self._reserved = [other for other in self._reserved if other is not reservation]
                self._charged += used
                self._changed.notify_all()
            seconds = reservation.share.seconds if reservation.share else 0.0
            self._book(Used(tokens=used - tokens, seconds=seconds))

    def paid(self, cost: Cost, metered: bool = True) -> None:
        with self._changed:
            self._paid += cost
            self._counts["unmetered"] += not metered

    def read(self, mass: float) -> None:
        """A label read whose words together had this probability."""
        with self._changed:
            self._masses[next((bound for bound in MASSES if mass <= bound), MASSES[-1])] += 1
            self._mass += mass

    def masses(self) -> tuple[dict[float, int], float]:
        """How many label masses lie in each class, by its upper bound, and the sum of all."""
        with self._changed:
            return dict(self._masses), self._mass

    def hit(self, reply: ChatReply) -> None:
        with self._changed:
            self._counts["hits"] += 1
            self._saved += reply.cost

    def failed(self, kind: str) -> None:
        with self._changed:
            self._failures[kind] += 1

    def _held_back(self, tokens: int) -> bool:
        """True where only requests under way stand in the way."""
        cap = self._cap
        if cap.requests is not None and self._before.requests + self._counts["requests"] >= cap.requests:
            raise CapReached(f"the cap of {cap.requests} requests to the LLM is reached", "raise it, or ask for less")
        if cap.tokens is None:
            return False
        if self._charged + tokens > cap.tokens:
            what = f"the cap of {cap.tokens} tokens leaves no room for up to {tokens} more ({self._charged} are used)"
            raise CapReached(what, "raise it, or ask for less")
        return self._charged + sum(other.tokens for other in self._reserved) + tokens > cap.tokens

    def _patience(self, busy: float) -> float | None:
        """Seconds that the cap on them leaves."""
        if self._cap.seconds is None:
            return None
        left = self._cap.seconds - self._before.seconds - busy
        if left <= 0:
            what = f"the cap of {self._cap.seconds:g} seconds of the LLM is reached"
            raise CapReached(what, "raise it, or ask for less")
        return left
