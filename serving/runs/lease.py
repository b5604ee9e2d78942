"""A claim on a run that is renewed for as long as its process lives."""

import threading
from types import TracebackType
from typing import Self

from agent.errors import StoreError
from serving.runs.store import Store
from serving.system.owner import new_owner

SECONDS = 30.0


class Busy(StoreError):
    """Somebody else works on the run."""

    retryable = True


class Lease:
    """`with Lease(store, run) as lease:` works on the run alone; `lease.fence` goes into all that it writes.

    A thread renews the claim every third of its length. Where that fails, because somebody else has taken it over
    from a process that was asleep for too long, `lost` is set and whatever is written after that is refused.

    Raises:
        Busy: somebody else works on it.
    """

    def __init__(self, store: Store, run: str, seconds: float = SECONDS) -> None:
        self._store, self._run, self._seconds = store, run, seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease of {run}", daemon=True)
        self.lost = threading.Event()
        self.fence = 0

    def __enter__(self) -> Self:
        fence = self._store.claim(self._run, str(new_owner()), self._seconds)
        if fence is None:
            what = f"another process works on run {self._run!r}"
            raise Busy(what, f"let it finish, or try again {self._seconds:.0f} s after it has ended")
        self.fence = fence
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._store.release(self._run, self.fence)

    def _renew(self) -> None:
        while not self._over.wait(self._seconds / 3):
            try:
                if not self._store.renew(self._run, self.fence, self._seconds):
                    self.lost.set()
                    return
            except StoreError:
                continue  # the database is away for a moment; the claim lasts for two more attempts
