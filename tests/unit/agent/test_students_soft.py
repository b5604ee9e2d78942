import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.protocols import Bench, Columns, Weighted
from agent.students import FrozenLinear, TfidfSvm
from agent.students.soft import harden, softmax
from tests.support.questions import TASK, ToyEncoder, texts


def test_soft_rows_come_apart_into_weighted_copies() -> None:
    rows = Weighted(Columns("ab", "ab"), np.asarray([[0.25, 0.75], [1.0, 0.0]]), np.asarray([2.0, 0.5]))
    hard = harden(rows)
    assert hard.rows.tolist() == [0, 0, 1]
    assert hard.classes.tolist() == [0, 1, 0]
    assert hard.weights.tolist() == [0.5, 1.5, 0.5]
    assert hard.unseen(3) == [2]


def test_a_soft_row_is_the_same_as_its_hard_copies() -> None:
    columns, classes = texts(12)
    soft = Weighted(columns, np.eye(2)[classes] * 0.5 + 0.25, np.full(12, 2.0))
    twice = Columns([*columns.ids, *(f"{i}b" for i in columns.ids)], [*columns.texts] * 2)
    targets = np.concatenate([np.eye(2)[classes], np.eye(2)[1 - classes]])
    hard = Weighted(twice, targets, np.repeat([1.5, 0.5], 12))
    bench, rng = Bench(TASK, embed=ToyEncoder()), np.random.default_rng(0)
    p, q = (FrozenLinear().fit(rows, TASK, bench, rng).predict(columns) for rows in (soft, hard))
    np.testing.assert_allclose(p, q, atol=1e-3)


@given(st.lists(st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3), min_size=1, max_size=5))
def test_softmax_is_a_distribution(scores: list[list[float]]) -> None:
    p = softmax(np.asarray(scores))
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    highest = np.asarray(scores).argmax(axis=1)
    assert (p[np.arange(len(p)), highest] == p.max(axis=1)).all()


def test_a_text_on_the_margin_of_the_svm_is_seven_eighths_sure() -> None:
    """Two labels: both texts lie on the margin, one on each side."""
    columns = Columns(["a", "b"], ["sun sun sun", "rain rain rain"])
    rows = Weighted(columns, np.eye(2), np.full(2, 1e6))
    p = TfidfSvm().fit(rows, TASK, Bench(TASK), np.random.default_rng(0)).predict(columns)
    np.testing.assert_allclose(p, [[0.8808, 0.1192], [0.1192, 0.8808]], atol=2e-3)


def test_languages_without_spaces_or_with_single_signs_have_words() -> None:
    columns = Columns(["a", "b"], ["a b c", "天 气 好"])
    student = TfidfSvm().fit(Weighted(columns, np.eye(2), np.ones(2)), TASK, Bench(TASK), np.random.default_rng(0))
    assert student.predict(columns).argmax(axis=1).tolist() == [0, 1]
