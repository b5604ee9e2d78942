import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation import metrics
from evaluation.compare import resamples
from evaluation.curves import Evidence, area, at, grid, measured, resampled
from evaluation.records import Arm, Cell, Comparison, Point
from evaluation.table import table
from tests.unit.evaluation.made_up import comparison


def cell(*heights: tuple[int, float], arm: str = "a", seed: int = 0) -> Cell:
    points = tuple(Point(human_labels=labels, accuracy=value) for labels, value in heights)
    return Cell(arm=arm, seed=seed, student="s", curve=points)


def two_arms(*cells: Cell, fixed: bool = False) -> Comparison:
    arms = (Arm(name="a", role="agent"), Arm(name="b", fixed=fixed))
    return Comparison(name="n", task="t", classes=("x", "y"), budget=32, arms=arms, cells=cells)


def test_a_point_is_measured_and_keeps_what_was_spent():
    point = measured(np.array([0, 1, 1, 0]), np.array([0, 1, 0, -2]), 2, Point(human_labels=8, generated=3))
    assert (point.human_labels, point.generated, point.accuracy) == (8, 3, 0.5)
    assert point.macro_f1 == pytest.approx((2 * 1 / 4 + 2 * 1 / 3) / 2)
    assert point.predictions == (0, 1, 0, -2)


def test_items_that_were_left_out_do_not_count_and_those_without_an_answer_do():
    left_out = measured(np.array([0, 1, 1, 0]), np.array([0, 1, -1, -1]), 2, Point(human_labels=0))
    assert (left_out.accuracy, left_out.macro_f1) == (1.0, 1.0)
    unanswered = measured(np.array([0, 1, 1, 0]), np.array([0, 1, -2, -2]), 2, Point(human_labels=0))
    assert unanswered.accuracy == 0.5


def test_arms_are_compared_on_the_items_that_both_predicted():
    gold = (0, 1, 0, 1, 0, 1)
    whole, part = (0, 1, 1, 0, 1, 0), (0, 0, -1, -1, -1, -1)

    def made(name: str, seed: int, said: tuple[int, ...]) -> Cell:
        point = measured(np.array(gold), np.array(said), 2, Point(human_labels=8))
        return Cell(arm=name, seed=seed, student="s", curve=(point,))

    study = two_arms(made("a", 0, whole), made("a", 1, whole), made("b", 0, part), fixed=True)
    study = study.model_copy(update={"gold": gold, "test_size": 6})
    evidence = Evidence(study)
    assert evidence.estimate("a", "s").mean == pytest.approx(1 / 3)
    assert evidence.difference("a", "b", "s").mean == pytest.approx(1.0 - 0.5)
    assert (evidence.items("a", "s"), evidence.items("b", "s")) == (6, 2)
    assert "b is measured on 2 of 6 test items" in table(study)


def test_between_two_points_the_student_of_the_first_stands():
    one = cell((8, 0.6), (16, 0.7))
    assert [getattr(at(one, labels), "accuracy", None) for labels in (7, 8, 15, 16, 99)] == [None, 0.6, 0.6, 0.7, 0.7]


def test_of_two_points_at_one_count_the_last_stands():
    found = at(cell((8, 0.6), (8, 0.65)), 8)
    assert found is not None
    assert found.accuracy == 0.65


def test_the_grid_begins_where_every_cell_has_a_point():
    assert grid([cell((4, 0.5), (8, 0.6)), cell((8, 0.6), (20, 0.7), (40, 0.8))], most=32) == (8, 20)
    assert grid([]) == ()


def test_area_by_hand():
    # Trapezoids 0.5..0.7 over 8..16 (mean 0.6) and level 0.7 over 16..24.
    assert area(cell((8, 0.5), (16, 0.7)), 8, 24) == pytest.approx((0.6 + 0.7) / 2)
    assert area(cell((8, 0.5), (16, 0.7)), 12, 16) == pytest.approx(0.65)


def test_area_is_undefined_before_the_first_point_over_no_range_and_with_a_hole():
    one = cell((8, 0.5), (16, 0.7))
    undefined = (area(one, 4, 16), area(one, 16, 16), area(cell((8, math.nan), (16, 0.7)), 8, 16))
    assert all(math.isnan(value) for value in undefined)


@given(st.floats(0, 1), st.lists(st.integers(1, 40), min_size=1, max_size=6, unique=True))
def test_area_under_a_level_curve_is_its_height(height: float, counts: list[int]):
    assert area(cell(*((labels, height) for labels in counts)), min(counts), 50) == pytest.approx(height)


def test_differences_are_paired_over_the_seeds_that_both_arms_have():
    cells = [cell((8, 0.9), arm="a", seed=s) for s in (0, 1, 2)] + [cell((8, 0.5), arm="b", seed=s) for s in (1, 2, 3)]
    found = Evidence(two_arms(*cells)).difference("a", "b", "s")
    assert found.n == 2
    assert found.mean == pytest.approx(0.4)


def test_an_arm_that_no_seed_changes_is_paired_with_every_seed():
    cells = [cell((8, 0.8 + s / 100), arm="a", seed=s) for s in (0, 1, 2)] + [cell((0, 0.7), arm="b", seed=9)]
    assert Evidence(two_arms(*cells, fixed=True)).difference("a", "b", "s").n == 3
    assert Evidence(two_arms(*cells)).difference("a", "b", "s").n == 0


def test_an_arm_that_had_no_student_yet_is_undefined_there():
    found = Evidence(two_arms(cell((8, 0.6)), cell((16, 0.6), seed=1))).estimate("a", "s", 8)
    assert math.isnan(found.mean)


def test_more_labels_than_the_budget_are_not_compared():
    assert Evidence(two_arms(cell((32, 0.6), (64, 0.9)))).estimate("a", "s").mean == 0.6


def test_the_interval_covers_items_only_where_predictions_are_kept():
    made = comparison(test=60)
    bare = made.model_copy(update={"gold": None})
    assert Evidence(made).estimate("agent", "bert").items is not None
    assert Evidence(bare).estimate("agent", "bert").items is None


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_measures_of_resamples_are_those_of_the_items_drawn(seed: int):
    rng = np.random.default_rng(seed)
    gold, said = rng.integers(0, 3, 12), rng.integers(-2, 3, 12)
    weights = resamples(12, count=3, seed=seed)
    kept = said != -1
    for measure, of in (("accuracy", metrics.accuracy), ("macro_f1", lambda g, p: metrics.macro_f1(g, p, 3))):
        drawn = [row[kept].astype(int) for row in weights]
        expected = [of(np.repeat(gold[kept], row), np.repeat(said[kept], row)) for row in drawn]
        assert resampled(gold, said, weights, 3, measure) == pytest.approx(expected, abs=1e-6, nan_ok=True)
