import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from agent.errors import BadInput
from evaluation.compare import estimate, holm, paired, resamples

shares = st.floats(0, 1, allow_nan=False)
some = st.lists(shares, min_size=2, max_size=8)


def test_interval_over_three_seeds_by_hand():
    # Mean 0.8, standard deviation 0.1, standard error 0.1 / sqrt(3), t(2) = 4.3027.
    found = estimate([0.7, 0.8, 0.9])
    half = 4.302653 * 0.1 / math.sqrt(3)
    assert (found.mean, found.low, found.high) == pytest.approx((0.8, 0.8 - half, 0.8 + half))
    assert found.n == 3
    assert found.items is None


def test_seeds_and_items_are_added_in_quadrature_on_each_side():
    replicates = np.linspace(0.7, 0.9, 2001)
    found = estimate([0.7, 0.8, 0.9], replicates)
    assert found.items == pytest.approx((0.705, 0.895))
    assert found.low == pytest.approx(0.8 - math.hypot(0.8 - found.seeds[0], 0.095))
    assert found.high == pytest.approx(0.8 + math.hypot(found.seeds[1] - 0.8, 0.095))


@given(some, st.lists(shares, min_size=5, max_size=30))
def test_the_interval_holds_the_mean_and_both_its_parts(values: list[float], replicates: list[float]):
    found = estimate(values, np.array(replicates))
    assert found.items is not None
    assert found.low <= min(found.seeds[0], found.items[0]) + 1e-12
    assert found.high >= max(found.seeds[1], found.items[1]) - 1e-12
    assert found.low <= found.mean <= found.high


@pytest.mark.parametrize("values", [[], [0.8]])
def test_fewer_than_two_seeds_have_no_interval(values: list[float]):
    found = estimate(values, np.array([0.7, 0.9]))
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert math.isnan(paired(values, values).p)


def test_an_undefined_seed_makes_the_mean_undefined():
    found = paired([0.8, math.nan], [0.7, 0.7], np.array([0.1]))
    assert math.isnan(found.mean)
    assert math.isnan(found.low)
    assert not found.evidence


def test_an_arm_that_no_seed_changes_varies_with_the_test_items_only():
    found = estimate([0.8], np.linspace(0.7, 0.9, 2001), fixed=True)
    assert (found.low, found.high) == pytest.approx((0.705, 0.895))
    assert math.isnan(estimate([0.8], fixed=True).low)


@given(some)
def test_identical_arms_differ_by_nothing(values: list[float]):
    found = paired(values, values, np.zeros(10))
    assert (found.mean, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert not found.evidence


@settings(max_examples=30)
@given(some, some)
def test_turning_the_arms_round_turns_the_difference_round(a: list[float], b: list[float]):
    n = min(len(a), len(b))
    one, other = paired(a[:n], b[:n]), paired(b[:n], a[:n])
    assert (one.mean, one.low, one.high) == pytest.approx((-other.mean, -other.high, -other.low))


def test_without_test_items_p_is_the_paired_t_tests():
    a, b = [0.81, 0.84, 0.80, 0.86], [0.78, 0.80, 0.79, 0.80]
    assert paired(a, b).p == pytest.approx(stats.ttest_rel(a, b).pvalue, rel=1e-6)


@settings(max_examples=30)
@given(st.lists(st.floats(-0.2, 0.3), min_size=3, max_size=6), st.floats(0.001, 0.05))
def test_p_is_below_five_percent_exactly_where_the_interval_excludes_zero(values: list[float], width: float):
    centre = float(np.mean(values))
    replicates = centre + width * np.linspace(-1, 1, 401)
    found = paired(values, [0.0] * len(values), replicates)
    if not math.isnan(found.p) and abs(found.p - 0.05) > 1e-9:
        assert found.evidence == (found.p < 0.05)


def test_the_same_gain_under_every_seed_and_no_test_items_has_no_p():
    found = paired([0.75, 0.75], [0.5, 0.5])
    assert math.isnan(found.p)


def test_arms_of_different_length_are_refused():
    with pytest.raises(BadInput, match="2 values cannot be paired with 1"):
        paired([0.1, 0.2], [0.1])


def test_resamples_draw_as_many_items_as_there_are_and_are_the_same_every_time():
    weights = resamples(50, count=20)
    assert weights.shape == (20, 50)
    assert (weights.sum(axis=1) == 50).all()
    assert (weights == resamples(50, count=20)).all()


def test_the_bootstrap_of_an_accuracy_is_as_wide_as_the_binomial_says():
    right = np.arange(1000) < 800
    low, high = np.quantile(resamples(1000) @ right / 1000, [0.025, 0.975])
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(0.8 * 0.2 / 1000), rel=0.08)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([]) == ()


def test_holm_counts_an_undefined_comparison_and_leaves_it_undefined():
    corrected = holm([math.nan, 0.02])
    assert math.isnan(corrected[0])
    assert corrected[1] == pytest.approx(0.04)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_only_raises_and_keeps_the_order(values: list[float]):
    corrected = holm(values)
    assert all(c >= v for c, v in zip(corrected, values, strict=True))
    order = sorted(range(len(values)), key=lambda i: values[i])
    assert sorted(corrected) == [corrected[i] for i in order]


def test_false_alarms_stay_rare_with_three_seeds_and_a_shared_test_set():
    # Two equal arms, 100 times: seeds and items both vary. The rule is meant to err on the quiet side.
    rng = np.random.default_rng(4)
    weights = resamples(100, count=200)
    alarms = 0
    for _ in range(100):
        hardness = rng.normal(0, 1, 100)
        right = rng.normal(0, 1, (2, 3, 100)) + rng.normal(0, 0.2, (2, 3, 1)) > hardness
        difference = right[0].mean(axis=0) - right[1].mean(axis=0)
        values = right.mean(axis=2)
        alarms += paired(list(values[0]), list(values[1]), weights @ difference / 100).evidence
    assert alarms <= 5 + 2 * math.sqrt(100 * 0.05 * 0.95)
