"""A review queue of a toy run, with a clock that tests turn."""

import threading

from sqlalchemy import Engine, func, select

from serving.database import reading
from serving.runs.review_queue import Ask, Choice, Suggestion
from serving.runs.review_tables import answers, copies, rounds
from serving.runs.reviews import Reviews
from serving.runs.store import Store

RUN = "toy-1"
NAMES = ("sunny", "rainy")
SUNNY, RAINY = Choice(verdict="label", label="sunny"), Choice(verdict="label", label="rainy")
BAD, UNDECIDED = Choice(verdict="bad_text"), Choice(verdict="undecided")


class Clock:
    """Seconds since 1970, as the test says."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self._lock = threading.Lock()

    def turn(self, seconds: float) -> None:
        """From any thread; time never goes back."""
        with self._lock:
            self.now += seconds

    def __call__(self) -> float:
        return self.now


def queue(database: Engine, clock: Clock, n: int = 0, **kinds: float) -> Reviews:
    """The queue of a run that waits for `n` texts of round 0; `kinds` go to `Reviews.put`."""
    store = Store(database)
    store.begin(RUN, "{}", "somewhere")
    made = Reviews(database, lease=60.0, clock=clock)
    if n:
        made.put(RUN, 0, asks(n), NAMES, **kinds)  # type: ignore[arg-type]  # an overlap is whole
        store.mark(RUN, "waiting", "people")
    return made


def asks(n: int, machine: str | None = None, prefix: str = "x") -> list[Ask]:
    suggestion = None if machine is None else Suggestion(label=machine, confidence=0.7, by="llm:toy")
    return [Ask(example=f"{prefix}{i}", text=f"text {i}", suggestion=suggestion) for i in range(n)]


def state(database: Engine) -> str:
    return Store(database).get(RUN).state


def sound(database: Engine, n: int, overlap: int) -> None:
    """Nothing lost, nothing twice, and every count is what can be counted."""
    with reading(database) as connection:
        rows = connection.execute(select(copies)).all()
        standing = connection.execute(select(answers).where(answers.c.state == "stands")).all()
        counts = connection.execute(select(func.sum(rounds.c.total), func.sum(rounds.c.done))).one()
    assert len(rows) == n * overlap
    held = [(row.review, row.who) for row in rows if row.who is not None]
    assert len(held) == len(set(held)), "one person has two copies of one text"
    done = {row.id: row for row in rows if row.state == "done"}
    assert sorted(done) == sorted(row.copy for row in standing), "a copy is done exactly where one answer stands"
    assert all(done[row.copy].who == row.who for row in standing)
    assert (int(counts[0]), int(counts[1])) == (len(rows), len(done))
