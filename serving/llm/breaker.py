"""Stops asking a server that has stopped answering, so that a long batch does not wait out every time-out of it."""

import threading
from collections.abc import Callable
from time import monotonic


class Breaker:
    """Opens when a question has failed for good and nothing was answered since it was first asked; an answer closes it.

    Args:
        rest: seconds that it stays open without an answer; then questions are let through again.
    """

    def __init__(self, rest: float = 30.0, clock: Callable[[], float] = monotonic) -> None:
        self._rest = rest
        self._clock = clock
        self._lock = threading.Lock()
        self._answered = float("-inf")
        self._closed_from = float("-inf")

    def now(self) -> float:
        return self._clock()

    def is_open(self) -> bool:
        with self._lock:
            return self._clock() < self._closed_from

    def answered(self) -> None:
        with self._lock:
            self._answered = self._clock()
            self._closed_from = float("-inf")

    def failed(self, asked: float) -> None:
        """A question that was first asked at `asked` (of `now()`) got no answer in all its attempts."""
        with self._lock:
            if self._answered < asked:
                self._closed_from = self._clock() + self._rest
