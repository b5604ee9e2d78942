"""Seconds of a server that works on several requests at once, shared fairly among them."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Share:
    """What one request has used up so far."""

    seconds: float = 0.0


class Occupancy:
    """Divides every moment equally among the requests under way in it.

    All shares together are the time in which at least one request was under way: what a cost in seconds has to mean
    where sixteen of them wait side by side.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._active: list[Share] = []
        self._last = 0.0
        self._busy = 0.0

    def busy(self) -> float:
        """Seconds so far in which at least one request was under way."""
        with self._lock:
            self._settle()
            return self._busy

    @contextmanager
    def sharing(self) -> Generator[Share]:
        """Counts one request from here to the end of the block."""
        share = Share()
        with self._lock:
            self._settle()
            self._active.append(share)
        try:
            yield share
        finally:
            with self._lock:
                self._settle()
                self._active = [other for other in self._active if other is not share]

    def _settle(self) -> None:
        now = self._clock()
        self._busy += now - self._last if self._active else 0.0
        for share in self._active:
            share.seconds += (now - self._last) / len(self._active)
        self._last = now
