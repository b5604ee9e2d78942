"""One run in a process of its own: `python -m serving.service.child RUN`. Started and watched by the supervisor.

It may be killed at any moment: what it has recorded stands, and whoever claims the run next goes on from there.
"""

import contextlib
import ctypes
import logging
import os
import signal
import sys
import threading
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

from agent.errors import EngineError, StoreError, ThresherError, Unanswered, Waiting
from serving.runs.lease import Busy, Lease
from serving.service.ending import BUSY, ENDED, FAILED, LATER, WAITING
from serving.system.context import about

if TYPE_CHECKING:
    from serving.connect import Setting
    from serving.runs.running import Begun
    from serving.runs.store import Store

log = logging.getLogger("serving.service.child")
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def main(name: str) -> int:
    """Works on one run until it ends, waits for people or is taken away. Returns the exit code."""
    _die_with_parent()
    signal.signal(signal.SIGTERM, _leave)
    from serving import settings
    from serving.connect import Setting
    from serving.runs import running
    from serving.service import logs

    read = settings.load()
    logs.configure(read)
    setting = Setting(read, log.info)
    try:
        begun = running.recall(name, setting)
        with Lease(begun.store, begun.job.id) as lease:
            threading.Thread(target=_leave_when_lost, args=(lease,), daemon=True).start()
            _work(begun, setting, lease.fence)
    except Busy:
        return BUSY
    except Waiting:
        return WAITING
    except Unanswered as error:
        log.warning("the run waits for its LLM: %s", logs.reason(error))
        return LATER
    except ThresherError as error:
        log.error("the run stops: %s", logs.reason(error))
        return FAILED
    return ENDED


def _work(begun: "Begun", setting: "Setting", fence: int) -> None:
    """Raises Unanswered where the LLM is away."""
    from serving.llm.ledger import LedgeredChat
    from serving.runs import running
    from serving.runs.screen import ToldScreen
    from serving.service.tally import Tally

    job, store = begun.job, begun.store
    screen = ToldScreen(job, partial(_tell, store, job.id, fence))
    try:
        work = running.prepare(begun, setting, fence, screen=screen)
    except EngineError as error:
        store.mark(job.id, "queued", str(error), fence)
        raise Unanswered(error.what, error.hint) from error
    except ThresherError as error:  # such as weights that cannot be had: the supervisor tries again
        store.mark(job.id, "queued", str(error), fence)
        raise
    chat = work.worker.chat
    with Tally(store.engine, lambda: chat.meter if isinstance(chat, LedgeredChat) else None):
        running.execute(work, patient=True)


def _tell(store: "Store", run: str, fence: int, kind: str, data: dict[str, Any]) -> None:
    """A database that is away is noticed by the next step that is recorded; that one may wait for it."""
    with contextlib.suppress(StoreError):
        store.tell(run, kind, data, fence)


def _die_with_parent() -> None:
    """A service that is killed takes its runs' processes with it, also in the middle of a training."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        sys.exit(BUSY)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """Told to stop: questions under way get their answers recorded, and claims are given back on the way out."""
    sys.exit(BUSY)


def _leave_when_lost(lease: Lease) -> None:
    lease.lost.wait()
    os._exit(BUSY)  # somebody else works on the run: whatever is computed here would be refused


if __name__ == "__main__":
    with about(run=sys.argv[1]):
        sys.exit(main(sys.argv[1]))
