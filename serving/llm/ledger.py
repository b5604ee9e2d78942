"""The ledger: every answer that was paid for, kept under the hash of its question, so that nothing is asked twice."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from time import sleep, time

from pydantic import JsonValue, ValidationError
from sqlalchemy import Column, Engine, Float, Integer, String, Table, Text, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from agent.errors import StoreError
from agent.exchange import ChatFailure, ChatReply, ChatRequest, Cost
from agent.protocols import ChatModel
from serving.database import metadata, reading, writing
from serving.llm.identity import Served, key_of
from serving.llm.meter import Meter
from serving.system.context import about
from serving.system.owner import Owner, is_dead, new_owner
from serving.system.parallel import in_parallel

__all__ = ["Claim", "Ledger", "LedgeredChat", "Served", "calls", "key_of"]

log = logging.getLogger(__name__)
LEASE_SECONDS = 900.0
_CHUNK = 500
_POLL_SECONDS = (0.05, 1.0)

calls = Table(
    "calls",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("model", String, nullable=False),
    Column("request", Text, nullable=False),
    Column("owner", String, nullable=False),
    Column("expires", Float, nullable=False),
    Column("reply", Text),
    Column("calls", Integer),
    Column("tokens_in", Integer),
    Column("cached_tokens", Integer),
    Column("tokens_out", Integer),
    Column("seconds", Float),
    Column("answered_at", Float),
)


class Claim(Enum):
    """What came of an attempt to claim a question that has no answer yet."""

    OURS = "ours"
    THEIRS = "theirs"


class Ledger:
    """The table of answers. Safe to share between threads; several processes may use one database.

    Args:
        lease: seconds after which a claim without an answer may be taken over. That of a process that is seen to be
            dead may be taken over at once.

    Raises:
        StoreError: the database cannot be used; so does every method.
    """

    def __init__(self, engine: Engine, lease: float = LEASE_SECONDS, clock: Callable[[], float] = time) -> None:
        self._engine = engine
        self._lease = lease
        self._clock = clock
        # SQLite lets one writer in at a time and has the others poll; within a process they can queue instead.
        self._writer = threading.Lock()

    def find(self, keys: Iterable[str]) -> dict[str, ChatReply]:
        """The recorded answers among `keys`."""
        wanted = list(keys)
        found: dict[str, ChatReply] = {}
        with reading(self._engine) as connection:
            for start in range(0, len(wanted), _CHUNK):
                chunk = wanted[start : start + _CHUNK]
                query = select(calls.c.key, calls.c.reply).where(calls.c.key.in_(chunk), calls.c.reply.is_not(None))
                found.update({key: _recorded(key, reply) for key, reply in connection.execute(query)})
        return found

    def claim(self, key: str, owner: Owner, request: ChatRequest, model: str) -> ChatReply | Claim:
        """The answer where there is one; else whether the question is now this owner's to ask."""
        with self._writer, writing(self._engine) as connection:
            now = self._clock()
            row = connection.execute(select(calls).where(calls.c.key == key).with_for_update()).one_or_none()
            if row is not None and row.reply is not None:
                return _recorded(key, row.reply)
            if row is not None and row.expires > now and not is_dead(row.owner):
                return Claim.OURS if row.owner == str(owner) else Claim.THEIRS
            held = {"owner": str(owner), "expires": now + self._lease}
            if row is not None:
                connection.execute(update(calls).where(calls.c.key == key).values(**held))
                return Claim.OURS
            insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
            values = {"key": key, "model": model, "request": request.model_dump_json(), **held}
            # Not `rowcount`, which the driver of PostgreSQL leaves at -1 for an insertion.
            made = insert(calls).values(**values).on_conflict_do_nothing().returning(calls.c.key)
            return Claim.OURS if connection.execute(made).one_or_none() else Claim.THEIRS

    def record(self, key: str, reply: ChatReply) -> ChatReply:
        """Keeps the answer. An answer that is already there stays, and is returned instead."""
        cost = reply.cost
        values = {
            "reply": reply.model_copy(update={"recorded": False}).model_dump_json(),
            "calls": cost.calls,
            "tokens_in": cost.tokens_in,
            "cached_tokens": cost.cached_tokens,
            "tokens_out": cost.tokens_out,
            "seconds": cost.seconds,
            "answered_at": self._clock(),
        }
        with self._writer, writing(self._engine) as connection:
            query = update(calls).where(calls.c.key == key, calls.c.reply.is_(None)).values(**values)
            if connection.execute(query).rowcount:
                return reply
            first = connection.execute(select(calls.c.reply).where(calls.c.key == key)).scalar_one_or_none()
        if first is None:
            raise StoreError(f"the ledger has no claim for question {key[:12]}", "claim a question before answering it")
        return _recorded(key, first)

    def release(self, key: str, owner: Owner) -> None:
        """Gives a claim back that got no answer."""
        with self._writer, writing(self._engine) as connection:
            unanswered = (calls.c.key == key, calls.c.owner == str(owner), calls.c.reply.is_(None))
            connection.execute(delete(calls).where(*unanswered))

    def totals(self) -> Cost:
        """What all recorded answers cost when they were asked."""
        columns = (calls.c.calls, calls.c.tokens_in, calls.c.cached_tokens, calls.c.tokens_out, calls.c.seconds)
        with reading(self._engine) as connection:
            row = connection.execute(select(*(func.coalesce(func.sum(column), 0) for column in columns))).one()
        names = (column.name for column in columns)
        return Cost(**dict(zip(names, row, strict=True)))


class LedgeredChat:
    """A `ChatModel` that asks another only what the ledger does not know, and writes each answer down as it comes.

    Equal questions are asked once: in one batch, in several threads, in several processes on one database. A question
    that someone else has claimed is waited for; it is asked here where that one fails, dies or lets the claim expire.
    Failures are not kept. A killed process loses at most the answers that were under way.

    Args:
        inner: is called from several threads, with one request at a time.
        served: whose answers they are.
        wire: the settings of `inner` that decide how a request is put to the server (`LangChainChat.wire`).
        width: questions under way at once.
        meter: told what the ledger saved; give the one that `inner` counts on.
        progress: called with (done, total) after each new outcome of a batch.
    """

    def __init__(
        self,
        inner: ChatModel,
        ledger: Ledger,
        served: Served,
        *,
        wire: Callable[[ChatRequest], Mapping[str, JsonValue]] | None = None,
        width: int = 16,
        meter: Meter | None = None,
        progress: Callable[[int, int], None] | None = None,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self._inner = inner
        self._ledger = ledger
        self._served = served
        self._wire = wire
        self._width = width
        self.meter = meter or Meter()
        self._progress = progress
        self._pause = pause

    @property
    def name(self) -> str:
        return self._inner.name

    def close(self) -> None:
        """Lets the connections of the model behind go, where it holds any."""
        close: object = getattr(self._inner, "close", None)
        if callable(close):
            close()

    def key(self, request: ChatRequest) -> str:
        return key_of(request, self._served, self._wire(request) if self._wire else {})

    def complete(self, requests: Sequence[ChatRequest]) -> list[ChatReply | ChatFailure]:
        """One outcome for each request, in order; `recorded` where nothing was sent for it.

        Raises:
            StoreError: the ledger cannot be used.
            ThresherError: whatever `inner` raises.
        """
        keys = [self.key(request) for request in requests]
        asked = dict(zip(keys, requests, strict=True))
        outcomes: dict[str, ChatReply | ChatFailure] = dict(self._ledger.find(asked))
        missing = [key for key in asked if key not in outcomes]
        owner = new_owner()
        count = _Count(len(missing), self._progress)

        def work(key: str) -> ChatReply | ChatFailure:
            outcome = self._ask(key, asked[key], owner)
            count.one_more()
            return outcome

        outcomes.update(zip(missing, in_parallel(work, missing, self._width), strict=True))
        return self._handed_out(keys, outcomes)

    def _handed_out(
        self, keys: Sequence[str], outcomes: dict[str, ChatReply | ChatFailure]
    ) -> list[ChatReply | ChatFailure]:
        results: list[ChatReply | ChatFailure] = []
        for key in keys:
            outcome = outcomes[key]
            results.append(outcome)
            if isinstance(outcome, ChatReply):
                if outcome.recorded:
                    self.meter.hit(outcome)
                # From now on, an equal question of this batch is one that nothing was sent for.
                outcomes[key] = outcome.model_copy(update={"recorded": True})
        return results

    def _ask(self, key: str, request: ChatRequest, owner: Owner) -> ChatReply | ChatFailure:
        wait, longest = _POLL_SECONDS
        while (claim := self._ledger.claim(key, owner, request, self._served.model)) is Claim.THEIRS:
            self._pause(wait)
            wait = min(2 * wait, longest)
        if isinstance(claim, ChatReply):
            return claim
        answered = False
        try:
            with about(call=key[:12]):
                outcome = self._inner.complete([request])[0]
                _log(outcome)
            if isinstance(outcome, ChatReply):
                outcome = self._ledger.record(key, outcome)
                answered = True
            return outcome
        finally:
            if not answered:
                self._ledger.release(key, owner)


def _log(outcome: ChatReply | ChatFailure) -> None:
    if isinstance(outcome, ChatFailure):
        log.warning("a question to the LLM got no answer (%s, %d attempts)", outcome.kind, outcome.attempts)
        return
    cost = outcome.cost
    fields = {"tokens_in": cost.tokens_in, "tokens_out": cost.tokens_out, "seconds": round(cost.seconds, 3)}
    log.debug("the LLM has answered", extra={"fields": fields})


class _Count:
    """How much of a batch is done, counted over threads."""

    def __init__(self, total: int, told: Callable[[int, int], None] | None) -> None:
        self._done = 0
        self._total = total
        self._told = told
        self._lock = threading.Lock()

    def one_more(self) -> None:
        with self._lock:
            self._done += 1
            if self._told:
                self._told(self._done, self._total)


def _recorded(key: str, reply: str) -> ChatReply:
    try:
        return ChatReply.model_validate_json(reply).model_copy(update={"recorded": True})
    except ValidationError as error:
        what = f"the ledger's answer to question {key[:12]} cannot be read"
        raise StoreError(what, "it was written by another version, or damaged: delete that row") from error
