"""What a request may use: settings, stores, and the LLM, made once and handed to the routes."""

import threading
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from agent.errors import EngineError, ThresherError
from serving.connect import Served, Setting
from serving.database import open_database
from serving.engine.state import models_at
from serving.llm.ledger import LedgeredChat
from serving.llm.meter import Meter
from serving.problem import Refused
from serving.runs import wiring
from serving.runs.data import DataSets
from serving.runs.picks import Picks
from serving.runs.reasons import Reasons
from serving.runs.reviews import Reviews
from serving.runs.store import Store
from serving.service.encoding import Encoding
from serving.service.idempotency import Idempotency
from serving.service.keys import Keys
from serving.service.supervisor import Supervisor
from serving.service.tally import Tally
from serving.settings import Settings


class Desk:
    """One service's belongings. `open` and `close` frame its life (`serving.app` calls them)."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database: Engine = open_database(settings.database or settings.home / "thresher.db")
        self.store = Store(self.database)
        self.data = DataSets(self.database)
        self.reviews = Reviews(self.database, lease=settings.review_lease)
        self.picks = Picks(self.database)
        self.reasons = Reasons(self.store)
        self.idempotency = Idempotency(self.database)
        self.keys = Keys(self.database)
        self.llm = Llm(settings, self.store)
        self.supervisor = Supervisor(self.store, settings)
        self.encoding = Encoding(settings)
        self.tally = Tally(self.database, self.llm.meter)
        self.stopping = threading.Event()
        """Set when the service has been told to stop: answers without an end come to one."""

    def open(self) -> None:
        self.llm.open()
        self.supervisor.open()
        self.tally.__enter__()

    def close(self) -> None:
        self.supervisor.close()
        self.tally.__exit__(None, None, None)
        self.llm.close()
        self.database.dispose()


class Llm:
    """The LLM behind the stateless roles: connected in the background, since an engine takes a minute to start."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._lock = threading.Lock()
        self._served: Served | None = None
        self._chat: LedgeredChat | None = None
        self._failure: ThresherError | None = None
        self._thread: threading.Thread | None = None
        self.said = "not asked for yet"
        """The last line that connecting printed."""

    def open(self) -> None:
        """Begins to connect, unless that is under way or done."""
        with self._lock:
            if self._chat is not None or (self._thread is not None and self._thread.is_alive()):
                return
            self._failure = None
            self._thread = threading.Thread(target=self._connect, name="connect", daemon=True)
            self._thread.start()

    def ready(self) -> tuple[Served, LedgeredChat]:
        """The LLM and how to ask it. Raises `Refused` (503) while it is not there; then it is tried again."""
        with self._lock:
            if self._served is not None and self._chat is not None:
                return self._served, self._chat
            failure = self._failure
        self.open()
        what = f"the LLM is not ready: {failure.what if failure else self.said}"
        raise Refused(503, what, failure.hint if failure else "try again in a minute", {"Retry-After": "30"})

    def alive(self) -> str:
        """The model's name, as one of its servers says at this moment.

        Raises:
            Refused: 503 while it is not connected.
            EngineError: none of its servers answers any more.
        """
        served, _ = self.ready()
        key = self._settings.api_key.get_secret_value() if self._settings.api_key else ""
        if all(served.model not in (models_at(url, key, timeout=2.0) or ()) for url in served.urls):
            raise EngineError(f"{served.model} no longer answers at {', '.join(served.urls)}", "start it again")
        return served.model

    def meter(self) -> Meter | None:
        """Of what is asked here; None until the LLM is there."""
        with self._lock:
            return None if self._chat is None else self._chat.meter

    def close(self) -> None:
        with self._lock:
            if self._chat is not None:
                self._chat.close()
                self._chat = None

    def _connect(self) -> None:
        try:
            served = wiring.connect(Setting(self._settings, self._say))
            chat = wiring.chat(self._settings, served, self._store)
        except ThresherError as error:
            self._failure = error
            return
        except OSError as error:
            self._failure = EngineError(f"the LLM cannot be connected: {error}")
            return
        with self._lock:
            self._served, self._chat = served, chat

    def _say(self, line: str) -> None:
        self.said = line


# Not a thread's work, as what FastAPI calls without `async` is: it waits for nothing. So are the others like it.
async def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


AtDesk = Annotated[Desk, Depends(_desk)]
"""A parameter of a route that needs the desk."""
