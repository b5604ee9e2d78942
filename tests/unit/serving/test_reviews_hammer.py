"""The review queue under many hands at once, and under any order of doings: nothing lost, nothing twice."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine

from serving.database import open_database
from serving.runs.review_queue import Item
from serving.runs.reviews import Lost, Reviews
from tests.support.review_toys import RAINY, RUN, SUNNY, UNDECIDED, Clock, queue, sound, state

TEXTS, THREADS = 200, 8


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """Of an empty database."""
    opened = open_database(database)
    yield opened
    opened.dispose()


class Held:
    """Who works on which text, as the people themselves see it: the leases that none of them has let run out."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._until: dict[tuple[int, int], tuple[str, float]] = {}
        self.twice: list[str] = []

    def take(self, item: Item, who: str) -> None:
        copy = (item.position, int(item.token.split("-")[0]))
        with self._lock:
            other, until = self._until.get(copy, (who, 0.0))
            if item.expires <= self._clock.now:
                return  # it ran out before it could be noted
            if other != who and until > self._clock.now:
                self.twice.append(f"{who} was given {item.ask.example} while {other} held it")
            self._until[copy] = (who, item.expires)

    def leave(self, item: Item) -> None:
        """Before the text is given back, so that nobody who gets it then is accused."""
        with self._lock:
            self._until.pop((item.position, int(item.token.split("-")[0])), None)


def labelling(reviews: Reviews, who: str, seed: int, held: Held, clock: Clock) -> int:
    """One person until nothing is left for them: skips, dawdles, undoes, submits twice. Returns answers refused."""
    rng, refused = random.Random(seed), 0
    while (item := reviews.lease(RUN, who)) is not None:
        held.take(item, who)
        doing = rng.random()
        if doing < 0.1:
            held.leave(item)
            reviews.skip(item.token)
        elif doing < 0.15:
            clock.turn(61)  # everybody's lease runs out
        elif doing < 0.2 and (again := reviews.undo(RUN, who)) is not None:
            held.take(again, who)
        else:
            refused += not submitted(reviews, item, rng, held)
    return refused


def submitted(reviews: Reviews, item: Item, rng: random.Random, held: Held) -> bool:
    """An answer, sometimes sent twice; False where the text was somebody else's by then."""
    held.leave(item)
    choice, lost = rng.choice((SUNNY, RAINY, UNDECIDED)), None
    try:
        first = reviews.answer(item.token, choice)
    except Lost as error:
        lost = error
    if lost is not None:
        assert lost.choice == choice, "what the person said is told back"
        return False
    assert first.choice == choice
    if rng.random() < 0.3:
        second = reviews.answer(item.token, SUNNY)
        assert second.repeated
        assert second.choice == choice
    return True


@pytest.mark.parametrize("overlap", [1, 3])
def test_eight_people_at_once_lose_nothing_and_double_nothing(engine: Engine, overlap: int) -> None:
    clock = Clock()
    n = TEXTS // overlap
    reviews = queue(engine, clock, n, overlap=overlap)
    held = Held(clock)
    with ThreadPoolExecutor(THREADS) as pool:
        hands = [pool.submit(labelling, reviews, f"p{i}", i, held, clock) for i in range(THREADS)]
        for hand in hands:
            hand.result()
    assert labelling(reviews, "late", 99, held, clock) >= 0  # what lay with somebody who had gone home already
    clock.now += 61
    for i in range(THREADS):
        labelling(reviews, f"p{i}", 100 + i, held, clock)
    assert held.twice == []
    found = reviews.answered(RUN, 0)
    assert found is not None
    assert len(found) == n * overlap
    assert len({(g.example, g.who) for g in found}) == n * overlap
    assert sum(g.paid for g in found) == n * overlap
    assert state(engine) == "queued"
    sound(engine, n, overlap)


def test_one_person_at_many_windows_gets_no_text_twice(engine: Engine) -> None:
    reviews = queue(engine, Clock(), 20, overlap=2)

    def window(_: int) -> None:
        while (item := reviews.lease(RUN, "ann")) is not None:
            try:
                reviews.answer(item.token, SUNNY)
            except Lost:
                continue

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(window, range(THREADS)))
    sound(engine, 20, 2)
    progress = reviews.progress(RUN, "ann")
    assert progress is not None
    assert (progress.done, progress.mine, progress.complete) == (20, 20, False)


class People(RuleBasedStateMachine):
    """Three people do whatever they like with six texts of two answers each; the run reads when it may."""

    who = st.sampled_from(["ann", "bob", "eve"])
    what = st.sampled_from([SUNNY, RAINY, UNDECIDED])

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.engine = open_database(Path(self.folder.name) / "thresher.db")
        self.clock = Clock()
        self.reviews = queue(self.engine, self.clock, 3, overlap=2)
        self.held: dict[str, Item] = {}
        self.tokens: list[str] = []
        self.said: dict[tuple[str, str], object] = {}
        """What each person last said of each text, and has not taken back."""
        self.read = False

    @rule(who=who)
    def take(self, who: str) -> None:
        item = self.reviews.lease(RUN, who)
        if item is not None:
            self.held[who] = item
            self.tokens.append(item.token)

    @rule(who=who, choice=what)
    def answer(self, who: str, choice: object) -> None:
        item = self.held.pop(who, None)
        if item is None:
            return
        try:
            receipt = self.reviews.answer(item.token, choice)
        except Lost:
            return
        if not receipt.repeated:
            self.said[who, item.ask.example] = choice

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def answer_again(self, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(self.tokens))
        if any(item.token == token for item in self.held.values()):
            return
        holder = self.reviews.holder(token)
        try:
            receipt = self.reviews.answer(token, SUNNY)
        except Lost:
            return
        assert holder is not None
        if not receipt.repeated:
            self.said[holder[1], receipt.example] = SUNNY

    @rule(who=who)
    def skip(self, who: str) -> None:
        if (item := self.held.pop(who, None)) is not None:
            self.reviews.skip(item.token)

    @rule(who=who)
    def undo(self, who: str) -> None:
        item = self.reviews.undo(RUN, who)
        if item is None:
            return
        assert item.chosen == self.said[who, item.ask.example]
        if not self.read:
            del self.said[who, item.ask.example]
        self.held[who] = item
        self.tokens.append(item.token)

    @rule(seconds=st.sampled_from([1, 61]))
    def wait(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule()
    def look(self) -> None:
        found = self.reviews.answered(RUN, 0)
        if found is not None:
            self.read = True
            assert {(g.who, g.example): g.choice for g in found} == self.said

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "engine"):
            return
        sound(self.engine, 3, 2)
        late = {(g.who, g.example): g.choice for g in self.reviews.late(RUN)}
        assert late.items() <= self.said.items()
        if not self.read:
            assert late == self.said

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.dispose()
            self.folder.cleanup()


def test_any_order_of_doings_leaves_the_queue_sound() -> None:
    quick = settings(
        max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    run_state_machine_as_test(People, settings=quick)
