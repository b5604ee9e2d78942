"""What does the cells, wherever it is: in this process, in one beside it, on another machine."""

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime
from threadpoolctl import threadpool_limits

from agent.embed import CachedEmbedder, SentenceEncoder
from agent.journal import MemoryJournal
from agent.protocols import ChatModel, Columns, Embedder, Floats, Journal
from evaluation.records import Cell as CellRecord
from evaluation.walltime import Span
from prompts.messages import Frozen
from serving.connect import Served
from serving.llm.ledger import LedgeredChat
from serving.runs import wiring
from serving.runs.store import Store
from serving.runs.worker import Worker
from serving.settings import Settings
from serving.studies.data import DataSet
from serving.studies.jobs import Item
from serving.studies.readings import reading
from serving.system import machine

Vectors = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Of the pool and of the test part, a row a text."""


class Spent(Frozen):
    """Where the seconds of a cell went, in the process that did it."""

    seconds: float
    parts: dict[str, float] = {}
    """`training`, `LLM`, `choosing`, `measuring`; the rest is neither."""
    machine: str = ""
    """The one that did it; empty in records from before cells said so, as `begun` is None there."""
    begun: AwareDatetime | None = None
    """UTC. It ended `seconds` later, whatever was done to the clock meanwhile."""

    @property
    def span(self) -> Span | None:
        if self.begun is None:
            return None
        return Span(self.machine, self.begun, self.begun + timedelta(seconds=self.seconds))


class Done(Frozen):
    """A cell that was done just now, or is recorded."""

    record: CellRecord
    spent: Spent | None = None


@dataclass(frozen=True)
class Bundle:
    """All that a hand needs from outside. It travels to other processes and machines, and weights do not: these have to
    lie in the same folder there, and the LLM's address has to be one that they reach."""

    run: str
    """Of the store, under which all cells of the study are recorded."""
    settings: Settings
    sets: dict[str, DataSet]
    vectors: dict[str, Vectors]
    """By set."""
    encoder: str = ""
    """Name of the encoder, as the vectors' origin; weights are looked for only where a cell has new texts."""
    checkpoint: Path | None = None
    served: Served | None = None
    chat: ChatModel | None = None
    """Instead of the one that `served` names."""


@dataclass
class Later:
    """A sentence encoder that is opened when it is first needed: texts of the data sets are encoded already."""

    name: str
    folder: Path | None
    _inner: Embedder | None = None

    def embed(self, texts: Columns) -> Floats:
        if self._inner is None:
            assert self.folder is not None, "texts of the data sets are known, and only an LLM writes others"
            self._inner = SentenceEncoder(self.folder, threads=1)
        return self._inner.embed(texts)


@dataclass
class Hand:
    """Does one cell after another. One thread each, so that as many hands as cores share a machine."""

    bundle: Bundle
    _store: Store | None = field(default=None, init=False)
    _chat: ChatModel | None = field(default=None, init=False)
    _embed: dict[str, CachedEmbedder] = field(default_factory=dict[str, CachedEmbedder], init=False)

    def do(self, item: Item) -> Done:
        """The cell's record: the one in the store where it is there, else made and stored."""
        journal = self._journal_of(item)
        made: list[Spent] = []

        def measured() -> CellRecord:
            worker, where = self._worker(item), self._machine
            at, begun = datetime.now(UTC), worker.watch.clock()
            with threadpool_limits(1):
                record = self._record(item, worker, journal)
            seconds, parts = worker.watch.clock() - begun, dict(worker.watch.seconds)
            made.append(Spent(seconds=seconds, parts=parts, machine=where, begun=at))
            return record

        record = journal.step("cell", CellRecord, measured)
        shutil.rmtree(self._students(item), ignore_errors=True)  # only needed to resume this very cell
        spent = journal.step("spent", Spent, partial(made.__getitem__, 0)) if made else None
        return Done(record=record, spent=spent)

    @cached_property
    def _machine(self) -> str:
        return machine.line()

    def close(self) -> None:
        if isinstance(self._chat, LedgeredChat):
            self._chat.close()

    def _record(self, item: Item, worker: Worker, journal: Journal) -> CellRecord:
        if item.kind == "reading":
            return reading(item.job, self.bundle.sets[item.data], self._asked(), journal, worker.watch)
        return worker.zero_shot()[0] if item.kind == "zero-shot" else worker.measured(item.job.main)

    def _journal_of(self, item: Item, prefix: str = "") -> Journal:
        if self._store is None:
            self._store = wiring.open_store(self.bundle.settings)
        return self._store.journal(self.bundle.run, f"{item.key}/{prefix}")

    def _worker(self, item: Item) -> Worker:
        data = self.bundle.sets[item.data]
        memory = MemoryJournal()  # of a cell that is done in a moment, only the result is worth a place in the store
        return Worker(
            job=item.job,
            table=data.pool,
            test=data.test,
            journal=partial(self._journal_of, item) if item.slow else lambda _: memory,
            students=self._students(item) if item.slow else None,
            screen=None,
            chat=self._asked() if item.asks_llm else None,
            embed=None if item.kind == "reading" else self._embedder(item.data),
            checkpoint=self.bundle.checkpoint,
        )

    def _students(self, item: Item) -> Path:
        return self.bundle.settings.home / "studies" / item.key.rsplit("/", 1)[1]

    def _asked(self) -> ChatModel:
        if self._chat is None and self.bundle.chat is not None:
            self._chat = self.bundle.chat
        if self._chat is None:
            assert self.bundle.served is not None
            assert self._store is not None
            self._chat = wiring.chat(self.bundle.settings, self.bundle.served, self._store)
        return self._chat

    def _embedder(self, name: str) -> CachedEmbedder:
        if name not in self._embed:
            data, vectors = self.bundle.sets[name], self.bundle.vectors[name]
            embed = CachedEmbedder(Later(self.bundle.encoder, self.bundle.checkpoint))
            embed.know(data.pool.columns, vectors[0])
            embed.know(data.test.columns, vectors[1])
            self._embed[name] = embed
        return self._embed[name]
