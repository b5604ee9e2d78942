"""Several servers of one model: the least busy one is asked, one that cannot be reached is left alone for a while."""

import threading
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Generic, TypeVar

R = TypeVar("R")


class Replicas(Generic[R]):
    """Args:
    members: the servers, at least one.
    rest: seconds for which one that could not be reached is asked only when all others are resting too.
    """

    def __init__(self, members: Sequence[R], rest: float = 15.0, clock: Callable[[], float] = monotonic) -> None:
        self._members = tuple(members)
        self._rest = rest
        self._clock = clock
        self._lock = threading.Lock()
        self._busy = [0] * len(self._members)
        self._turn = [0] * len(self._members)
        self._asleep_until = [float("-inf")] * len(self._members)

    def __len__(self) -> int:
        return len(self._members)

    @contextmanager
    def borrow(self, avoid: Collection[int] = ()) -> Generator[tuple[int, R]]:
        """The index and the server with the fewest requests under way, in turn where several have equally few."""
        with self._lock:
            index = self._choose(avoid)
            self._busy[index] += 1
            self._turn[index] = max(self._turn) + 1
        try:
            yield index, self._members[index]
        finally:
            with self._lock:
                self._busy[index] -= 1

    def unreachable(self, index: int) -> None:
        with self._lock:
            self._asleep_until[index] = self._clock() + self._rest

    def _choose(self, avoid: Collection[int]) -> int:
        now = self._clock()
        left = [index for index in range(len(self._members)) if index not in avoid]
        awake = [index for index in left if self._asleep_until[index] <= now]
        return min(awake or left or range(len(self._members)), key=lambda index: (self._busy[index], self._turn[index]))
