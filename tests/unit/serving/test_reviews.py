"""The review queue: who gets which text, what an answer ends, how one is changed, and what the run reads."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from sqlalchemy import Engine, select

from agent.domain import Example
from agent.errors import BadInput, CapReached, StoreError
from serving.database import open_database, reading
from serving.runs.late import with_late
from serving.runs.review_queue import NoToken, hidden
from serving.runs.review_tables import answers
from serving.runs.reviews import Given, Lost, Reviews
from serving.runs.reviews_people import QueuePeople
from serving.runs.store import Store
from tests.support.review_toys import (
    BAD,
    NAMES,
    RAINY,
    RUN,
    SUNNY,
    UNDECIDED,
    Clock,
    asks,
    queue,
    sound,
    state,
)


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """Of an empty database."""
    opened = open_database(database)
    yield opened
    opened.dispose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def leased(reviews: Reviews, who: str) -> tuple[str, str]:
    item = reviews.lease(RUN, who)
    assert item is not None
    return item.token, item.ask.example


def told(found: list[Given] | None) -> list[tuple[str, str, str | None, bool]]:
    assert found is not None
    return [(g.example, g.who, g.choice.label, g.paid) for g in found]


# who gets what


def test_each_person_gets_the_next_free_text_and_the_same_one_again_until_they_answer(
    engine: Engine, clock: Clock
) -> None:
    reviews = queue(engine, clock, 3)
    ann, bob = leased(reviews, "ann"), leased(reviews, "bob")
    assert (ann[1], bob[1]) == ("x0", "x1")
    assert leased(reviews, "ann") == ann, "a reload loses nothing"
    reviews.answer(ann[0], SUNNY)
    assert leased(reviews, "ann")[1] == "x2"
    assert reviews.lease(RUN, "eve") is None
    sound(engine, 3, 1)


def test_several_people_answer_one_text_and_nobody_twice(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock, 2, overlap=2)
    for who in ("ann", "ann", "bob", "bob"):
        reviews.answer(leased(reviews, who)[0], SUNNY)
    assert reviews.lease(RUN, "ann") is None
    assert sorted(told(reviews.answered(RUN, 0))) == [
        ("x0", "ann", "sunny", True),
        ("x0", "bob", "sunny", True),
        ("x1", "ann", "sunny", True),
        ("x1", "bob", "sunny", True),
    ]
    sound(engine, 2, 2)


def test_every_text_has_one_answer_before_any_has_two(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock, 2, overlap=2)
    assert [leased(reviews, who)[1] for who in ("ann", "bob", "eve", "dan")] == ["x0", "x1", "x0", "x1"]


def test_a_lease_that_ran_out_goes_to_somebody_else(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock, 1)
    first = leased(reviews, "ann")
    assert reviews.lease(RUN, "bob") is None
    clock.now += 61
    second = leased(reviews, "bob")
    assert second[1] == first[1]
    assert second[0] != first[0]
    with pytest.raises(Lost, match=r"went to somebody else; the answer was the label 'sunny'") as caught:
        reviews.answer(first[0], SUNNY)
    assert caught.value.choice == SUNNY
    assert reviews.answer(second[0], RAINY).complete
    sound(engine, 1, 1)


def test_a_late_answer_counts_where_nobody_took_the_text(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock, 1)
    token, _ = leased(reviews, "ann")
    clock.now += 10_000
    assert reviews.answer(token, SUNNY).complete
    assert state(engine) == "queued"


def test_a_skipped_text_comes_last_for_its_person_and_stays_open_for_others(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock, 3)
    for at in range(2):
        clock.now += at
        assert reviews.skip(leased(reviews, "ann")[0])
    assert leased(reviews, "bob")[1] == "x0"
    seen = []
    for _ in range(2):
        token, example = leased(reviews, "ann")
        seen.append(example)
        reviews.answer(token, SUNNY)
    assert seen == ["x2", "x1"]
    assert not reviews.skip(token), "it is answered"
    with pytest.raises(NoToken, match="7777-nothing"):
        reviews.skip("7777-nothing")
    sound(engine, 3, 1)


def test_a_run_that_is_over_hands_out_nothing_more(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock, 2)
    Store(engine).mark(RUN, "cancelled")
    assert reviews.lease(RUN, "ann") is None
    assert reviews.lease("unknown", "ann") is None


# answers


def test_the_last_answer_sets_a_waiting_run_back_to_work(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock, 2)
    first = reviews.answer(leased(reviews, "ann")[0], UNDECIDED)
    assert (first.done, first.total, first.complete, state(engine)) == (1, 2, False, "waiting")
    assert reviews.answered(RUN, 0) is None
    assert reviews.missing(RUN, 0) == ("x1",)
    assert reviews.answer(leased(reviews, "ann")[0], BAD).complete
    assert state(engine) == "queued"
    found = reviews.answered(RUN, 0)
    assert found is not None
    assert [g.choice for g in found] == [UNDECIDED, BAD]


def test_a_double_submit_stores_one_answer_and_says_the_same_twice(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock, 2)
    token, _ = leased(reviews, "ann")
    first, second = reviews.answer(token, SUNNY), reviews.answer(token, RAINY)
    assert (first.repeated, second.repeated) == (False, True)
    assert first.choice == second.choice == SUNNY
    assert (second.done, second.total) == (1, 2)
    sound(engine, 2, 1)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (SUNNY.model_copy(update={"label": "foggy"}), "'foggy' is no label of the task"),
        (SUNNY.model_copy(update={"label": None}), "None is no label"),
        (BAD.model_copy(update={"label": "sunny"}), "came with the label 'sunny'"),
        (BAD.model_copy(update={"verdict": "maybe"}), "no verdict 'maybe'"),
    ],
)
def test_what_the_task_does_not_know_is_refused_and_the_lease_stays(
    engine: Engine, clock: Clock, choice: object, said: str
) -> None:
    reviews = queue(engine, clock, 1)
    token, _ = leased(reviews, "ann")
    with pytest.raises(BadInput, match=said):
        reviews.answer(token, choice)
    assert leased(reviews, "ann")[0] == token


@pytest.mark.parametrize("token", ["", "1", "x-y", "999-abc", "١-abc", "99999999999999999999-a", "-1-a"])
def test_a_token_that_nobody_was_given_is_refused(engine: Engine, clock: Clock, token: str) -> None:
    reviews = queue(engine, clock, 1)
    leased(reviews, "ann")
    with pytest.raises((BadInput, Lost)):
        reviews.answer(token, SUNNY)
    assert reviews.holder(token) is None


def test_time_is_what_the_page_says_and_never_longer_than_the_lease_lasted(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock, 3)
    for seconds in (4.0, 500.0, None):
        token, _ = leased(reviews, "ann")
        clock.now += 30
        reviews.answer(token, SUNNY, seconds)
    assert [g.seconds for g in reviews.answered(RUN, 0) or []] == [4.0, 30.0, 30.0]
    progress = reviews.progress(RUN, "ann")
    assert progress is not None
    assert progress.pace == pytest.approx(64 / 3)
    assert (progress.mine, progress.done, progress.complete) == (3, 3, True)


# suggestions


def test_a_share_of_texts_is_shown_without_the_suggestion_always_the_same_ones(engine: Engine, clock: Clock) -> None:
    hidden_from = [hidden(RUN, f"x{i}", "ann", 0.2) for i in range(4000)]
    assert 0.17 < sum(hidden_from) / 4000 < 0.23
    assert hidden_from == [hidden(RUN, f"x{i}", "ann", 0.2) for i in range(4000)]
    assert hidden_from != [hidden(RUN, f"x{i}", "bob", 0.2) for i in range(4000)]
    reviews = queue(engine, clock)
    reviews.put(RUN, 0, asks(40, machine="sunny"), NAMES, blind=0.2)
    seen = {}
    while (item := reviews.lease(RUN, "ann")) is not None:
        seen[item.ask.example] = item.blind
        assert (item.ask.suggestion is None) == item.blind
        reviews.answer(item.token, SUNNY)
    assert seen == {f"x{i}": hidden_from[i] for i in range(40)}
    found = reviews.answered(RUN, 0)
    assert found is not None
    assert {g.example: g.confirmed for g in found} == {id_: not blind for id_, blind in seen.items()}


def test_who_disagrees_confirms_nothing(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock)
    reviews.put(RUN, 0, asks(3, machine="sunny"), NAMES, blind=0.0)
    for choice in (RAINY, UNDECIDED, SUNNY):
        reviews.answer(leased(reviews, "ann")[0], choice)
    found = reviews.answered(RUN, 0)
    assert found is not None
    assert [g.confirmed for g in found] == [False, False, True]


# changes


def test_undo_before_the_run_has_read_takes_the_answer_back(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock, 2)
    for _ in range(2):
        reviews.answer(leased(reviews, "ann")[0], SUNNY)
    last = reviews.undo(RUN, "ann")
    assert last is not None
    assert (last.ask.example, last.chosen) == ("x1", SUNNY)
    assert reviews.answered(RUN, 0) is None
    clock.now += 1
    first = reviews.undo(RUN, "ann")
    assert first is not None
    assert first.ask.example == "x0"
    assert reviews.undo(RUN, "ann") is None
    assert reviews.undo(RUN, "bob") is None
    assert leased(reviews, "ann") == (first.token, "x0"), "the one that was opened last"
    for item in (first, last):
        reviews.answer(item.token, RAINY)
    assert [g.choice for g in reviews.answered(RUN, 0) or []] == [RAINY, RAINY]
    with reading(engine) as connection:
        history = connection.execute(select(answers).order_by(answers.c.id)).all()
    assert [row.state for row in history] == ["undone", "undone", "stands", "stands"]
    assert [row.superseded_by for row in history] == [3, 4, None, None], "what was said before is kept"
    sound(engine, 2, 1)


def test_what_was_undone_and_left_goes_to_somebody_else(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock, 1)
    reviews.answer(leased(reviews, "ann")[0], SUNNY)
    assert reviews.undo(RUN, "ann")
    clock.now += 61
    reviews.answer(leased(reviews, "bob")[0], RAINY)
    assert told(reviews.answered(RUN, 0)) == [("x0", "bob", "rainy", True)]
    sound(engine, 1, 1)


def test_an_answer_changed_after_the_run_has_read_it_comes_with_the_next_round_unpaid(
    engine: Engine, clock: Clock
) -> None:
    reviews = queue(engine, clock, 2)
    for _ in range(2):
        reviews.answer(leased(reviews, "ann")[0], SUNNY)
    assert len(reviews.answered(RUN, 0) or []) == 2
    item = reviews.undo(RUN, "ann", "x0")
    assert item is not None
    assert item.chosen == SUNNY
    assert reviews.late(RUN) == [], "the old answer stands until there is a new one"
    assert reviews.answer(item.token, RAINY).done == 2
    assert told(reviews.late(RUN)) == [("x0", "ann", "rainy", False)]
    reviews.put(RUN, 1, asks(1, prefix="y"), NAMES)
    assert reviews.answered(RUN, 1) is None
    reviews.answer(leased(reviews, "bob")[0], SUNNY)
    expected = [("x0", "ann", "rainy", False), ("y0", "bob", "sunny", True)]
    assert told(reviews.answered(RUN, 1)) == expected
    assert told(reviews.answered(RUN, 1)) == expected, "a round that is read again, after a kill, reads the same"
    assert reviews.late(RUN) == []
    sound(engine, 3, 1)


def test_a_correction_that_is_not_made_leaves_the_answer(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock, 1)
    reviews.answer(leased(reviews, "ann")[0], SUNNY)
    reviews.answered(RUN, 0)
    item = reviews.undo(RUN, "ann")
    assert item is not None
    assert leased(reviews, "ann")[0] == item.token
    assert reviews.skip(item.token)
    assert reviews.lease(RUN, "ann") is None
    again = reviews.undo(RUN, "ann")
    assert again is not None
    clock.now += 61
    assert reviews.lease(RUN, "ann") is None
    assert reviews.lease(RUN, "bob") is None
    assert reviews.late(RUN) == []
    sound(engine, 1, 1)


def test_answers_of_a_round_that_was_never_finished_are_not_lost(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock, 2)
    reviews.answer(leased(reviews, "ann")[0], SUNNY)
    assert told(reviews.late(RUN)) == [("x0", "ann", "sunny", True)]


def test_the_same_round_is_asked_once_and_another_one_under_its_number_is_refused(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock, 3)
    reviews.put(RUN, 0, asks(3), NAMES)
    reviews.put(RUN, 1, [], NAMES)
    sound(engine, 3, 1)
    with pytest.raises(StoreError, match="round 0 of run 'toy-1' has asked people for other texts"):
        reviews.put(RUN, 0, asks(2), NAMES)


def test_progress_counts_what_is_held(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock)
    assert reviews.progress(RUN) is None
    reviews.put(RUN, 4, asks(3), NAMES)
    for who in ("ann", "bob"):
        leased(reviews, who)
    progress = reviews.progress(RUN, "ann")
    assert progress is not None
    assert (progress.round, progress.total, progress.done, progress.held, progress.mine) == (4, 3, 0, 2, 0)
    assert progress.pace is None
    clock.now += 61
    lapsed = reviews.progress(RUN)
    assert lapsed is not None
    assert lapsed.held == 0


def test_texts_come_in_the_order_of_the_round(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock, 30)
    positions = [item.position for i in range(30) if (item := reviews.lease(RUN, f"p{i}"))]
    assert len(positions) == 30
    assert all(a < b for a, b in pairwise(positions))


# what is exported


def test_an_export_holds_what_people_changed_and_what_no_round_has_read(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock, 2)
    for _ in range(2):
        reviews.answer(leased(reviews, "ann")[0], SUNNY)
    reviews.answered(RUN, 0)
    reviews.put(RUN, 1, asks(2, prefix="y"), NAMES)
    reviews.answer(leased(reviews, "bob")[0], UNDECIDED)
    item = reviews.undo(RUN, "ann", "x0")
    assert item is not None
    reviews.answer(item.token, RAINY)
    event = {"id": "0/human/x", "answer": {"label": "sunny"}}
    rows = [
        {"id": f"x{i}", "text": f"text {i}", "label": "sunny", "by": "human:ann", "history": [event]} for i in (0, 1)
    ]
    found = list(with_late(rows, reviews, RUN))
    assert [(row["id"], row["label"], row["by"]) for row in found] == [
        ("x0", "rainy", "human:ann"),
        ("x1", "sunny", "human:ann"),
        ("y0", None, "human:bob"),
    ]
    assert [(e["id"], e.get("supersedes")) for e in found[0]["history"]] == [
        ("0/human/x", None),
        ("late/x0", "0/human/x"),
    ]
    assert "human_labels" not in found[0]["history"][1].get("cost", {}), "it was paid before"
    assert found[2]["history"][0]["cost"]["human_labels"] == 1
    assert found[2]["text"] == "text 0"
    assert found[1] == rows[1]


def test_an_export_holds_a_majority_with_each_answer(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock, 1, overlap=3)
    for who, choice in (("ann", SUNNY), ("bob", RAINY), ("eve", RAINY)):
        reviews.answer(leased(reviews, who)[0], choice)
    (row,) = with_late([], reviews, RUN)
    assert (row["label"], row["by"]) == ("rainy", "human:majority of 3")
    assert [e["by"] for e in row["history"]] == ["human:ann", "human:bob", "human:eve", "human:majority of 3"]


# people's time is capped


def test_when_peoples_time_is_up_nothing_more_is_handed_out_and_the_run_goes_on(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock, 5, most=10.0)
    for who, seconds in (("ann", 4.0), ("ann", 4.0)):
        token, _ = leased(reviews, who)
        clock.turn(seconds)
        reviews.answer(token, SUNNY, seconds)
    assert reviews.answered(RUN, 0) is None
    held, _ = leased(reviews, "bob")
    token, _ = leased(reviews, "ann")
    clock.turn(5.0)
    assert reviews.answer(token, SUNNY, 5.0).complete
    assert state(engine) == "queued"
    assert reviews.lease(RUN, "eve") is None
    assert [given.example for given in reviews.answered(RUN, 0) or []] == ["x0", "x1", "x3"]
    reviews.answer(held, RAINY, 5.0)
    assert [given.example for given in reviews.late(RUN)] == ["x2"], "nobody's work is thrown away"


def test_a_run_whose_peoples_time_is_up_asks_in_vain(engine: Engine, clock: Clock) -> None:
    reviews = queue(engine, clock, 1, most=3.0)
    token, _ = leased(reviews, "ann")
    clock.turn(5.0)
    reviews.answer(token, SUNNY, 5.0)
    people = QueuePeople(reviews, RUN, NAMES, most=3.0)
    first, second = Example(id="x0", text="text 0"), Example(id="y0", text="text")
    assert set(people.answers([first], 0)) == {"x0"}
    with pytest.raises(CapReached, match=r"0\.05 minutes"):
        people.answers([second], 1)
