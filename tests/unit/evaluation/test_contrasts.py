import math
from dataclasses import replace

import pytest
from pydantic import TypeAdapter, ValidationError

from agent.domain import Cost
from agent.errors import BadInput
from evaluation.axes import spent
from evaluation.contrasts import Area, At, Contrast, MeasureSpec, curve, ends, mean, paired_values, results, values
from evaluation.curves import at
from evaluation.records import Arm, Cell, Comparison, Point
from evaluation.verdicts import told

GAPS = (0.04, 0.06, 0.05, 0.07, 0.03, 0.05, 0.06, 0.04, 0.05, 0.08)
NOTHING = Cost()


def point(labels: int, accuracy: float, tokens: int = 0, minutes: float = 0.0) -> Point:
    cost = Cost(human_labels=labels, human_seconds=60 * minutes, tokens_in=tokens)
    return Point(human_labels=labels, accuracy=accuracy, macro_f1=accuracy / 2, cost=cost)


def cell(arm: str, seed: int, *points: Point, student: str = "s", cost: Cost = NOTHING) -> Cell:
    return Cell(arm=arm, seed=seed, student=student, curve=points, cost=cost)


def study(*cells: Cell, task: str = "films", fixed: str = "") -> Comparison:
    names = dict.fromkeys(each.arm for each in cells)
    arms = tuple(Arm(name=name, fixed=name == fixed) for name in names)
    return Comparison(name="n", task=task, classes=("x", "y"), budget=32, arms=arms, cells=cells)


def gained(gaps: tuple[float, ...], task: str = "films") -> Comparison:
    """Arm a is above b by another gap on every shuffle."""
    cells = [cell("b", i, point(8, 0.5), point(32, 0.6 + i / 100)) for i in range(len(gaps))]
    cells += [cell("a", i, point(8, 0.5), point(32, 0.6 + i / 100 + gap)) for i, gap in enumerate(gaps)]
    return study(*cells, task=task)


def contrast(measure: MeasureSpec | None = None, a: str = "a", b: str = "b") -> Contrast:
    return Contrast(a=a, b=b, student="s", measure=measure or At())


def test_a_contrast_is_read_from_a_study_file():
    found = TypeAdapter(Contrast).validate_python(
        {"a": "agent", "b": "random", "student": "bert", "measure": {"kind": "area", "axis": "tokens", "high": 9000}}
    )
    assert found.measure == Area(axis="tokens", high=9000)
    assert TypeAdapter(Contrast).validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    "given",
    [
        {"a": "x", "b": "x"},
        {"a": "x", "b": "y", "measure": {"kind": "at", "axis": "tokens"}},
        {"a": "x", "b": "y", "measure": {"kind": "area", "low": 8, "high": 8}},
        {"a": "x", "b": "y", "measure": {"kind": "at"}, "labels": 8},
    ],
)
def test_a_contrast_without_sense_is_refused(given: dict[str, object]):
    with pytest.raises(ValidationError):
        Contrast.model_validate({**given, "student": "s"})


def test_a_measure_at_labels_has_a_short_form():
    short = Contrast.model_validate({"a": "x", "b": "y", "student": "s", "measure": "macro_f1", "labels": 16})
    assert short.measure == At(metric="macro_f1", amount=16)
    assert Contrast.model_validate({"a": "x", "b": "y", "student": "s"}).measure == At()
    assert Contrast.model_validate_json(short.model_dump_json()) == short


def test_a_set_that_has_no_cell_of_an_arm_leaves_the_effect_undefined():
    some = study(*(cell("a", i, point(8, 0.6)) for i in range(3)))
    bare = some.model_copy(update={"arms": (*some.arms, Arm(name="b", fixed=True))})
    for measure in (At(), Area()):
        (found,) = results([bare, gained(GAPS)], [contrast(measure)])
        assert (found.verdict, found.by_set[0][1].n, found.by_set[1][1].n) == ("unknown", 0, 10)


def test_a_clear_gain_is_found_and_told():
    found = results([gained(GAPS)], [contrast()])
    assert found[0].overall.mean == pytest.approx(0.053)
    assert found[0].overall.p == 2 / 2**10
    assert (found[0].verdict, found[0].p) == ("gain", 2 / 2**10)
    lines = told(found)
    assert lines[1].startswith(
        "a - b (s), accuracy at the budget: +5.3 points [+4.3, +6.3], p = 0.002, 10 shuffles; a gain"
    )
    assert results([gained(GAPS)], [contrast(a="b", b="a")])[0].verdict == "loss"


def test_no_gain_is_told_as_such():
    gaps = tuple(gap * (-1) ** i for i, gap in enumerate(GAPS))
    found = results([gained(gaps)], [contrast()])
    assert found[0].verdict == "none"
    assert told(found)[1].endswith("; no evidence of a gain.")


def test_p_is_corrected_for_the_number_of_contrasts():
    found = results([gained(GAPS)], [contrast(At(metric=metric)) for metric in ("accuracy", "macro_f1")])
    assert [each.p for each in found] == pytest.approx([4 / 2**10, 4 / 2**10])
    assert "2 contrasts were named before the run; p is corrected" in told(found)[0]


def test_what_was_significant_before_correction_says_so():
    # Three of ten are below 0 by a little: 20 of 1,024 patterns, so that eight contrasts are too many.
    gaps = (0.05, 0.06, 0.05, 0.07, -0.03, 0.05, 0.06, -0.02, 0.05, -0.01)
    measures = [At(metric=m, amount=a) for m in ("accuracy", "macro_f1") for a in (32, 33, 34, 35)]
    first = results([gained(gaps)], [contrast(each) for each in measures])[0]
    assert first.overall.p < 0.05 <= first.p
    assert told([first])[1].endswith("no evidence of a gain once corrected for the number of contrasts.")


def test_too_few_shuffles_to_show_anything_are_said_to_be():
    (found,) = results([gained(GAPS[:5])], [contrast()])
    (line,) = told([found])[1:]
    assert line.endswith(
        "; no evidence of a gain; 5 shuffles are too few to show one, with no corrected p below 0.062."
    )


def test_sets_that_disagree_are_named():
    found = results([gained(GAPS), gained(tuple(-gap / 2 for gap in GAPS), task="rain")], [contrast()])
    assert told(found)[1].endswith("; a gain; the sets disagree: films above 0, rain below.")


def test_an_interval_that_leaves_0_out_while_the_test_does_not_see_it_is_at_the_edge():
    (found,) = results([gained(GAPS)], [contrast()])
    edge = replace(found, p=0.07, overall=replace(found.overall, p=0.06))
    assert told([edge])[1].endswith("; no evidence of a gain, at the edge: the interval leaves 0 out.")
    corrected = replace(found, p=0.09, overall=replace(found.overall, p=0.03))
    assert told([corrected])[1].endswith("; no evidence of a gain once corrected for the number of contrasts.")


def test_a_gain_without_an_interval_says_why_there_is_none():
    short = [gained(GAPS[:2]), gained(GAPS[2:4], task="rain"), gained(GAPS[4:6], task="sun"), gained(GAPS[6:7], "wind")]
    (found,) = results(short, [contrast()])
    assert (found.verdict, found.overall.method) == ("gain", "none")
    assert told([found])[1].endswith("; a gain; no interval, since there is a single shuffle of wind.")
    (found,) = results([gained((0.1,) * 10)], [contrast()])
    assert told([found])[1].endswith("; a gain; no interval, since no shuffle differs from another.")


def test_nine_contrasts_are_one_too_many():
    with pytest.raises(BadInput, match="9 contrasts are named"):
        results([gained(GAPS)], [contrast(At(amount=i)) for i in range(9)])


def test_one_contrast_twice_and_an_unknown_arm_are_refused():
    with pytest.raises(BadInput, match="named twice"):
        results([gained(GAPS)], [contrast(), contrast()])
    with pytest.raises(BadInput, match="no arm 'c' with the student 's'"):
        results([gained(GAPS)], [contrast(b="c")])
    with pytest.raises(BadInput, match="no data set"):
        results([], [contrast()])


def test_sets_are_strata_and_each_alone_is_descriptive():
    sets = [gained(GAPS), gained(tuple(-gap for gap in GAPS), "questions")]
    found = results(sets, [contrast()])[0]
    assert found.overall.mean == pytest.approx(0)
    assert (found.overall.n, found.overall.sets, found.verdict) == (20, 2, "none")
    assert [(name, round(there.mean, 3)) for name, there in found.by_set] == [("films", 0.053), ("questions", -0.053)]
    lines = told([found])
    assert "20 shuffles of 2 data sets" in lines[1]
    assert all(line.endswith("(descriptive)") for line in lines[2:])


def test_shuffles_are_paired_and_the_others_counted():
    some = study(*(cell("a", i, point(8, 0.6)) for i in (0, 1, 2)), *(cell("b", i, point(8, 0.5)) for i in (1, 2, 3)))
    pairs = paired_values(some, contrast())
    assert (pairs.a, pairs.b, pairs.unpaired) == ((0.6, 0.6), (0.5, 0.5), 2)
    assert "2 left out that only one arm has" in told(results([some], [contrast()]))[1]


def test_an_arm_that_no_shuffle_changes_goes_with_every_shuffle():
    some = study(*(cell("a", i, point(8, 0.6 + i / 10)) for i in range(3)), cell("b", 7, point(0, 0.5)), fixed="b")
    assert paired_values(some, contrast()).b == (0.5, 0.5, 0.5)


def test_two_students_can_be_contrasted():
    some = study(cell("a", 0, point(8, 0.7)), cell("a", 0, point(8, 0.6), student="t"))
    both = Contrast(a="a", b="a", student="s", b_student="t")
    assert paired_values(some, both).b == (0.6,)
    assert told(results([some], [both]))[1].startswith("a (s) - a (t), accuracy at the budget: +10.0 points")


def test_what_is_descriptive_has_no_p():
    lines = told(results([gained(GAPS, "one"), gained(GAPS, "two")], [contrast(Area())]))
    assert "p " in lines[1]
    assert [line.endswith("10 shuffles (descriptive)") for line in lines[2:]] == [True, True]
    assert not any("p =" in line for line in lines[2:])
    assert told([]) == ("No contrast was named before the run: everything is descriptive.",)


def test_the_amount_spent_by_hand():
    one = point(8, 0.5, tokens=1200, minutes=2.0)
    mine = cell("a", 0, one)
    assert [spent(mine, one, axis) for axis in ("labels", "minutes", "tokens", "seconds", "money")] == [
        8,
        2,
        1200,
        0,
        0,
    ]


def test_a_cost_that_no_point_names_is_undefined_and_not_free():
    silent = cell("a", 0, point(8, 0.5), cost=Cost(tokens_in=5000))
    assert math.isnan(spent(silent, silent.curve[0], "tokens"))
    assert at(silent, 9000, "tokens") is None
    assert math.isnan(values([silent], Area(axis="tokens"), 32)[0])


def test_over_cost_a_free_arm_is_level_and_the_range_is_shared():
    free = cell("b", 0, point(8, 0.5), point(32, 0.6))
    dear = cell("a", 0, point(8, 0.5, tokens=1000), point(32, 0.8, tokens=3000))
    assert ends((free, dear), Area(axis="tokens"), 32) == (1000, 3000)
    pairs = paired_values(study(free, dear), contrast(Area(axis="tokens")))
    # The LLM's arm rises from 0.5 to 0.8; the other has long bought all its labels.
    assert pairs.a == pytest.approx((0.65,))
    assert pairs.b == pytest.approx((0.6,))
    at_2000 = paired_values(study(free, dear), contrast(At(axis="tokens", amount=2000)))
    assert (at_2000.a, at_2000.b) == ((0.5,), (0.6,))


def test_an_area_begins_where_both_arms_have_a_point():
    early, late = cell("a", 0, point(4, 0.4), point(16, 0.6)), cell("b", 0, point(8, 0.5))
    assert ends((early, late), Area(), 32) == (8, 32)
    assert ends((early, late), Area(low=10, high=20), 32) == (10, 20)


def test_an_arms_own_mean_is_not_tested():
    found = mean([gained(GAPS)], "b", "s", At())
    assert found.mean == pytest.approx(0.645)
    assert math.isnan(found.p)
    assert found.low < 0.645 < found.high


def test_an_accuracys_interval_ends_where_accuracy_does():
    few = [cell("a", i, point(32, accuracy)) for i, accuracy in enumerate((0.55, 0.98))]
    found = mean([study(*few)], "a", "s", At())
    assert (found.low, found.high) == (0.0, 1.0)


def test_a_single_point_takes_nothing_from_the_area_of_the_other_arms():
    whole = gained(GAPS)
    late = tuple(cell("c", i, point(32, 0.9)) for i in range(len(GAPS)))
    beside = whole.model_copy(update={"arms": (*whole.arms, Arm(name="c")), "cells": (*whole.cells, *late)})
    assert mean([beside], "b", "s", Area()) == mean([whole], "b", "s", Area())
    assert mean([whole], "b", "s", Area()).mean == pytest.approx((0.5 + 0.645) / 2)


def test_a_curve_over_cost_is_a_step_at_every_amount_that_any_shuffle_spent():
    cells = [
        cell("a", 0, point(8, 0.5, tokens=100), point(32, 0.7, tokens=300)),
        cell("a", 1, point(8, 0.6, tokens=200), point(32, 0.8, tokens=400)),
    ]
    found = curve(study(*cells), "a", "s", "tokens")
    # From 200 on, which both have spent.
    assert [amount for amount, _ in found] == [200, 300, 400]
    assert [there.mean for _, there in found] == pytest.approx([0.55, 0.65, 0.75])
    assert [amount for amount, _ in curve(study(*cells), "a", "s")] == [8, 32]
    assert curve(study(*cells), "a", "s", metric="macro_f1")[0][1].mean == pytest.approx(0.275)
