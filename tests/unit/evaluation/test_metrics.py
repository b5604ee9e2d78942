import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

from evaluation import metrics


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=int)


def test_accuracy_counts_an_item_without_a_prediction_as_not_right():
    assert metrics.accuracy(ints(0, 1, 1, 0), ints(0, 1, -1, 1)) == 0.5


def test_macro_f1_by_hand():
    # Class 0: TP 1, FP 1, FN 1 -> 2/4; class 1: TP 1, FP 1, FN 1 -> 2/4; class 2: TP 1, FP 0, FN 0 -> 1.
    assert metrics.macro_f1(ints(0, 0, 1, 1, 2), ints(0, 1, 1, 0, 2), 3) == pytest.approx((0.5 + 0.5 + 1) / 3)


def test_macro_f1_leaves_out_a_class_that_is_nowhere_and_counts_one_never_found_as_zero():
    assert metrics.macro_f1(ints(0, 0), ints(0, 0), 5) == 1.0
    assert metrics.macro_f1(ints(0, 1), ints(0, 0), 2) == pytest.approx((2 / 3 + 0) / 2)


def test_macro_f1_counts_an_unanswered_item_against_its_class():
    assert metrics.macro_f1(ints(0, 0, 1), ints(0, -1, 1), 2) == pytest.approx((2 / 3 + 1) / 2)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_macro_f1_is_scikit_learns(pairs: list[tuple[int, int]]):
    gold, said = (np.array(column) for column in zip(*pairs, strict=True))
    assert metrics.macro_f1(gold, said, 4) == pytest.approx(f1_score(gold, said, average="macro"))


def test_ece_by_hand():
    # Bin (0.5, 0.6]: confidence 0.6, accuracy 0.5 over 2; bin (0.8, 0.9]: 0.9 against 1 over 2.
    correct, confidence = np.array([True, False, True, True]), np.array([0.6, 0.6, 0.9, 0.9])
    assert metrics.ece(correct, confidence) == pytest.approx(0.5 * 0.1 + 0.5 * 0.1)


def test_bins_are_closed_above_and_the_first_one_below():
    assert metrics.bin_of(np.array([0.0, 0.1, 0.1000001, 0.5, 1.0]), 10).tolist() == [0, 0, 1, 4, 9]


def test_brier_is_two_for_a_certain_mistake_and_nothing_for_a_certain_hit():
    assert metrics.brier(ints(0, 1), np.array([[0.0, 1.0], [0.0, 1.0]])) == pytest.approx(1.0)


def test_auroc_by_hand_with_a_tie():
    # Right: 0.9, 0.7; wrong: 0.7, 0.6. Pairs: 1, 1, half, 1.
    found = metrics.auroc_of_error(np.array([True, True, False, False]), np.array([0.9, 0.7, 0.7, 0.6]))
    assert found == pytest.approx(3.5 / 4)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=50))
def test_auroc_is_scikit_learns(pairs: list[tuple[bool, int]]):
    correct = np.array([right for right, _ in pairs])
    confidence = np.array([level / 5 for _, level in pairs])
    found = metrics.auroc_of_error(correct, confidence)
    if correct.all() or not correct.any():
        assert math.isnan(found)
    else:
        assert found == pytest.approx(roc_auc_score(correct, confidence))


def test_what_is_undefined_is_nan_and_never_zero():
    none, nothing = ints(), np.array([], dtype=bool)
    undefined = (
        metrics.accuracy(none, none),
        metrics.macro_f1(none, none, 2),
        metrics.ece(nothing, np.array([])),
        metrics.brier(none, np.zeros((0, 2))),
        metrics.auroc_of_error(np.array([True]), np.array([0.9])),
    )
    assert all(math.isnan(value) for value in undefined)
    assert metrics.coverage_curve(nothing, np.array([])) == ()


def test_coverage_keeps_the_most_confident_first():
    curve = metrics.coverage_curve(np.array([False, True, True, False]), np.array([0.1, 0.9, 0.8, 0.5]), points=4)
    assert curve == ((0.25, 1.0), (0.5, 1.0), (0.75, pytest.approx(2 / 3)), (1.0, 0.5))


@given(st.permutations(list(range(8))))
def test_coverage_does_not_depend_on_the_order_of_equal_confidences(order: list[int]):
    correct, confidence = np.arange(8) % 3 == 0, np.repeat([0.9, 0.6], 4)
    expected = metrics.coverage_curve(correct, confidence)
    assert metrics.coverage_curve(correct[order], confidence[order]) == expected
    assert [share for share, _ in expected] == [0.5, 1.0]
