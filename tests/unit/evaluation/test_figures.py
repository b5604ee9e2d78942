import math
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation import diagrams, svg
from evaluation.compare import Estimate
from evaluation.curves import Evidence, Height
from evaluation.figures import curves, dot_plot, learning_curves, learning_curves_svg
from evaluation.palette import palette
from evaluation.records import Arm, Comparison, LabelAudit
from tests.unit.evaluation.made_up import HOSTILE, comparison, labels

SVG = "{http://www.w3.org/2000/svg}"
numbers = st.floats(-1e6, 1e6, allow_nan=False)


def texts(picture: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def hostile() -> Comparison:
    made = comparison(test=40)
    arms = tuple(arm.model_copy(update={"title": HOSTILE}) for arm in made.arms)
    return made.model_copy(update={"arms": arms, "task": HOSTILE})


@given(numbers, numbers, st.integers(2, 9))
def test_ticks_are_even_round_and_inside(low: float, high: float, wanted: int):
    if high - low < 1e-3:
        return
    found = svg.ticks(low, high, wanted)
    slack = 1e-6 * (high - low)
    assert all(low - slack <= tick <= high + slack for tick in found)
    assert len(found) <= 2 * wanted + 2
    steps = [b - a for a, b in pairwise(found)]
    assert all(step == pytest.approx(steps[0], rel=1e-6) for step in steps)


def test_ticks_by_hand():
    assert svg.ticks(0, 32) == (0, 10, 20, 30)
    assert svg.ticks(0.5, 0.9) == pytest.approx((0.5, 0.6, 0.7, 0.8, 0.9))
    assert svg.ticks(3, 3) == (3,)
    assert svg.ticks(math.nan, 1) == ()


@given(st.lists(st.floats(0, 300), min_size=1, max_size=12))
def test_labels_never_overlap_stay_inside_and_keep_their_order(wanted: list[float]):
    placed = svg.spread(wanted, 15, 0, 300)
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    gaps = [placed[b] - placed[a] for a, b in pairwise(order)]
    assert all(gap >= 15 - 1e-6 for gap in gaps)
    assert all(-1e-6 <= place <= 300 + 1e-6 for place in placed)


def test_labels_that_have_room_stay_where_they_want_to_be():
    assert svg.spread([100, 20, 60], 15, 0, 300) == [100, 20, 60]


def test_labels_that_cannot_fit_are_spaced_evenly():
    assert svg.spread([5, 5, 5], 100, 0, 100) == [0, 50, 100]


def test_every_figure_is_well_formed_and_its_texts_are_escaped():
    made = hostile()
    evidence = Evidence(made)
    audit = made.labels
    assert audit is not None
    pictures = [
        learning_curves_svg(made),
        learning_curves(made, evidence, "bert"),
        dot_plot(made, evidence, "bert"),
        diagrams.reliability(audit),
        diagrams.coverage(audit),
        diagrams.quartiles((0.4, 0.3, 0.2, 0.1), HOSTILE),
    ]
    for picture in pictures:
        root = ElementTree.fromstring(picture)
        assert root.tag == f"{SVG}svg"
        assert not list(root.iter(f"{SVG}script"))
        assert "nan" not in picture


def test_the_curves_name_every_arm_with_its_height_in_every_students_picture():
    made = comparison(test=200)
    evidence = Evidence(made)
    for student in made.students:
        drawn = " ".join(texts(learning_curves(made, evidence, student)))
        for arm in made.arms:
            theirs = student if made.of(arm.name, student) else ""
            assert f"{arm.shown} {100 * evidence.estimate(arm.name, theirs).mean:.1f}" in drawn


def test_a_tick_that_would_touch_the_budget_gives_way():
    name = "an arm with a name of some length"
    line = (Arm(name="a"), name, tuple(Height(n, Estimate(mean=0.7, low=0.6, high=0.8, n=5)) for n in (32, 128)))
    drawn = curves("t", "l", [line], palette((Arm(name="a"),)), 128)
    assert ">128<" in drawn
    assert ">100<" in drawn
    assert ">120<" not in drawn


def test_the_dot_plot_lists_the_arms_from_best_to_worst():
    made = comparison(test=200)
    evidence = Evidence(made)
    names = [words for words in texts(dot_plot(made, evidence, "bert")) if words in {arm.shown for arm in made.arms}]
    means = {
        arm.shown: evidence.estimate(arm.name, "bert" if made.of(arm.name, "bert") else "").mean for arm in made.arms
    }
    assert names == sorted(means, key=lambda name: -means[name])


def test_one_seed_is_drawn_without_a_band():
    assert "<polygon" in learning_curves_svg(comparison(seeds=3, test=40))
    assert "<polygon" not in learning_curves_svg(comparison(seeds=1, test=40))


def test_nothing_known_is_nothing_drawn():
    made = comparison(test=40)
    bare = made.model_copy(update={"cells": ()})
    assert learning_curves(bare, Evidence(bare), "bert") == dot_plot(bare, Evidence(bare), "bert") == ""
    assert diagrams.reliability(LabelAudit(n=0)) == diagrams.coverage(LabelAudit(n=0)) == ""


def test_a_picture_for_use_elsewhere_has_its_own_ground():
    assert "fill:#fff" in learning_curves_svg(comparison(test=40))
    assert "fill:#fff" not in learning_curves_svg(comparison(test=40), standalone=False)


def test_every_arm_is_drawn_differently():
    arms = tuple(
        Arm(name=f"{role}{i}", role=role) for role in ("agent", "control", "machine", "classic") for i in (0, 1)
    )
    inks = palette((*arms, *(Arm(name=f"more{i}") for i in range(4))))
    assert len({(ink.light, ink.dash) for ink in inks.values()}) == len(inks)
    assert len({(ink.dark, ink.dash) for ink in inks.values()}) == len(inks)


def test_the_bars_of_the_reliability_diagram_say_how_many_labels_they_stand_for():
    audit = labels()
    drawn = texts(diagrams.reliability(audit))
    assert {str(each.n) for each in audit.bins if each.n} <= set(drawn)
