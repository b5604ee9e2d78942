"""Puts the parts of a run together: chat model, encoder, store. Nothing here decides a method."""

from collections.abc import Callable
from importlib.util import find_spec

from agent.errors import ModelError
from agent.protocols import Embedder
from agent.recipe import WeightsUsed
from serving.connect import Served, Setting
from serving.database import open_database
from serving.llm import identity
from serving.llm.chat import LangChainChat
from serving.llm.ledger import Ledger, LedgeredChat
from serving.llm.meter import Cap, Meter
from serving.llm.probe import demand_reads
from serving.models.resolve import Loaded
from serving.runs.job import Job
from serving.runs.spending import Spending
from serving.runs.store import Store
from serving.settings import Settings


def connect(setting: Setting) -> Served:
    """The LLM that the settings name, able to give label probabilities. Raises EngineError where it is not."""
    served = setting.connect()
    demand_reads(served.honours)
    return served


def chat(
    settings: Settings,
    served: Served,
    store: Store,
    progress: Callable[[int, int], None] | None = None,
    meter: Meter | None = None,
) -> LedgeredChat:
    """The connected LLM behind the ledger."""
    meter = meter or Meter()
    inner = LangChainChat(
        served.urls,
        served.model,
        served.honours,
        api_key=settings.api_key,
        timeout=settings.llm_timeout,
        meter=meter,
    )
    server = None if served.hash else served.urls[0]
    whose = identity.Served(model=served.model, weights=served.hash, dtype=served.dtype, server=server)
    return LedgeredChat(inner, Ledger(store.engine), whose, wire=inner.wire, meter=meter, progress=progress)


def capped(job: Job, store: Store) -> Meter:
    """What counts the requests of a run, and keeps to its caps over all processes that work on it."""
    caps = job.caps
    if not caps.of_llm:
        return Meter()
    account = Spending(store.engine, job.id)
    cap = Cap(requests=caps.requests, tokens=caps.tokens, seconds=caps.seconds)
    return Meter(cap, account.used(), account.book)


def encoder(setting: Setting) -> tuple[Loaded, Embedder]:
    """The sentence encoder: weights on this machine, and an embedder that computes each text once.

    Raises:
        ModelError: the weights cannot be had, or what computes them is not installed.
    """
    from agent.embed import CachedEmbedder, SentenceEncoder

    absent = [name for name in ("torch", "transformers") if find_spec(name) is None]
    if absent:
        raise ModelError(f"{' and '.join(absent)} cannot be imported here", "pip install 'thresher[student]'")
    loaded = setting.models().resolve(setting.settings.encoder)
    return loaded, CachedEmbedder(SentenceEncoder(loaded.path), setting.settings.cache / "embeddings")


def open_store(settings: Settings) -> Store:
    """The one database of this user."""
    return Store(open_database(settings.database or settings.home / "thresher.db"))


def used(model: Loaded | Served) -> WeightsUsed:
    """A model as the record of a run names it."""
    if isinstance(model, Loaded):
        return WeightsUsed(name=model.name, variant=model.variant, source=model.source, hash=model.hash)
    return WeightsUsed(
        name=model.model, variant=model.variant or "", source=model.source or "given URL", hash=model.hash or ""
    )
