import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evaluation.reach import Needed, medians, needed, reach, saved
from evaluation.records import Cell, Point


def cell(seed: int, *heights: tuple[int, float]) -> Cell:
    return Cell(
        arm="a", seed=seed, student="s", curve=tuple(Point(human_labels=n, accuracy=value) for n, value in heights)
    )


def reaching(*amounts: int | None, end: int = 32) -> list[Cell]:
    """One shuffle for each amount at which 0.8 is reached; None: not by `end`."""
    return [
        cell(i, (4, 0.5), *(((amount, 0.8),) if amount else ()), *(((end, 0.7),) if amount != end else ()))
        for i, amount in enumerate(amounts)
    ]


def test_the_first_checkpoint_at_or_above_the_target_counts():
    one = cell(0, (8, 0.6), (16, 0.8), (24, 0.7))
    assert needed(one, 0.8) == Needed(16, reached=True)
    assert needed(one, 0.81) == Needed(24, reached=False)
    assert math.isnan(needed(cell(0, (8, math.nan)), 0.8).amount)


def test_the_median_by_hand():
    assert reach(reaching(8, 16, 24), 0.8).median == 16
    assert reach(reaching(8, 16, None), 0.8).median == 16
    assert reach(reaching(8, None, None), 0.8).median == math.inf


def test_not_reached_is_a_value():
    found = reach(reaching(8, *[None] * 9), 0.8)
    assert (found.median, found.high, found.reached, found.n) == (math.inf, math.inf, 1, 10)
    assert str(found) == "not reached by 32, 1 of 10 shuffles"


def test_the_interval_reaches_into_what_was_not_reached():
    found = reach(reaching(8, 8, 12, 16, 16, 24, None, None, None, None), 0.8)
    assert (found.median, found.low, found.high) == (16, 8, math.inf)
    assert str(found) == "16 [8, not reached], 6 of 10 shuffles"


def test_few_shuffles_have_no_interval_and_an_undefined_curve_has_nothing():
    assert math.isnan(reach(reaching(8, 8, 8), 0.8).low)
    assert math.isnan(reach([cell(0, (8, math.nan))], 0.8).median)
    assert math.isnan(reach([], 0.8).median)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=2, max_size=12))
def test_medians_are_scipys_kaplan_meier(given_: list[tuple[int, bool]]):
    found = [Needed(float(amount), reached) for amount, reached in given_]
    reached = [each.amount for each in found if each.reached]
    ours = float(medians(found, np.ones((1, len(found))))[0])
    if not reached:
        assert ours == math.inf
        return
    data = stats.CensoredData(uncensored=reached, right=[each.amount for each in found if not each.reached])
    survival = stats.ecdf(data).sf
    below = survival.quantiles[survival.probabilities <= 0.5 + 1e-12]
    assert ours == (below[0] if len(below) else math.inf)


def test_a_resample_counts_a_shuffle_as_often_as_it_was_drawn():
    found = [Needed(8, reached=True), Needed(16, reached=True), Needed(32, reached=False)]
    assert medians(found, np.array([[3.0, 0, 0], [1, 2, 0], [1, 0, 2]])).tolist() == [8, 16, math.inf]


def test_labels_saved_by_hand():
    found = saved(reaching(8, 8, 8, 8, 8, 8, 8), reaching(24, 24, 24, 24, 24, 24, 24), 0.8)
    assert (found.at_least, found.at_most, found.low, found.high, found.n) == (16, 16, 16, 16, 7)


def test_what_was_not_reached_bounds_the_saving_on_one_side_only():
    won = saved(reaching(*[8] * 8), reaching(*[None] * 8), 0.8)
    assert (won.at_least, won.at_most, won.low, won.high) == (24, math.inf, 24, math.inf)
    lost = saved(reaching(*[None] * 8), reaching(*[8] * 8), 0.8)
    assert (lost.at_least, lost.at_most, lost.low, lost.high) == (-math.inf, -24, -math.inf, -24)
    unknown = saved(reaching(*[None] * 8), reaching(*[None] * 8), 0.8)
    assert (unknown.low, unknown.high) == (-math.inf, math.inf)


def test_censoring_can_only_widen_the_interval():
    a = reaching(8, 8, 12, 8, 16, 8, 12, 8, 8, 12)
    whole = saved(a, reaching(24, 28, 24, 24, 28, 24, 24, 28, 24, 24), 0.8)
    cut = saved(a, reaching(24, 28, None, 24, None, 24, None, 28, None, 24), 0.8)
    assert cut.low <= whole.low + 4
    assert cut.high >= whole.high
    assert cut.high == math.inf


def test_labels_saved_are_told_with_what_was_not_reached():
    eight, early, never = reaching(*[8] * 8), reaching(8, 8, 8), reaching(*[None] * 8)
    some = reaching(24, 24, 24, 24, 24, 24, None, None)
    assert saved(eight, reaching(*[24] * 8), 0.8).told("a", "b") == "16 [16, 16]"
    assert saved(early, reaching(24, 24, 24), 0.8).told("a", "b") == "16"
    assert saved(eight, some, 0.8).told("a", "b") == "16 [16, open]"
    assert saved(eight, never, 0.8).told("a", "b") == "more than 24 [24, open], b not reached"
    assert saved(never, eight, 0.8).told("a", "b") == "less than -24 [open, -24], a not reached"
    assert saved(never, never, 0.8).told("a", "b") == "neither reached"
    half = saved(reaching(*[8] * 3, *[None] * 3), reaching(*[None] * 3, *[24] * 3), 0.8)
    assert half.told("a", "b") == "16 [open, open]"
    assert saved(eight, [], 0.8).told("a", "b") == "–"


def test_what_was_there_at_the_first_look_may_have_needed_less():
    early = [cell(i, (32, 0.9), (40, 0.9)) for i in range(8)]
    assert needed(early[0], 0.8) == Needed(32, reached=True, early=True)
    assert not needed(cell(0, (0, 0.9), (8, 0.9)), 0.8).early, "nothing is less than none"
    assert str(reach(early, 0.8)) == "at most 32 [0, 32], 8 of 8 shuffles"
    late = [cell(i, (32, 0.5), (40, 0.9)) for i in range(8)]
    assert saved(early, late, 0.8).told("a", "b") == "8 to 40 [8, 40]"
    assert saved(late, early, 0.8).told("a", "b") == "-40 to -8 [-40, -8]"
    assert saved(early, early, 0.8).told("a", "b") == "-32 to 32 [-32, 32]"
    never = [cell(i, (32, 0.5), (40, 0.5)) for i in range(8)]
    assert saved(early, never, 0.8).told("a", "b") == "more than 8 [8, open], b not reached"


def test_a_median_above_the_first_look_is_no_less_for_the_few_that_were_there():
    some = [cell(i, (32, 0.9 if i < 2 else 0.5), (40, 0.9)) for i in range(8)]
    found = reach(some, 0.8)
    assert (found.median, found.early, found.high) == (40, False, 40)
    assert found.low in (0, 40), "a resample may hold those that were there by half"


def test_savings_need_shuffles_that_both_have():
    assert math.isnan(saved(reaching(8), [], 0.8).low)


@pytest.mark.parametrize("spread", [(8, 12, 16, 20, 24, 28, 32)])
def test_the_interval_of_a_median_holds_it(spread: tuple[int, ...]):
    """200 studies of ten, a third of them censored: the true median is 20."""
    rng, held = np.random.default_rng(2), 0
    for _ in range(200):
        drawn = [int(each) for each in rng.choice(spread, 10)]
        found = reach(reaching(*(each if each < 28 else None for each in drawn)), 0.8)
        held += found.low <= 20 <= found.high
    assert held >= 180
