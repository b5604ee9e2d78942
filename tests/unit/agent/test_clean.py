"""What of L is trained on: people's labels count in full, machine labels for what they are sure of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.clean import Agreement, Confidence, confidence_weights
from agent.protocols import Bench, Columns, Labelled
from tests.support.questions import TASK, ToyEncoder, texts


def labelled(targets: list[list[float]], human: list[bool]) -> Labelled:
    n = len(human)
    columns = Columns([f"x{i}" for i in range(n)], [f"text {i}" for i in range(n)])
    rows = np.asarray(targets)
    machine = np.where(np.asarray(human)[:, None], np.nan, rows)
    return Labelled(columns, rows, np.asarray(human), np.zeros(n, dtype=np.bool_), machine)


def test_weights_by_hand() -> None:
    found = labelled([[1.0, 0.0], [0.75, 0.25], [0.5, 0.5], [0.1, 0.9]], [True, False, False, False])
    np.testing.assert_allclose(confidence_weights(found, 1.0), [1.0, 0.5, 0.0, 0.8])
    np.testing.assert_allclose(confidence_weights(found, 2.0), [1.0, 0.25, 0.0, 0.64])
    np.testing.assert_allclose(confidence_weights(found, 0.0), [1.0, 1.0, 1.0, 1.0])


def test_chance_of_three_classes_weighs_nothing() -> None:
    found = labelled([[1 / 3, 1 / 3, 1 / 3], [0.8, 0.1, 0.1]], [False, False])
    np.testing.assert_allclose(confidence_weights(found, 1.0), [0.0, 0.7], atol=1e-12)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8), st.floats(0.0, 3.0))
def test_weights_are_shares_and_grow_with_certainty(ps: list[float], power: float) -> None:
    weights = confidence_weights(labelled([[p, 1 - p] for p in ps], [False] * len(ps)), power)
    assert ((weights >= 0) & (weights <= 1)).all()
    order = np.argsort([max(p, 1 - p) for p in ps])
    assert (np.diff(weights[order]) >= -1e-12).all()


def test_nothing_labelled_stays_nothing() -> None:
    empty = Labelled(Columns([], []), np.zeros((0, 2)), np.zeros(0, np.bool_), np.zeros(0, np.bool_), np.zeros((0, 2)))
    assert len(Confidence().clean(empty, Bench(TASK)).columns) == 0


def test_confidence_keeps_texts_and_targets_as_they_are() -> None:
    found = labelled([[1.0, 0.0], [0.6, 0.4]], [True, False])
    cleaned = Confidence().clean(found, Bench(TASK))
    assert cleaned.columns == found.columns
    np.testing.assert_array_equal(cleaned.targets, found.targets)


def noisy(n: int = 120, wrong: int = 12, judged: int = 0, right: bool = True) -> tuple[Labelled, np.ndarray]:
    """Machine labels of which the first `wrong` contradict their text; people judged `judged` of these."""
    columns, classes = texts(n, seed=4)
    said = classes.copy()
    said[:wrong] = 1 - said[:wrong]
    machine = np.where(np.eye(2)[said] > 0, 0.9, 0.1)
    human = np.arange(n) < judged
    truth = np.eye(2)[classes if right else said]
    return Labelled(columns, np.where(human[:, None], truth, machine), human, np.zeros(n, np.bool_), machine), classes


def test_agreement_weakens_labels_that_the_other_texts_contradict() -> None:
    found, _ = noisy()
    cleaned = Agreement().clean(found, Bench(TASK, embed=ToyEncoder()))
    moved = np.abs(cleaned.targets - found.targets).max(axis=1)
    assert (moved[:12] > 0.05).mean() > 0.6
    assert (moved[12:] > 0.05).mean() < 0.15
    np.testing.assert_allclose(cleaned.targets.sum(axis=1), 1.0)


@pytest.mark.parametrize("against", [True, False])
def test_people_say_whom_to_believe(against: bool) -> None:
    """Where people took the student's side, a contradicted machine label counts for less than where they did not."""
    alone, judged = noisy()[0], noisy(judged=8, right=against)[0]
    bench = Bench(TASK, embed=ToyEncoder())
    rows = slice(8, 12)
    side = noisy()[0].machine[rows].argmax(axis=1)[:, None]
    before = np.take_along_axis(Agreement().clean(alone, bench).targets[rows], side, 1).mean()
    after = np.take_along_axis(Agreement().clean(judged, bench).targets[rows], side, 1).mean()
    assert after < before if against else after > before


def test_agreement_leaves_people_alone_and_needs_an_encoder_and_enough_texts() -> None:
    found, _ = noisy(judged=8)
    cleaned = Agreement().clean(found, Bench(TASK, embed=ToyEncoder()))
    np.testing.assert_array_equal(cleaned.targets[:8], found.targets[:8])
    np.testing.assert_array_equal(cleaned.weights[:8], 1.0)
    for few, bench in ((found, Bench(TASK)), (noisy(n=30)[0], Bench(TASK, embed=ToyEncoder()))):
        kept = Agreement().clean(few, bench)
        np.testing.assert_array_equal(kept.targets, few.targets)


def test_agreement_is_repeatable() -> None:
    found, _ = noisy()
    bench = Bench(TASK, embed=ToyEncoder(), seed=3)
    np.testing.assert_array_equal(Agreement().clean(found, bench).targets, Agreement().clean(found, bench).targets)


def test_agreement_without_contradictions_or_with_one_class_changes_nothing() -> None:
    columns, _ = texts(80, seed=4)
    one = np.tile([0.9, 0.1], (80, 1))
    found = Labelled(columns, one, np.zeros(80, np.bool_), np.zeros(80, np.bool_), one)
    np.testing.assert_array_equal(Agreement().clean(found, Bench(TASK, embed=ToyEncoder())).targets, one)
