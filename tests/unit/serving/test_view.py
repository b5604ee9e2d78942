"""A run as others see it while a round is open: people's part from the queue, the LLM's from what is recorded."""

from pathlib import Path

from fastapi.testclient import TestClient

from agent.domain import Batch, Cost, Round
from agent.lab import Labels
from serving.app import create_app
from serving.database import open_database
from serving.llm.meter import Used
from serving.runs.picks import Picks
from serving.runs.reviews import Reviews
from serving.runs.spending import Spending
from serving.runs.store import Store
from serving.runs.view import shown, shown_all
from serving.settings import Settings
from serving.shapes_runs import Caps, Charged
from tests.support.review_toys import NAMES, SUNNY, asks
from tests.support.toy_jobs import toy_job
from tests.unit.serving.test_reviews_http import picks

CALLS = Cost(calls=7, tokens_in=70, seconds=1.5)


def begun(folder: Path, people: str) -> tuple[Store, str, str]:
    """A store with one run; its id, and where the steps of its own cell are."""
    store, job = Store(open_database(folder / "runs.db")), toy_job(people=people, budget=8)
    store.begin(job.id, job.model_dump_json(), str(folder), "service")
    return store, job.id, f"{job.main.key()}/"


def test_an_open_round_counts_as_far_as_it_is(tmp_path: Path) -> None:
    store, run, start = begun(tmp_path, "queue")
    reviews, journal = Reviews(store.engine), store.journal(run, start)
    journal.step("0/query", Batch, lambda: Batch(picks=(), by="llm:toy", cost=CALLS))
    Picks(store.engine).put(run, 0, picks("a", "b"))
    store.mark(run, "waiting", "people")
    found = shown(store, store.get(run))
    assert (found.human_labels, found.cost.calls, found.why) == (
        0,
        7,
        "people have looked over 0 of 2 picks of the LLM in round 1",
    )
    assert found.asked is not None
    assert found.asked.kind == "picks"
    assert Picks(store.engine).decide(run, None, keep=True) == 0
    assert Picks(store.engine).decided(run, 0) == {}

    reviews.put(run, 0, asks(3), NAMES)
    store.mark(run, "waiting", "people")
    item = reviews.lease(run, "ann")
    assert item is not None
    reviews.answer(item.token, SUNNY, 0.0)
    found = shown(store, store.get(run))
    assert (found.human_labels, found.why) == (1, "people have given 1 of 3 labels in round 1")
    assert found.cost.human_labels == 1, "one answer, one number"
    assert shown_all(store, [store.get(run)])[0].human_labels == 1, "in a list as well"
    for _ in range(2):
        item = reviews.lease(run, "ann")
        assert item is not None
        reviews.answer(item.token, SUNNY, 0.0)
    assert shown(store, store.get(run)).asked is None, "nothing is asked any more"

    paid = Cost(human_labels=3, human_seconds=9.0)
    journal.step("0/annotate", Labels, lambda: Labels(annotations=(), cost=paid + CALLS))
    found = shown(store, store.get(run))
    assert (found.human_labels, found.cost.calls, found.cost.human_seconds) == (3, 14, 0.0), "people are counted once"
    round_ = Round(index=0, sizes={}, human_labels=3, machine_labels=5, cost=paid + CALLS + CALLS)
    journal.step("0/round", Round, lambda: round_)
    found = shown(store, store.get(run))
    assert (found.human_labels, found.machine_labels, found.cost) == (3, 5, paid + CALLS + CALLS)


def test_without_a_queue_the_steps_say_what_people_gave(tmp_path: Path) -> None:
    store, run, start = begun(tmp_path, "simulated")
    paid = Cost(human_labels=3, human_seconds=24.0)
    store.journal(run, start).step("0/annotate", Labels, lambda: Labels(annotations=(), cost=paid + CALLS))
    found = shown(store, store.get(run))
    assert (found.human_labels, found.cost, found.asked) == (3, paid + CALLS, None)


def test_what_is_spent_stands_against_the_caps(tmp_path: Path) -> None:
    caps = Caps(requests=100, seconds=0, human_minutes=30)
    app = create_app(Settings(home=tmp_path, cache=tmp_path, engine_url="http://127.0.0.1:9"))
    store, job = app.state.desk.store, toy_job(people="queue").model_copy(update={"caps": caps})
    store.begin(job.id, job.model_dump_json(), str(tmp_path), "service")
    assert shown(store, store.get(job.id)).charged == Charged(requests=0, tokens=0, seconds=0)
    Spending(store.engine, job.id).book(Used(requests=40, tokens=1200, seconds=2.0))
    found = shown(store, store.get(job.id))
    assert (found.caps, found.charged) == (caps, Charged(requests=40, tokens=1200, seconds=2.0))
    page = " ".join(TestClient(app).get(f"/runs/{job.id}").text.split())
    assert 'LLM requests against the cap</dt><dd>40 of 100<meter min="0" max="100" value="40"' in page
    assert "LLM seconds against the cap</dt><dd>2 of 0</dd>" in page
    assert "LLM tokens against the cap" not in page, "nobody capped them"
    assert '0.0 of 30 min<meter min="0" max="30.0" value="0.0"' in page
    app.state.desk.database.dispose()


def test_a_run_without_caps_has_nothing_to_stand_against(tmp_path: Path) -> None:
    store, run, _ = begun(tmp_path, "queue")
    found = shown(store, store.get(run))
    assert (found.caps, found.charged) == (Caps(), None)
