"""Runs and journals in the database: what was recorded first stands, whoever comes second."""

import multiprocessing
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from agent.domain import Round
from agent.errors import StoreError
from serving.database import open_database, writing
from serving.runs.journal import LostLease
from serving.runs.lease import Busy, Lease
from serving.runs.store import NoRun, Store, waiting_over
from serving.system.owner import new_owner

ROUND = Round(index=0, sizes={"labelled": 1}, measures={"mean_entropy": 0.1 + 0.2})


@pytest.fixture
def empty(database: str) -> Iterator[Engine]:
    engine = open_database(database)
    yield engine
    engine.dispose()


@pytest.fixture
def store(empty: Engine) -> Store:
    made = Store(empty)
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


def race(url: str, mine: int, barrier: object, out: object) -> None:
    journal = Store(open_database(url)).journal("films-1")

    def compute() -> int:
        barrier.wait(30)
        return mine

    out.put(journal.step("x", int, compute))


def test_two_processes_end_with_one_value(store: Store, database: str) -> None:
    context = multiprocessing.get_context("fork")
    barrier, out = context.Barrier(2), context.Queue()
    store.engine.dispose()
    both = [context.Process(target=race, args=(database, i, barrier, out)) for i in (1, 2)]
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


def test_an_unknown_run_is_refused_with_the_newest_ones(store: Store) -> None:
    for i in range(2, 9):
        store.begin(f"films-{i}", "{}", "")
    with pytest.raises(StoreError, match=r"no run 'films-9'; known: films-8, films-7, films-6, films-5, films-4$"):
        store.get("films-9")


def test_where_there_are_no_runs_the_refusal_says_so(empty: Engine) -> None:
    with pytest.raises(StoreError, match="there are none yet"):
        Store(empty).get("x")


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


def test_only_one_holds_a_run_and_a_later_claim_shuts_the_earlier_one_out(empty: Engine) -> None:
    now = [1000.0]
    store = Store(empty, clock=lambda: now[0])
    store.begin("films-1", "{}", "/results", "service")
    first = store.claim("films-1", "elsewhere|1|1|a", 30)
    assert first == 1
    assert store.claim("films-1", "elsewhere|2|2|b", 30) is None
    assert store.claimable() == ()
    assert store.renew("films-1", first, 30)

    now[0] += 31
    assert store.claimable() == ("films-1",)
    second = store.claim("films-1", "elsewhere|2|2|b", 30)
    assert second == 2
    assert not store.renew("films-1", first, 30)
    with pytest.raises(LostLease, match="another process works on run 'films-1' by now"):
        store.journal("films-1", fence=first).step("0/round", Round, lambda: ROUND)
    with pytest.raises(LostLease):
        store.mark("films-1", "done", fence=first)
    assert store.journal("films-1", fence=second).step("0/round", Round, lambda: ROUND) == ROUND

    store.release("films-1", first)
    assert store.claim("films-1", "elsewhere|3|3|c", 30) is None, "who lost a claim cannot give it back"
    store.release("films-1", second)
    assert store.claim("films-1", "elsewhere|3|3|c", 30) == 3


def test_the_claim_of_a_dead_process_is_taken_over_at_once(store: Store) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "from serving.system.owner import new_owner; print(new_owner())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert store.claim("films-1", dead, 3600) == 1
    assert store.claim("films-1", str(new_owner()), 3600) == 2
    assert store.claim("films-1", dead, 3600) is None


def test_a_lease_is_renewed_while_it_is_held_and_given_back_after(store: Store) -> None:
    with Lease(store, "films-1", seconds=0.3) as lease:
        time.sleep(0.7)
        assert not lease.lost.is_set()
        with pytest.raises(Busy, match="another process works on run 'films-1'"), Lease(store, "films-1"):
            raise AssertionError
    with Lease(store, "films-1") as again:
        assert again.fence == lease.fence + 1


def test_a_service_works_on_its_own_runs_only_the_oldest_first(store: Store) -> None:
    for name in ("b", "a", "c"):
        store.begin(name, "{}", f"/{name}", "service")
    store.mark("c", "waiting", "2 examples wait for a person")
    assert store.claimable() == ("b", "a")


@pytest.mark.parametrize("answered_early", [False, True])
def test_a_run_whose_people_have_answered_goes_on(store: Store, answered_early: bool) -> None:
    """Also where the last answer falls between its looking for answers and its saying that it waits."""
    store.begin("people", "{}", "/people", "service")
    fence = store.claim("people", str(new_owner()), 30)
    store.mark("people", "running", fence=fence)
    if not answered_early:
        store.mark("people", "waiting", "1 example waits", fence)
    with writing(store.engine) as connection:
        waiting_over(connection, "people")
    if answered_early:
        store.mark("people", "waiting", "1 example waits", fence)
    assert store.get("people").state == "queued"


def test_every_step_and_every_change_of_state_is_an_event_in_order(store: Store) -> None:
    store.journal("films-1", "a/").step("0/round", Round, lambda: ROUND)
    store.mark("films-1", "done", "budget: spent")
    store.begin("films-2", "{}", "/two")
    told = [(event.kind, event.data) for event in store.events("films-1")]
    assert told == [
        ("state", {"state": "running", "why": ""}),
        ("step", {"key": "a/0/round"}),
        ("state", {"state": "done", "why": "budget: spent"}),
    ]
    first, *rest = store.events("films-1")
    assert list(store.events("films-1", first.seq)) == rest


def test_runs_are_listed_in_pages(store: Store) -> None:
    for i in range(5):
        store.begin(f"run-{i}", "{}", "/x", "service")
    first = [run.id for run in store.list(limit=3)]
    second = [run.id for run in store.list(limit=3, after=first[-1])]
    assert first == ["run-4", "run-3", "run-2"]
    assert second == ["run-1", "run-0", "films-1"]
    assert [run.id for run in store.list(state="running")] == ["films-1"]
    with pytest.raises(NoRun):
        store.list(after="nothing")


def test_of_how_far_a_run_is_only_the_latest_is_kept(store: Store) -> None:
    assert store.told("films-1") is None
    fence = store.claim("films-1", "me", 60)
    assert fence is not None
    seen = [0]
    for share in (0.1, 0.2, 0.3):
        store.tell("films-1", "progress", {"share": share}, fence)
        store.tell("films-1", "cell", {"said": f"{share}"}, fence)
        seen.append(store.events("films-1")[-1].seq)
    assert [event.data for event in store.events("films-1") if event.kind == "progress"] == [{"share": 0.3}]
    assert sum(event.kind == "cell" for event in store.events("films-1")) == 3
    assert seen == sorted(set(seen)), "a number is never used again: who follows misses nothing"
    assert store.told("films-1") == {"share": 0.3}
    with pytest.raises(LostLease):
        store.tell("films-1", "progress", {"share": 0.4}, fence - 1)


def test_who_cancels_a_run_shuts_its_process_out(store: Store) -> None:
    fence = store.claim("films-1", "me", 60)
    assert fence is not None
    assert store.move("films-1", ("queued", "running"), "cancelled", "by request")
    with pytest.raises(LostLease):
        store.mark("films-1", "running", fence=fence)
    with pytest.raises(LostLease):
        store.journal("films-1", "a/", fence).step("0/round", Round, lambda: ROUND)
    assert store.get("films-1").state == "cancelled"


def test_a_run_that_is_over_meanwhile_is_not_cancelled(store: Store) -> None:
    store.mark("films-1", "done", "budget: spent")
    assert not store.move("films-1", ("queued", "running", "waiting"), "cancelled")
    assert store.get("films-1").state == "done"
