import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.query.baseline import First, Random
from agent.query.choose import highest
from agent.query.disagreement import Disagreement, jensen_shannon
from agent.query.diversity import cluster, farthest_first, nearest_rows
from agent.query.uncertainty import entropy, least_confidence, margin
from tests.support.questions import question

P = np.asarray([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3], [0.45, 0.45, 0.1]])

rows = st.lists(
    st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3).filter(lambda p: sum(p) > 1e-6), min_size=1, max_size=8
).map(lambda p: np.asarray(p) / np.asarray(p).sum(axis=1, keepdims=True))


def test_least_confidence() -> None:
    np.testing.assert_allclose(least_confidence(P), [0.5, 0.0, 2 / 3, 0.55])


def test_margin() -> None:
    np.testing.assert_allclose(margin(P), [-0.2, -1.0, 0.0, 0.0], atol=1e-12)


def test_entropy_in_nats() -> None:
    by_hand = -(0.5 * math.log(0.5) + 0.3 * math.log(0.3) + 0.2 * math.log(0.2))
    np.testing.assert_allclose(entropy(P)[:3], [by_hand, 0.0, math.log(3)])


def test_jensen_shannon_in_bits() -> None:
    p = np.asarray([[1.0, 0.0], [0.7, 0.3], [1.0, 0.0], [0.5, 0.5]])
    q = np.asarray([[0.0, 1.0], [0.7, 0.3], [0.5, 0.5], [np.nan, np.nan]])
    half = 0.811278124459133 - 0.5  # H2[(3/4, 1/4)] - H2[(1/2, 1/2)] / 2
    np.testing.assert_allclose(jensen_shannon(p, q), [1.0, 0.0, half, np.nan], atol=1e-12)


@given(rows)
def test_scores_stay_in_their_ranges(p: np.ndarray) -> None:
    assert ((least_confidence(p) >= -1e-12) & (least_confidence(p) <= 2 / 3 + 1e-12)).all()
    assert ((margin(p) >= -1 - 1e-12) & (margin(p) <= 1e-12)).all()
    assert ((entropy(p) >= -1e-12) & (entropy(p) <= math.log(3) + 1e-9)).all()
    turned = np.roll(p, 1, axis=0)
    np.testing.assert_allclose(jensen_shannon(p, turned), jensen_shannon(turned, p), atol=1e-12)


@given(rows)
def test_two_classes_are_ranked_alike_by_all_three(p: np.ndarray) -> None:
    """Traps section of the survey notes: entropy and least confidence cannot differ on a binary task."""
    two = np.round(np.stack([p[:, 0], 1 - p[:, 0]], axis=1), 6)
    orders = [np.argsort(-np.round(s, 9), kind="stable") for s in (least_confidence(two), margin(two))]
    np.testing.assert_array_equal(*orders)


def test_ties_go_by_row_and_the_undefined_comes_last() -> None:
    ask = question(n=6, size=5)
    batch = highest(ask, np.asarray([np.nan, 1.0, 2.0, 1.0, 2.0, np.nan]), "test")
    assert [e.id for e in batch.examples] == [f"t1-{i}" for i in (2, 4, 1, 3, 0)]
    assert [p.score for p in batch.picks] == [2.0, 2.0, 1.0, 1.0, None]


def test_disagreement_puts_texts_without_a_machine_label_last() -> None:
    ask = question(n=30, size=30)
    unread = {ask.candidates.ids[i] for i in np.flatnonzero(np.isnan(ask.machine[:, 0]))}
    ids = [e.id for e in Disagreement().query(ask).examples]
    assert set(ids[-len(unread) :]) == unread


def test_random_is_one_order_of_which_a_batch_is_the_head() -> None:
    small, large = (Random().query(question(size=size, seed=3)).examples for size in (5, 20))
    assert small == large[:5]
    assert small != Random().query(question(size=5, seed=4)).examples


def test_first_is_the_order_of_the_pool() -> None:
    assert [e.id for e in First().query(question(size=3)).examples] == ["t1-0", "t1-1", "t1-2"]


def test_every_cluster_gives_its_central_text() -> None:
    centres = np.asarray([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    offsets = np.asarray([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    x = np.concatenate([c + offsets for c in centres])
    labels, found = cluster(x, 3, 3, seed=0)
    assert sorted(nearest_rows(x, found, 3)) == [0, 5, 10]
    np.testing.assert_allclose(x[[0, 5, 10]], found[labels[[0, 5, 10]]], atol=1e-12)


def test_equal_texts_do_not_stop_the_clusters() -> None:
    x = np.repeat(np.eye(2), 5, axis=0)
    picked = nearest_rows(x, cluster(x, 6, 2, seed=0)[1], 6)
    assert len(set(picked.tolist())) == 6
    assert {0, 5} <= set(picked.tolist())


def test_k_center_by_hand() -> None:
    x = np.asarray([[0.0], [1.0], [4.0], [9.0], [10.0]])
    assert farthest_first(x, None, 3, start=1).tolist() == [1, 4, 2]
    assert farthest_first(x, np.asarray([[10.0]]), 3, start=1).tolist() == [0, 2, 1]
    assert sorted(farthest_first(np.zeros((4, 1)), None, 4, start=2)) == [0, 1, 2, 3]


@pytest.mark.parametrize("k", [1, 5, 12])
def test_greedy_k_center_is_within_twice_the_best_radius(k: int) -> None:
    """The guarantee of Gonzalez (1985), against the best of many random choices."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))

    def radius(chosen: np.ndarray) -> float:
        return float(np.linalg.norm(x[:, None] - x[chosen][None], axis=2).min(axis=1).max())

    best = min(radius(rng.permutation(60)[:k]) for _ in range(300))
    assert radius(farthest_first(x, None, k, start=0)) <= 2 * best
