"""Runs and journals in the database: what was recorded first stands, whoever comes second."""

import multiprocessing
from pathlib import Path

import pytest

from agent.domain import Round
from agent.errors import StoreError
from serving.database import open_database
from serving.runs.store import Store

ROUND = Round(index=0, sizes={"labelled": 1}, measures={"mean_entropy": 0.1 + 0.2})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(open_database(tmp_path / "thresher.db"))
    made.begin("films-1", "{}", "/results/one")
    return made


def never() -> Round:
    raise AssertionError("this step is recorded")


def test_a_step_is_computed_once_and_read_back_equal(store: Store) -> None:
    journal = store.journal("films-1", "agent/0/0/")
    assert journal.step("0/round", Round, lambda: ROUND) == ROUND
    assert journal.step("0/round", Round, never) == ROUND
    assert store.journal("films-1").step("agent/0/0/0/round", Round, never) == ROUND
    assert list(journal.keys()) == ["agent/0/0/0/round"]


def test_a_step_that_fails_is_not_recorded(store: Store) -> None:
    journal = store.journal("films-1")
    with pytest.raises(AssertionError, match="recorded"):
        journal.step("0/round", Round, never)
    assert journal.keys() == {}
    assert journal.step("0/round", Round, lambda: ROUND) == ROUND


def test_parts_and_runs_are_apart(store: Store) -> None:
    store.begin("films-2", "{}", "/results/two")
    store.journal("films-1", "a_/").step("x", Round, lambda: ROUND)
    other = ROUND.model_copy(update={"index": 7})
    assert store.journal("films-1", "ab/").step("x", Round, lambda: other).index == 7
    assert store.journal("films-2", "a_/").step("x", Round, lambda: other).index == 7
    assert list(store.journal("films-1", "a_/").keys()) == ["a_/x"], "an underscore is no wildcard"


def test_while_another_process_computes_the_first_value_stands(store: Store) -> None:
    def slow() -> Round:
        store.journal("films-1").step("x", Round, lambda: ROUND)  # the other one was quicker
        return ROUND.model_copy(update={"index": 9})

    assert store.journal("films-1").step("x", Round, slow) == ROUND


def test_a_value_of_another_form_is_refused_with_what_to_do(store: Store) -> None:
    store.journal("films-1").step("x", int, lambda: 5)
    with pytest.raises(
        StoreError, match=r"step 'x' of run 'films-1' was recorded in another form .*; continue it with"
    ):
        store.journal("films-1").step("x", Round, never)


def race(path: Path, mine: int, barrier: object, out: object) -> None:
    journal = Store(open_database(path)).journal("films-1")

    def compute() -> int:
        barrier.wait(30)
        return mine

    out.put(journal.step("x", int, compute))


def test_two_processes_end_with_one_value(store: Store, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier, out = context.Barrier(2), context.Queue()
    store.engine.dispose()
    both = [context.Process(target=race, args=(tmp_path / "thresher.db", i, barrier, out)) for i in (1, 2)]
    for process in both:
        process.start()
    found = [out.get(timeout=60) for _ in both]
    for process in both:
        process.join(30)
    assert found[0] == found[1]
    assert found[0] in (1, 2)


def test_beginning_a_known_run_gives_what_is_there(store: Store) -> None:
    store.mark("films-1", "done")
    again = store.begin("films-1", "another job", "/elsewhere")
    assert (again.job, again.folder, again.state) == ("{}", "/results/one", "done")


def test_an_unknown_run_is_refused_with_the_newest_ones(store: Store, tmp_path: Path) -> None:
    for i in range(2, 9):
        store.begin(f"films-{i}", "{}", "")
    with pytest.raises(StoreError, match=r"no run 'films-9'; known: films-8, films-7, films-6, films-5, films-4$"):
        store.get("films-9")
    with pytest.raises(StoreError, match="there are none yet"):
        Store(open_database(tmp_path / "empty.db")).get("x")


def test_a_run_is_found_by_its_id_or_its_results(store: Store) -> None:
    store.begin("one", "{}", "/results/films-1")
    assert store.find("films-1", "/results/films-1").folder == "/results/one", "an id goes before a folder"
    assert store.find("anything", "/results/one").id == "films-1"
    with pytest.raises(StoreError, match="no run 'two'"):
        store.find("two", "/results/two")


def test_runs_are_listed_newest_first_with_their_state(store: Store) -> None:
    store.begin("films-2", "{}", "")
    store.mark("films-1", "failed", "no disk")
    assert [(run.id, run.state, run.why) for run in store.list()] == [
        ("films-2", "running", ""),
        ("films-1", "failed", "no disk"),
    ]
