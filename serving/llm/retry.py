"""Which failures are worth another attempt, how often and how long after: one policy per class of failure."""

from collections import Counter
from collections.abc import Callable
from random import SystemRandom
from time import sleep
from typing import TypeVar

from pydantic import Field
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from agent.exchange import ChatFailure
from prompts.messages import Frozen
from serving.llm.faults import Fault, Kind, fault_of

T = TypeVar("T")


class Policy(Frozen):
    """One class of failure: how often one question may be asked again after it."""

    again: int = Field(ge=0)
    first: float = Field(ge=0.0)
    """Seconds before the first repetition; doubled for each further one of the same class, then shortened at random by
    up to a half, so that clients that failed together do not come back together."""
    longest: float = Field(ge=0.0)
    """Seconds that no wait exceeds. A server that asks for a longer one is not asked again."""


class Policies(Frozen):
    """The allowances add up: a question meets at most the sum of them all."""

    connection: Policy = Policy(again=4, first=0.5, longest=8.0)
    busy: Policy = Policy(again=6, first=1.0, longest=60.0)
    server: Policy = Policy(again=3, first=1.0, longest=15.0)
    timeout: Policy = Policy(again=2, first=1.0, longest=5.0)
    malformed: Policy = Policy(again=4, first=0.2, longest=2.0)
    refused: Policy = Policy(again=0, first=0.0, longest=0.0)
    capped: Policy = Policy(again=0, first=0.0, longest=0.0)


class _Attempt(Exception):
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.message)


class Retry:
    """Makes attempts until one succeeds or the allowance of a class of failure is used up.

    Args:
        pause: waits that many seconds.
        chance: a number in [0, 1), for the jitter.
    """

    def __init__(
        self,
        policies: Policies | None = None,
        pause: Callable[[float], None] = sleep,
        chance: Callable[[], float] | None = None,
    ) -> None:
        self._policies = policies or Policies()
        self._pause = pause
        self._chance = chance or SystemRandom().random

    def call(self, attempt: Callable[[int], T], failed: Callable[[Fault], None]) -> T | ChatFailure:
        """The first result of `attempt(0)`, `attempt(1)`, …, or the last failure.

        Args:
            attempt: is given how often it was called before.
            failed: told of every failed attempt.

        Raises:
            Exception: what `attempt` raised, where `fault_of` knows no class for it: a mistake in this program.
        """
        counts: Counter[str] = Counter()

        def once() -> T:
            try:
                return attempt(counts.total())
            except Exception as error:
                fault = fault_of(error)
                if fault is None:
                    raise
                counts[fault.kind] += 1
                failed(fault)
                raise _Attempt(fault) from error

        def over(state: RetryCallState) -> bool:
            fault = _fault(state)
            policy = self._policy(fault.kind)
            return counts[fault.kind] > policy.again or (fault.wait or 0.0) > policy.longest

        def wait(state: RetryCallState) -> float:
            fault = _fault(state)
            policy = self._policy(fault.kind)
            own = min(policy.longest, policy.first * 2.0 ** (counts[fault.kind] - 1)) * (1.0 - self._chance() / 2.0)
            return max(own, fault.wait or 0.0)

        tries = Retrying(stop=over, wait=wait, sleep=self._pause, retry=retry_if_exception_type(_Attempt), reraise=True)
        try:
            return tries(once)
        except _Attempt as last:
            return ChatFailure(kind=last.fault.kind, message=last.fault.message, attempts=counts.total())

    def _policy(self, kind: Kind) -> Policy:
        return getattr(self._policies, kind)


def _fault(state: RetryCallState) -> Fault:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, _Attempt):
        raise TypeError(f"tenacity asks about {error!r}")
    return error.fault
