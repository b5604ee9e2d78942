"""U and L: the only operations on them, and what they keep true."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import STATUSES, Annotation, ClassAnswer, Cost, Example
from agent.errors import BadInput
from agent.pool import Pool
from agent.protocols import Columns
from tests.support.questions import TASK
from tests.support.toy_runs import columns_of

SURE = {"sunny": 0.9, "rainy": 0.1}


def pool(n: int = 6) -> Pool:
    return Pool.of(TASK, columns_of(*(f"text {i}" for i in range(n))))


def by_person(row: int, label: str | None = "sunny", **fields: object) -> Annotation:
    given = {"id": f"p{row}", "example": f"x{row}", "answer": ClassAnswer(label=label), "by": "human:ann"}
    return Annotation.model_validate(
        {**given, "provenance": "human", "cost": Cost(human_labels=1), **fields}, strict=False
    )


def by_machine(row: int, label: str | None = "sunny", calibrated: dict[str, float] | None = SURE) -> Annotation:
    answer = ClassAnswer(label=label, raw={"sunny": 0.6, "rainy": 0.4}, calibrated=calibrated)
    return Annotation(id=f"m{row}", example=f"x{row}", answer=answer, by="llm:toy@p", provenance="machine")


def test_an_id_that_stands_twice_is_named() -> None:
    with pytest.raises(BadInput, match="'b' stands twice"):
        Pool.of(TASK, Columns(["a", "b", "b"], ["1", "2", "3"]))


def test_a_label_moves_its_example_and_leaves_the_old_pool_alone() -> None:
    before = pool()
    after = before.label([by_person(1), by_person(2, None), by_person(3, use="audit")])
    assert before.sizes()["unlabelled"] == 6
    assert after.sizes() == {
        "unlabelled": 3,
        "pending": 0,
        "labelled": 1,
        "abstained": 1,
        "audit": 1,
        "discarded": 0,
    }
    assert after.human_labels() == 3, "cannot decide and audit cost a label as well"
    assert after.labelled().columns.ids == ["x1"]


def test_labels_for_strangers_and_of_other_tasks_are_refused() -> None:
    with pytest.raises(BadInput, match="unknown example 'x9'"):
        pool().label([by_person(9)])
    with pytest.raises(BadInput, match="'x1' is labelled 'cloudy', no label of the task; use sunny, rainy"):
        pool().label([by_person(1, "cloudy")])


def test_a_person_supersedes_the_machine_whose_reading_stays_known() -> None:
    both = pool().label([by_machine(0), by_person(0, "rainy")])
    assert both.standing()["x0"].by == "human:ann"
    labelled = both.labelled()
    np.testing.assert_allclose(labelled.targets, [[0.0, 1.0]])
    np.testing.assert_allclose(labelled.machine, [[0.9, 0.1]])
    assert labelled.human.tolist() == [True]
    assert len(both.annotations) == 2


def test_a_person_who_cannot_decide_takes_the_text_out_of_training() -> None:
    both = pool().label([by_machine(0), by_person(0, None)])
    assert len(both.labelled()) == 0
    assert both.sizes()["abstained"] == 1


def test_targets_prefer_calibrated_probabilities() -> None:
    found = pool().label([by_machine(0), by_machine(1, calibrated=None)]).labelled()
    np.testing.assert_allclose(found.targets, [[0.9, 0.1], [0.6, 0.4]])


def test_the_llms_latest_probabilities_are_given_for_any_rows_in_any_order() -> None:
    unsure = {"sunny": 0.7, "rainy": 0.3}
    found = pool().label([by_machine(4), by_machine(1), by_machine(3, None), by_person(1, "rainy"), by_person(2)])
    found = found.label([by_machine(4, calibrated=unsure)])
    rows = np.array([5, 4, 3, 1])
    np.testing.assert_allclose(found.machine(rows), [[np.nan] * 2, [0.7, 0.3], [np.nan] * 2, [0.9, 0.1]])
    assert np.isnan(found.machine(np.array([0, 2]))).all()
    assert found.machine(np.array([], np.intp)).shape == (0, 2)
    assert np.isnan(pool().machine(rows)).all()


def test_what_may_be_asked_again_is_what_no_person_has_seen() -> None:
    found = pool().label([by_machine(0), by_machine(1), by_machine(2, None), by_person(1), by_person(3)])
    found = found.discard(["x5"])
    assert found.askable(again=False).tolist() == [4]
    assert found.askable(again=True).tolist() == [0, 2, 4]
    assert found.discard(["x0"]).askable(again=True).tolist() == [2, 4]


def test_generated_texts_join_at_the_end_and_are_never_asked_again() -> None:
    grown = pool(2).admit([Example(id="x2", text="new", origin="generated")]).label([by_machine(2), by_machine(0)])
    assert len(grown) == 3
    assert grown.labelled().generated.tolist() == [False, True]
    assert grown.askable(again=True).tolist() == [0, 1]
    with pytest.raises(BadInput, match="'x0' stands twice"):
        pool(2).admit([Example(id="x0", text="again", origin="generated")])


def test_pairs_keep_their_second_half() -> None:
    pairs = Pool.of(TASK, Columns(["a"], ["one"], ["two"]))
    grown = pairs.admit([Example(id="g", text="three", text_b="four", origin="generated")])
    assert [grown.columns.example(i).text_b for i in range(2)] == ["two", "four"]


event = st.tuples(st.integers(0, 5), st.sampled_from(["sunny", "rainy", None]), st.booleans(), st.booleans())


@settings(deadline=None)
@given(st.lists(event, max_size=25), st.sets(st.integers(0, 5)))
def test_statuses_always_partition_the_pool(events: list[tuple[int, str | None, bool, bool]], gone: set[int]) -> None:
    found = pool()
    for row, label, person, audit in events:
        use = "audit" if audit and person else "train"
        found = found.label([by_person(row, label, use=use) if person else by_machine(row, label)])
    found = found.discard([f"x{row}" for row in gone])
    assert sum(found.sizes().values()) == len(found) == 6
    rows = np.concatenate([found.rows(status) for status in STATUSES])
    assert sorted(rows.tolist()) == list(range(6))
    assert len(found.annotations) == len(events)
    assert found.human_labels() == sum(person for _, _, person, _ in events)
    assert len(found.labelled()) == found.sizes()["labelled"]
    np.testing.assert_allclose(found.labelled().targets.sum(axis=1), 1.0)
