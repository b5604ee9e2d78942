"""The two loops that `evaluation.bench.speed` times do the same work."""

from pathlib import Path

import numpy as np
import pytest

from agent.students import Bert
from evaluation.bench.bank import Held, Material
from evaluation.bench.loops import PARTS, Course, Took, ours, theirs
from evaluation.bench.speed import bert, beside, ratios, same, told, trained_alike
from tests.support.questions import TASK, texts
from tests.support.tiny_bert import tiny_bert


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


def test_a_bert_learns_the_same_in_both_libraries(tmp_path: Path) -> None:
    columns, classes = texts(60, seed=3)
    made_of = Material(
        name="weather",
        task=TASK,
        pool=columns,
        test=columns.take([]),
        gold={id_: TASK.names[i] for id_, i in zip(columns.ids, classes, strict=True)},
        truth=np.zeros(0, np.intp),
        embed=Held(np.eye(60), {id_: i for i, id_ in enumerate(columns.ids)}),
    )
    learner = Bert(min_steps=4, max_steps=4, batch=4, threads=1, precision="float32")
    course = Course(made_of, 3, 5, learner, tiny_bert(tmp_path))
    pairs = [(ours(course, "margin", 2), theirs(course, "margin", 2))]
    assert same(pairs) == (3, 3)
    short = course.short()
    assert (short.rounds, short.learner) == (2, learner.model_copy(update={"min_steps": 1, "max_steps": 1}))


def test_the_parts_of_the_time_do_not_overlap(course: Course) -> None:
    for run in (ours(course, "margin", 0), theirs(course, "margin", 0)):
        assert run.parts.keys() == set(PARTS)
        assert min(run.parts.values()) > 0
        assert sum(run.parts.values()) <= run.seconds
        assert 0 < run.rest < 1
    assert ours(course, "random", 0).parts["predict"] == 0  # nobody asked; what is measured counts apart


def test_ways_of_counting() -> None:
    mine = Took(2.0, {"training": 1.0, "predict": 0.5, "measure": 0.25}, [])
    other = Took(4.0, {"training": 2.0, "measure": 1.0}, [])
    assert (mine.rest, mine.outside, other.unmeasured) == (0.125, 1.0, 3.0)
    said = "x 2000.0 50.0 % 25.0 % 12.5 % 12.5 % 50.0 %"
    assert told("x", [mine]).split() == said.split()
    assert trained_alike(mine, other) == (1.5 + 1.0) / (1.5 + 2.0)
    whole, bare = ratios([(mine, other), (mine, mine), (mine, mine)])
    assert whole == "ours / small-text 1.00 (middle half 0.50 to 1.00), trained alike 1.00"
    assert bare == "where small-text does not measure 1.14"


def test_a_bert_may_be_given_its_steps() -> None:
    assert bert(None).steps(8) == Bert().steps(8)
    assert bert(7).steps(8) == 7
