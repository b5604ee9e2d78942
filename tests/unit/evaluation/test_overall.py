"""Over all data sets: hand-computed means, contrasts and targets."""

import math

import pytest

from agent.domain import Cost
from evaluation.overall import Overall, summary
from evaluation.records import Arm, Cell, Comparison, Point
from evaluation.trainings import averaged
from tests.support.toy_studies import small


def cell(arm: str, seed: int, *heights: float, training: int = 0) -> Cell:
    curve = tuple(Point(human_labels=8 * (i + 1), accuracy=h, macro_f1=h / 2) for i, h in enumerate(heights))
    return Cell(arm=arm, seed=seed, training=training, student="svm", curve=curve, cost=Cost(human_seconds=60.0))


def comparison(name: str, *cells: Cell) -> Comparison:
    arms = tuple(Arm(name=arm) for arm in ("random", "margin"))
    return Comparison(name=name, task=name, classes=("a", "b"), budget=16, arms=arms, cells=cells)


SETS = {
    "weather": comparison(
        "weather",
        *(cell("random", i, 0.5, 0.6 + i / 100) for i in range(3)),
        *(cell("margin", i, 0.5, 0.7 + i / 50) for i in range(3)),
    ),
    "storms": comparison(
        "storms",
        *(cell("random", i, 0.5, 0.8) for i in range(2)),
        *(cell("margin", i, 0.5, 0.8) for i in range(2)),
    ),
}
STUDY = small(students=["svm"], targets=[0.72], full=True)


def test_the_value_of_a_shuffle_is_the_mean_over_the_sets_that_all_have_it() -> None:
    overall = Overall(STUDY, SETS)
    assert overall.shuffles("random", "svm") == (0, 1)
    assert overall.values("random", "svm") == pytest.approx([0.7, 0.705])
    assert overall.values("random", "svm", "macro_f1") == pytest.approx([0.35, 0.3525])
    assert overall.values("random", "svm", labels=8) == pytest.approx([0.5, 0.5])
    assert overall.estimate("margin", "svm").n == 2


def test_a_contrast_is_paired_by_shuffle() -> None:
    (tested,) = Overall(STUDY, SETS).tested()
    assert tested.difference.mean == pytest.approx(((0.75 - 0.7) + (0.76 - 0.705)) / 2)
    assert tested.difference.n == 2
    assert 0 < tested.p < 1


def test_the_share_of_full_supervision_is_taken_set_by_set() -> None:
    overall = Overall(STUDY, SETS, {"weather": {"svm": 0.8}, "storms": {"svm": 0.9}})
    assert overall.share_of_full("random", "svm") == pytest.approx((0.61 / 0.8 + 0.8 / 0.9) / 2)
    assert math.isnan(Overall(STUDY, SETS, {"weather": {"svm": 0.8}}).share_of_full("random", "svm"))


def test_labels_to_reach_a_target_may_be_none() -> None:
    overall = Overall(STUDY, SETS)
    assert overall.reached("margin", "svm", 0.72, "weather") == (2, 3, 16.0)
    assert overall.reached("random", "svm", 0.72, "weather") == (0, 3, math.inf)


def test_the_summary_says_what_was_tested_and_what_is_descriptive() -> None:
    said = summary(Overall(STUDY, SETS, {"weather": {"svm": 0.8}, "storms": {"svm": 0.9}}))
    assert "margin - random, svm, accuracy at 16: +5.2 points" in said
    assert "(n = 2); a gain" in said
    assert "random, svm not reached (0 of 3)" in said
    assert "margin, svm 16 (2 of 3)" in said
    assert "of full" in said
    equal = summary(Overall(STUDY, {"storms": SETS["storms"]}))
    assert "+0.0 points [+0.0, +0.0], p = 1.000 (n = 2); no evidence of a difference" in equal
    unnamed = summary(Overall(STUDY.model_copy(update={"contrasts": ()}), SETS))
    assert "everything above is descriptive" in unnamed


def test_trainings_of_one_shuffle_are_one_observation() -> None:
    twice = comparison(
        "weather",
        cell("random", 0, 0.5, 0.6),
        cell("random", 0, 0.7, 0.8, training=1),
        cell("random", 1, 0.5, 0.5),
        cell("random", 1, 0.5, 0.7, training=1),
    )
    merged = averaged(twice)
    assert [(c.seed, c.training) for c in merged.cells] == [(0, 0), (1, 0)]
    assert [p.accuracy for p in merged.cells[0].curve] == pytest.approx([0.6, 0.7])
    assert [p.human_labels for p in merged.cells[0].curve] == [8, 16]
    assert merged.cells[0].curve[0].predictions is None
    assert merged.cells[1].curve[1].accuracy == pytest.approx(0.6)
    once = comparison("weather", cell("random", 0, 0.5))
    assert averaged(once) is once
