"""Over all data sets: hand-computed means, contrasts and ranks, and in what words they are told."""

import math
import re

import pytest

from agent.domain import Cost
from evaluation.contrasts import At, Contrast
from evaluation.overall import UNMOVED, Overall, aside, curve_rows, notes, of_set, rows, sheet, summary
from evaluation.records import Arm, Cell, Choosing, Comparison, Point
from evaluation.targets import spared
from evaluation.trainings import averaged
from tests.support.toy_studies import small


def cell(arm: str, seed: int, *heights: float, training: int = 0) -> Cell:
    curve = tuple(
        Point(human_labels=8 * (i + 1), accuracy=h, macro_f1=h / 2, cost=Cost(human_seconds=30.0 * (i + 1)))
        for i, h in enumerate(heights)
    )
    return Cell(arm=arm, seed=seed, training=training, student="svm", curve=curve, cost=curve[-1].cost)


def comparison(name: str, *cells: Cell) -> Comparison:
    arms = tuple(Arm(name=arm) for arm in ("random", "margin", "kmeans"))
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
FULL = {"weather": {"svm": 0.8}, "storms": {"svm": 0.9}}


def test_every_set_counts_once_whatever_its_number_of_shuffles() -> None:
    overall = Overall(STUDY, SETS)
    assert overall.estimate("random", "svm").mean == pytest.approx((0.61 + 0.8) / 2)
    assert overall.estimate("random", "svm", "macro_f1").mean == pytest.approx((0.61 + 0.8) / 4)
    assert (overall.estimate("random", "svm").n, overall.estimate("random", "svm").sets) == (5, 2)
    alone = overall.alone("weather").estimate("margin", "svm")
    assert alone.mean == pytest.approx(0.72)
    assert alone.low < 0.72 < alone.high


def test_the_mean_height_of_each_curve_stands_beside_its_end() -> None:
    overall = Overall(STUDY, SETS)
    assert overall.height("margin", "svm").mean == pytest.approx(((0.5 + 0.72) / 2 + (0.5 + 0.8) / 2) / 2)
    found = overall.alone("weather").height("margin", "svm")
    assert found.mean == pytest.approx(0.61)
    assert found.low < 0.61 < found.high
    table = sheet(overall.alone("weather"))
    place = table.head.index("mean height [95 %]")
    assert [row[place] for row in table.rows] == ["55.5 % [54.3, 56.7]", "61.0 % [58.5, 63.5]"]


def test_a_single_point_has_no_height_and_leaves_that_of_the_others() -> None:
    one = SETS["weather"]
    late = tuple(
        each.model_copy(update={"arm": "kmeans", "curve": each.curve[-1:]}) for each in one.of("random", "svm")
    )
    both = one.model_copy(update={"cells": (*one.cells, *late)})
    alone, beside = Overall(STUDY, {"weather": one}), Overall(STUDY, {"weather": both})
    assert math.isnan(beside.height("kmeans", "svm").mean)
    assert beside.height("margin", "svm") == alone.height("margin", "svm")
    assert math.isnan(Overall(STUDY, {**SETS, "storms": comparison("storms")}).height("random", "svm").mean)


def test_the_named_contrasts_are_those_of_the_calibrated_statistics() -> None:
    (found,) = Overall(STUDY, SETS).results()
    assert found.overall.mean == pytest.approx((0.72 - 0.61) / 2)
    assert [(name, there.n) for name, there in found.by_set] == [("weather", 3), ("storms", 2)]
    assert found.overall.method == "student-t"


def test_a_set_without_a_whole_shuffle_leaves_its_contrast_undefined() -> None:
    early = {"weather": SETS["weather"], "storms": comparison("storms")}
    (found,) = Overall(STUDY, early).results()
    assert found.verdict == "unknown"
    assert found.by_set[0][1].n == 3
    said = summary(Overall(STUDY, early, FULL))
    assert "undefined: too few shuffles" in said
    assert math.isnan(Overall(STUDY, early, FULL).share_of_full("random", "svm").mean)


def test_the_share_of_full_supervision_is_taken_set_by_set() -> None:
    overall = Overall(STUDY, SETS, FULL)
    assert overall.share_of_full("random", "svm").mean == pytest.approx((0.61 / 0.8 + 0.8 / 0.9) / 2)
    alone, accuracy = (
        overall.alone("weather").share_of_full("margin", "svm"),
        overall.alone("weather").estimate("margin", "svm"),
    )
    assert (alone.low, alone.mean) == pytest.approx((accuracy.low / 0.8, accuracy.mean / 0.8))
    assert math.isnan(Overall(STUDY, SETS, {"weather": {"svm": 0.8}}).share_of_full("random", "svm").mean)


def test_limits_of_the_share_of_full_supervision_end_where_those_of_accuracy_do() -> None:
    far = {name: comparison(name, cell("random", 0, 0.5, 0.1), cell("random", 1, 0.5, 0.9)) for name in FULL}
    overall = Overall(STUDY, far, FULL)
    alone = overall.alone("weather")
    assert (alone.estimate("random", "svm").low, alone.estimate("random", "svm").high) == (0, 1)
    assert (alone.share_of_full("random", "svm").low, alone.share_of_full("random", "svm").high) == (0, 1 / 0.8)
    assert overall.share_of_full("random", "svm").high == pytest.approx((1 / 0.8 + 1 / 0.9) / 2)


def test_the_share_of_full_supervision_stands_beside_accuracy() -> None:
    head, other = sheet(Overall(STUDY, SETS, FULL)), sheet(Overall(STUDY, SETS))
    place = head.head.index("accuracy [95 %]")
    assert head.head[place + 1] == "of full [95 %]"
    assert all(row[place + 1].endswith("]") for row in head.rows)
    assert "of full [95 %]" not in other.head
    assert len(other.rows[0]) == len(other.head) == len(head.head) - 1


def test_the_summary_says_what_was_tested_and_what_is_descriptive() -> None:
    said = summary(Overall(STUDY, SETS, FULL))
    assert "1 contrast was named before the run." in said
    assert "margin - random (svm), accuracy at the budget: +5.5 points" in said
    assert "5 shuffles of 2 data sets, by Student's t" in said
    assert "  weather: +11.0 points" in said
    assert "of full" in said
    assert "nothing to compare" not in said
    unnamed = summary(Overall(STUDY.model_copy(update={"contrasts": ()}), SETS))
    assert "everything is descriptive" in unnamed
    assert "95 % intervals cover other shuffles" in unnamed


def test_an_arm_that_no_shuffle_changes_is_said_to_be_one_observation() -> None:
    one = SETS["weather"]
    first = one.of("random", "svm")[0]
    same = tuple(first.model_copy(update={"arm": "kmeans", "seed": seed}) for seed in range(3))
    arms = (*one.arms, one.arms[0].model_copy(update={"name": "kmeans"}))
    study = STUDY.model_copy(update={"arms": (*STUDY.arms, STUDY.arms[0].model_copy(update={"name": "kmeans"}))})
    there = one.model_copy(update={"cells": (*one.cells, *same), "arms": arms})
    assert notes(Overall(study, {"weather": there})) == [f"kmeans (svm): {UNMOVED}"]
    single = one.model_copy(update={"cells": (*one.cells, same[0]), "arms": arms})
    assert notes(Overall(study, {"weather": single})) == [], "a single shuffle says nothing of others"


def test_labels_to_reach_a_target_may_be_none_and_what_is_not_forecast_has_a_reason() -> None:
    said = of_set(Overall(STUDY, SETS), "weather")
    assert "72% accuracy" in said
    assert "not reached by 16, 0 of 3 shuffles" in said
    assert "16, 2 of 3 shuffles" in said
    assert "No labels saved are forecast. random (svm): 2 points of the curve over 3 shuffles: too few" in said


def test_labels_saved_on_the_way_to_a_target_are_those_of_the_named_contrasts() -> None:
    study = STUDY.model_copy(update={"targets": (0.5, 0.71, 0.9)})
    said = of_set(Overall(study, SETS), "weather").splitlines()
    (head,) = [i for i, line in enumerate(said) if line.startswith("Labels of people saved on the way to a target")]
    assert said[head + 2].split() == ["contrast", "50%", "accuracy", "71%", "accuracy", "90%", "accuracy"]
    assert re.split(r"  +", said[head + 4]) == [
        "margin - random (svm)",
        "-8 to 8",
        "more than 0, random not reached",
        "neither reached",
    ]
    assert not any("saved on the way" in line for line in aside(Overall(small(students=["svm"]), SETS), "weather"))


def test_what_fewer_labels_would_have_done_is_not_told_of_an_arm_that_was_there_at_its_first_look() -> None:
    ends = [each.model_copy(update={"curve": each.curve[-1:]}) for each in SETS["weather"].of("margin", "svm")]
    here = comparison("weather", *SETS["weather"].of("random", "svm"), *ends)
    study = STUDY.model_copy(update={"targets": (0.6, 0.71)})
    said = of_set(Overall(study, {"weather": here}), "weather").splitlines()
    found = [re.split(r"  +", line) for line in said]
    assert ["margin", "svm", "at most 16, 3 of 3 shuffles", "at most 16, 2 of 3 shuffles"] in found
    assert ["margin - random (svm)", "0 to 16", "more than 0, random not reached"] in found
    assert any(line.startswith("At most: there at the first look") for line in said)
    assert not any(line.startswith("At most") for line in of_set(Overall(study, SETS), "weather").splitlines())


def test_a_contrast_of_an_arm_whose_fallback_chose_says_so() -> None:
    mostly = {"filled_share": 0.6, "renamed": "random"}
    cells = [each.model_copy(update=mostly if each.arm == "margin" else {}) for each in SETS["weather"].cells]
    here = SETS["weather"].model_copy(update={"cells": tuple(cells)})
    (line,) = [line for line in summary(Overall(STUDY, {"weather": here})).splitlines() if "at the budget:" in line]
    assert line.endswith("; chosen by a fallback: random (was margin) in weather.")
    assert "fallback" not in summary(Overall(STUDY, SETS))


def test_an_arm_that_no_shuffle_changes_is_held_against_every_shuffle() -> None:
    own = Cell(arm="kmeans", seed=9, student="", curve=(Point(human_labels=0, accuracy=0.7),))
    fixed = tuple(Arm(name=arm, fixed=arm == "kmeans") for arm in ("random", "margin", "kmeans"))
    cells = (*(cell("margin", i, 0.5, 0.7) for i in range(6)), own)
    here = comparison("weather", *cells).model_copy(update={"arms": fixed})
    named = Contrast(a="margin", b="kmeans", student="svm", b_student="")
    again = named.model_copy(update={"measure": At(metric="macro_f1")})
    assert spared(here, (named, again), (0.7,)).rows == (("margin (svm) - kmeans (LLM itself)", "-16 [-16, -16]"),)


@pytest.mark.parametrize(("ahead", "warned"), [(0.05, False), (0.0, True)])
def test_labels_saved_are_forecast_with_their_back_test(ahead: float, warned: bool) -> None:
    rising = [1 - 0.6 * n**-0.5 for n in range(8, 72, 8)]
    cells = [
        cell(arm, i, *(height + better + i / 1000 for height in rising))
        for arm, better in (("random", 0.0), ("margin", ahead))
        for i in range(6)
    ]
    here = comparison("weather", *cells).model_copy(update={"budget": 64})
    said = "\n".join(aside(Overall(STUDY.model_copy(update={"sets": ("weather",)}), {"weather": here}), "weather"))
    assert "margin - random (svm), accuracy: random would need" in said
    assert "random (svm), accuracy: back-test: " in said
    assert "held-out rounds" in said
    assert ("no saving is foretold" in said) == warned


def test_each_forecast_stands_beside_the_back_test_of_its_own_measure() -> None:
    rising = [1 - 0.6 * n**-0.5 for n in range(8, 72, 8)]
    cells = [cell(arm, i, *(height + i / 1000 for height in rising)) for arm in ("random", "margin") for i in range(6)]
    here = comparison("weather", *cells).model_copy(update={"budget": 64})
    macro = STUDY.contrasts[0].model_copy(update={"measure": At(metric="macro_f1")})
    both = STUDY.model_copy(update={"sets": ("weather",), "contrasts": (*STUDY.contrasts, macro)})
    said = [line.strip() for line in aside(Overall(both, {"weather": here}), "weather")]
    for metric in ("accuracy", "macro_f1"):
        assert sum(line.startswith(f"margin - random (svm), {metric}: ") for line in said) == 1
        assert sum(line.startswith(f"random (svm), {metric}: back-test: ") for line in said) == 1


def test_five_sets_are_ranked() -> None:
    names = [f"set{i}" for i in range(5)]
    heights = {"margin": 0.8, "kmeans": 0.7, "random": 0.6}
    five = {
        name: comparison(name, *(cell(arm, s, 0.5, h + s / 100) for arm, h in heights.items() for s in range(2)))
        for name in names
    }
    arms = [{"strategy": {"kind": kind}} for kind in heights]
    study = small(sets=names, students=["svm"], arms=arms)
    found = Overall(study, five).ranks()
    assert found["svm"].arms == ("margin", "kmeans", "random")
    assert "Mean ranks, svm: margin 1.00, kmeans 2.00, random 3.00. The arms differ." in summary(Overall(study, five))
    assert Overall(study, dict(list(five.items())[:4])).ranks() == {}


def test_curves_run_over_labels_and_over_what_was_spent() -> None:
    found = curve_rows(Overall(STUDY, SETS))
    assert {(row["axis"], row["amount"]) for row in found} == {
        ("labels", 8),
        ("labels", 16),
        ("minutes", 0.5),
        ("minutes", 1.0),
    }
    last = next(
        r for r in found if (r["data"], r["arm"], r["axis"], r["amount"]) == ("weather", "margin", "minutes", 1)
    )
    assert last["accuracy"] == pytest.approx(0.72)
    assert last["macro_f1"] == pytest.approx(0.36)
    assert last["shuffles"] == 3


def test_the_llms_own_row_stands_with_its_note() -> None:
    arms = (*SETS["weather"].arms, Arm(name="zero-shot", title="the LLM itself", note="read from 3 texts", fixed=True))
    own = Cell(arm="zero-shot", seed=0, curve=(Point(human_labels=0, accuracy=0.9, macro_f1=0.9),))
    here = SETS["weather"].model_copy(update={"arms": arms, "cells": (*SETS["weather"].cells, own)})
    said = rows(Overall(STUDY, {"weather": here}))
    assert any("the LLM itself" in line and "90.0 %" in line for line in said)
    assert said[-1] == "the LLM itself: read from 3 texts."


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


def test_how_the_llm_chose_is_the_mean_over_the_trainings_of_a_shuffle() -> None:
    """All but the picks, of which there is no mean."""
    first, second = cell("random", 0, 0.5), cell("random", 0, 0.5, training=1)
    ways = [
        Choosing(miscounted=0.2, refused=math.nan, classes={"rainy": 0.4}, own=("a",)),
        Choosing(miscounted=0.6, refused=0.1, classes={"rainy": 0.8}, own=("b",)),
    ]
    said = [
        {"choosing": ways[0], "quartiles": (1.0, 0.0, 0.0, 0.0), "notes": {"lists": 2.0}},
        {
            "choosing": ways[1],
            "quartiles": (0.5, 0.5, 0.0, 0.0),
            "notes": {"lists": 3.0, "refused": 1.0},
            "renamed": "margin",
        },
    ]
    both = [each.model_copy(update=update) for each, update in zip((first, second), said, strict=True)]
    (merged,) = averaged(comparison("weather", *both)).cells
    assert merged.choosing is not None
    assert (merged.choosing.miscounted, merged.choosing.refused) == (pytest.approx(0.4), 0.1)
    assert (merged.choosing.classes, merged.choosing.own) == ({"rainy": pytest.approx(0.6)}, ("a",))
    assert merged.quartiles == (0.75, 0.25, 0.0, 0.0)
    assert (merged.notes, merged.renamed) == ({"lists": 5.0, "refused": 1.0}, "margin")
