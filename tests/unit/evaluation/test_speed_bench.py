"""The two loops that `evaluation.bench.speed` times do the same work."""

import pytest

from evaluation.bench.bank import Material
from evaluation.bench.speed import STUDENT, Course, Took, beside, ours, same, theirs, told


@pytest.fixture(scope="module")
def course(toy: Material) -> Course:
    return Course(toy, rounds=4, size=5)


def test_margin_labels_the_same_texts_in_both_libraries(course: Course) -> None:
    pairs = beside(course, "margin", 3)
    assert same(pairs) == (12, 12)
    assert [len(batch) for batch in pairs[0][0].rounds] == [5, 5, 5, 5]


def test_random_begins_with_the_same_texts_and_labels_as_many(course: Course) -> None:
    mine, other = ours(course, "random", 1), theirs(course, "random", 1)
    assert mine.rounds[0] == other.rounds[0]
    for run in (mine, other):
        assert len(set().union(*run.rounds)) == 20


def test_the_parts_of_the_time_do_not_overlap(course: Course) -> None:
    run = ours(course, "margin", 0)
    assert {*STUDENT, "choosing", "measuring"} <= run.parts.keys()
    assert sum(run.parts.values()) <= run.seconds
    assert 0 < run.own < 1
    assert theirs(course, "margin", 0).parts.keys() == set(STUDENT)


def test_what_is_not_the_students_is_the_loops() -> None:
    run = Took(2.0, {"training": 1.0, "predicting": 0.5, "choosing": 0.25, "LLM": 0.25}, [])
    assert run.own == 0.125
    assert told("x", [run]).split() == ["x", "2000.0", "50.0", "%", "25.0", "%", "37.5", "%", "12.5", "%"]
