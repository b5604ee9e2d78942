import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evaluation.shuffles import effect, interval, sign_flip

TEN = [0.031, -0.012, 0.044, 0.020, 0.015, -0.004, 0.052, 0.027, 0.009, 0.038]
some = st.lists(st.integers(-50, 50).map(lambda i: i / 100), min_size=6, max_size=9)


def by_hand(values: list[float]) -> float:
    """Every sign pattern, counted."""
    found = abs(sum(values))
    sums = [
        abs(sum(s * v for s, v in zip(signs, values, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(values))
    ]
    return sum(each >= found - 1e-12 for each in sums) / len(sums)


def test_sign_flips_by_hand():
    # Of the 8 patterns of 1, 2, 4 only the two extreme ones reach |7|, and four reach |5|.
    assert sign_flip([np.array([1.0, 2.0, 4.0])]) == (2 / 8, True)
    assert sign_flip([np.array([-1.0, 2.0, 4.0])]) == (4 / 8, True)


@settings(max_examples=25)
@given(some)
def test_few_shuffles_are_counted_exactly(values: list[float]):
    p, exact = sign_flip([np.array(values)])
    assert exact
    assert p == pytest.approx(by_hand([value for value in values if value]))


def test_many_shuffles_are_drawn_and_p_is_never_0():
    p, exact = sign_flip([np.full(30, 0.1) + np.arange(30) / 1000])
    assert not exact
    # (1 + 0) / (1 + 20,000), twice for two sides.
    assert p == pytest.approx(2 / 20_001)


def test_with_several_sets_each_set_counts_once():
    # Set one weighs 1/2 a value, set two 1/4: sums of 0.5, 0.25 x 2; the observed sum 1 is matched by 2 of 8 patterns.
    found = effect([[1.0], [1.0, 1.0]])
    assert (found.mean, found.n, found.sets, found.p, found.exact) == (1.0, 3, 2, 2 / 8, True)


def test_equal_arms_have_a_p_of_1_and_no_width():
    found = effect([[0.0] * 8])
    assert (found.mean, found.low, found.high, found.p, found.method) == (0.0, 0.0, 0.0, 1.0, "none")


def test_a_difference_without_spread_has_no_interval():
    found = effect([[0.02] * 8])
    assert math.isnan(found.low)
    assert found.method == "none"
    assert found.p == 2 / 2**8


def test_an_undefined_shuffle_makes_all_undefined():
    found = effect([TEN, [0.1, math.nan]])
    assert all(math.isnan(value) for value in (found.mean, found.low, found.high, found.p))
    assert found.n == 12


def test_fewer_than_six_shuffles_fall_back_on_student_and_say_so():
    found = effect([TEN[:5]])
    expected = stats.ttest_1samp(TEN[:5], 0).confidence_interval(0.95)
    assert found.method == "student-t"
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert math.isnan(effect([[0.1]]).low)


def test_two_small_sets_have_satterthwaites_degrees_of_freedom():
    # Welch's interval of the difference of two means, with one sample turned round, is twice that of their mean.
    one, two = TEN[:4], TEN[4:8]
    found = effect([one, two])
    welch = stats.ttest_ind(one, [-value for value in two], equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((welch.low / 2, welch.high / 2))


def test_the_bootstrap_is_studentised_by_random_signs():
    """Against a plain loop over all 2^8 patterns."""
    values = np.array(TEN[:8])
    mean, error = values.mean(), values.std(ddof=1) / math.sqrt(8)
    ratios: list[float] = []
    for signs in itertools.product((1.0, -1.0), repeat=8):
        drawn = np.array(signs) * (values - mean)
        ratios.append(abs(drawn.mean()) / (drawn.std(ddof=1) / math.sqrt(8)))
    half = float(np.quantile(ratios, 0.95)) * error
    (low, high), method = interval([values])
    assert method == "wild bootstrap-t"
    assert (low, high) == pytest.approx((mean - half, mean + half), rel=0.03)


def test_few_differences_that_tie_have_the_wider_of_both_intervals():
    tied = np.array([0.1, 0.1, 0.1, 0.1, 0.1, -0.1])
    (low, high), method = interval([tied])
    expected = stats.ttest_1samp(tied, 0).confidence_interval(0.95)
    assert method == "student-t"
    assert (low, high) == pytest.approx((expected.low, expected.high))
    assert low < 0 < high
    assert sign_flip([tied])[0] > 0.2
    spread = np.array(TEN[:6])
    assert interval([spread])[1] == "wild bootstrap-t", "which is the wider one here"
    assert interval([np.concatenate([tied, tied])])[1] == "wild bootstrap-t", "twelve have patterns enough"


@settings(max_examples=20)
@given(some, st.floats(-0.4, 0.4))
def test_the_interval_moves_with_the_values_and_turns_with_their_sign(values: list[float], shift: float):
    (low, high), _ = interval([np.array(values)])
    (moved, _), _ = interval([np.array(values) + shift])
    (_, turned), _ = interval([-np.array(values)])
    if np.std(values) > 0.01:
        assert (moved, turned) == pytest.approx((low + shift, -low), abs=1e-9)
        assert low < np.mean(values) < high


def studentised_by_hand(groups: list[list[float]]) -> float:
    """Every sign pattern of all values, compared by the mean of means over its error within groups."""

    def size(signs: tuple[int, ...]) -> float:
        place, means, error = 0, list[float](), 0.0
        for group in groups:
            flipped = np.array(signs[place : place + len(group)]) * np.array(group)
            place += len(group)
            means.append(flipped.mean())
            error += flipped.var(ddof=1) / len(group)
        return abs(np.mean(means)) / math.sqrt(error) if error > 0 else math.inf

    n = sum(map(len, groups))
    found = size((1,) * n)
    return sum(size(signs) >= found * (1 - 1e-12) for signs in itertools.product((1, -1), repeat=n)) / 2**n


@pytest.mark.parametrize(
    "groups",
    [
        [TEN[:4], TEN[4:8]],
        [[0.19, 0.21, 0.2], [-0.09, -0.08, -0.1], [0.01, 0.02, 0.04]],
        [[0.2, 0.1], [0.3, 0.25], [-0.05, 0.02]],
    ],
)
def test_several_sets_are_flipped_by_hand(groups: list[list[float]]):
    p, exact = sign_flip([np.array(group) for group in groups])
    assert exact
    assert p == pytest.approx(studentised_by_hand(groups))


def test_sets_that_differ_are_no_noise():
    """Steady differences of opposite sign: the mean is far from 0 for what shuffles do to it."""
    rng = np.random.default_rng(7)
    groups = [rng.normal(0.19, 0.03, 8), rng.normal(-0.09, 0.03, 8)]
    assert sign_flip(groups)[0] < 0.01
    assert effect([group.tolist() for group in groups]).low > 0


def test_sets_that_differ_and_cancel_are_called_an_effect_no_more_often_than_said():
    """100 draws in which the mean over four sets is 0 and that of no set is: 5 at most in the long run."""
    rng = np.random.default_rng(8)
    called = sum(
        sign_flip([rng.normal(mean, 0.03, 3) for mean in (0.08, -0.08, 0.04, -0.04)])[0] < 0.05 for _ in range(100)
    )
    assert called <= 11, "more than 11 of 100 at a rate of 0.05: p < 0.01"


@pytest.mark.parametrize("sets", [(0.6,), (0.2, 1.0), (1.2, -0.4, 0.6)])
def test_interval_and_test_hardly_ever_disagree(sets: tuple[float, ...]):
    rng = np.random.default_rng(4)
    apart = 0
    for _ in range(100):
        found = effect([rng.normal(mean, 1.0, 10 // len(sets) + 3).tolist() for mean in sets])
        apart += (found.p < 0.05) != (found.low > 0 or found.high < 0)
    assert apart <= 8


def test_the_interval_holds_a_known_mean_about_as_often_as_it_says():
    """400 draws of ten with heavy tails: 95 % give or take three Monte-Carlo errors."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(400):
        (low, high), _ = interval([rng.standard_t(4, 10)])
        held += low <= 0 <= high
    assert 0.917 <= held / 400 <= 0.983


def test_sets_share_one_interval():
    rng = np.random.default_rng(6)
    groups = [rng.normal(0.1 * i, 0.1, 12).tolist() for i in range(3)]
    found = effect(groups)
    error = math.sqrt(sum(np.var(g, ddof=1) / 12 for g in groups)) / 3
    assert found.mean == pytest.approx(np.mean(groups))
    assert (found.high - found.mean) / error == pytest.approx(2.03, abs=0.12)
