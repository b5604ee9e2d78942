"""A study from beginning to end: everything is checked and brought, what is not recorded is done, results are left."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from agent.errors import StoreError
from agent.protocols import Embedder
from agent.recipe import Recipe
from evaluation.datasets import Fetcher
from evaluation.records import Cell as CellRecord
from evaluation.study import Study
from serving.connect import Served, Setting
from serving.data.fetch import DataFetcher
from serving.llm.probe import demand_reads
from serving.runs import wiring
from serving.runs.store import Store
from serving.runs.wishes import demand_single
from serving.studies.data import DataSet, data_set
from serving.studies.hand import Bundle, Done, Spent, Vectors
from serving.studies.hands import Hands
from serving.studies.jobs import Item, Weights, items
from serving.studies.screen import StudyScreen

_LOOK = 0.5


@dataclass(frozen=True)
class Ready:
    """A study with everything that it needs; nothing of it has been done in this process yet."""

    study: Study
    items: tuple[Item, ...]
    bundle: Bundle
    store: Store
    weights: Weights


@dataclass(frozen=True)
class Ended:
    """What was done of a study, by key of the item, now or before."""

    done: dict[str, Done]
    late: bool
    """True where the time was up before all was done."""


def prepare(study: Study, setting: Setting, out: Path, fetcher: Fetcher | None = None) -> Ready:
    """Brings data and models and records that the study begins. Raises ThresherError as `brought`."""
    return ready(study, *brought(study, setting, fetcher), out)


def brought(study: Study, setting: Setting, fetcher: Fetcher | None = None) -> tuple[Bundle, Weights]:
    """Data and models.

    Raises:
        ThresherError: anything that would fail later: data that are missing or too few, no encoder, no LLM.
    """
    sets = data_sets(study, setting, fetcher)
    encoder, embed = wiring.encoder(setting)
    served = connected(study, setting) if needs_llm(study) else None
    weights = Weights(wiring.used(encoder), wiring.used(served) if served else None)
    bundle = Bundle(
        run=f"study-{study.name}",
        settings=setting.settings,
        sets=sets,
        vectors=encoded(sets, embed, setting.say),
        encoder=embed.name,
        checkpoint=encoder.path,
        served=served,
    )
    return bundle, weights


def data_sets(study: Study, setting: Setting, fetcher: Fetcher | None = None) -> dict[str, DataSet]:
    return {name: data_set(study, name, fetcher or DataFetcher.of(setting)) for name in study.sets}


def ready(study: Study, bundle: Bundle, weights: Weights, out: Path, work: tuple[Item, ...] | None = None) -> Ready:
    """Everything is at hand: the study is recorded, so that what it does has a place.

    Args:
        work: other items than the study's own recipes amount to.

    Raises:
        BadInput: an arm writes texts and a set holds pairs of them.
    """
    for data in bundle.sets.values():
        demand_single(recipes(study), data.pool)
    work = items(study, bundle.sets, weights) if work is None else work
    store = wiring.open_store(bundle.settings)
    store.begin(bundle.run, study.model_dump_json(), str(out.resolve()), "study")
    return Ready(study, work, bundle, store, weights)


def needs_llm(study: Study) -> bool:
    """Whether any arm, student or reference row asks an LLM."""
    return bool(study.llm.test_reads) or any(recipe.asks_llm for recipe in recipes(study))


def recipes(study: Study) -> list[Recipe]:
    """Of each arm, with every student that runs it."""
    return [study.recipe(*pair) for pair in study.pairs]


def connected(study: Study, setting: Setting) -> Served:
    served = setting.connect(study.llm.model)
    demand_reads(served.honours)
    return served


def encoded(sets: dict[str, DataSet], embed: Embedder, say: Callable[[str], None]) -> dict[str, Vectors]:
    """The vectors of every text of every set, so that no cell waits for the encoder."""
    found: dict[str, Vectors] = {}
    for name, data in sets.items():
        say(f"{name}: {len(data.pool.columns)} texts in the pool, {len(data.test.columns)} in the test part; encoding")
        pool, test = (np.asarray(embed.embed(part.columns), np.float32) for part in (data.pool, data.test))
        found[name] = pool, test
    return found


def carry_out(
    work: Ready, make: Callable[[Bundle], Hands], screen: StudyScreen, clock: Callable[[], float] = time.monotonic
) -> Ended:
    """Does what is not recorded, in order, until all is done or the study's minutes are over."""
    begun, study = clock(), work.study
    done = recorded(work)
    waiting = [item for item in work.items if item.key not in done]
    limit = None if study.minutes is None else begun + 60 * study.minutes
    late = False
    if waiting:
        hands = make(work.bundle)
        screen.begins(waiting, len(done), hands.width, study.llm.at_once)
        try:
            late = _work(waiting, hands, done, screen, study.llm.at_once, lambda: limit is not None and clock() > limit)
        finally:
            hands.stop()
    return Ended(done, late)


def _work(
    waiting: Sequence[Item],
    hands: Hands,
    done: dict[str, Done],
    screen: StudyScreen,
    lanes: int,
    over: Callable[[], bool],
) -> bool:
    """True where time was up before everything was done. At most `lanes` items at once ask the LLM."""
    left, running = list(waiting), dict[str, Item]()
    while left or running:
        if over():
            return True
        while len(running) < hands.width and (place := _next(left, list(running.values()), lanes)) is not None:
            item = left.pop(place)
            running[item.key] = item
            hands.submit(item)
        for item, result in hands.finished(_LOOK):
            del running[item.key]
            done[item.key] = result
            screen.finished(item, result)
    return False


def _next(left: Sequence[Item], running: Sequence[Item], lanes: int) -> int | None:
    """The place of the first item that may start now; None where none may.

    The engine is shared, so that items behind one that waits for it go ahead.
    """
    asking = sum(item.asks_llm for item in running)
    return next((i for i, item in enumerate(left) if asking < lanes or not item.asks_llm), None)


def recorded(work: Ready) -> dict[str, Done]:
    """What the store holds of this study's items, by key."""
    ours = {item.key for item in work.items}
    cells = work.store.recorded(work.bundle.run, "", "/cell")
    spent = work.store.recorded(work.bundle.run, "", "/spent")
    found: dict[str, Done] = {}
    for step, text in cells.items():
        key = step.removesuffix("/cell")
        if key not in ours:
            continue
        try:
            record = CellRecord.model_validate_json(text)
        except ValidationError as error:
            what = f"cell {key!r} was recorded in another form ({error.error_count()} differences)"
            raise StoreError(what, "give the study another name") from error
        seconds = Spent.model_validate_json(spent[f"{key}/spent"]) if f"{key}/spent" in spent else None
        found[key] = Done(record=record, spent=seconds)
    return found
