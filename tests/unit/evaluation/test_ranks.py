import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from agent.errors import BadInput
from evaluation.contrasts import Area
from evaluation.ranks import distance, ranked, ranks
from evaluation.ranks_figure import critical_difference_svg
from evaluation.records import Arm, Cell, Comparison, Point

ARMS = ("a", "b", "c", "d")
# Ranks of four classifiers on fourteen data sets, ties included: Demšar (2006), table 6.
PUBLISHED = (
    (4, 3, 2, 1), (1, 2, 3, 4), (4, 1, 2, 3), (4, 1, 3, 2), (4, 2, 3, 1), (1, 2.5, 4, 2.5), (3, 2, 4, 1),
    (2.5, 2.5, 4, 1), (4, 3, 2, 1), (2.5, 2.5, 2.5, 2.5), (4, 2.5, 1, 2.5), (3, 2, 4, 1), (4, 1, 2, 3), (3, 1, 4, 2),
)  # fmt: skip
APART = [[0.9 - i / 100, 0.8, 0.7 + i / 100, 0.5] for i in range(8)]


@pytest.mark.parametrize(("arms", "q"), [(3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_the_critical_difference_has_the_published_quantiles(arms: int, q: float):
    """Demšar (2006), table 5(a)."""
    assert distance(arms, 14) == pytest.approx(q * math.sqrt(arms * (arms + 1) / (6 * 14)), abs=1e-3)


def test_a_published_example():
    found = ranks([[-rank for rank in row] for row in PUBLISHED], ARMS)
    by_arm = dict(zip(found.arms, found.means, strict=True))
    assert [by_arm[arm] for arm in ARMS] == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    # Without the correction for ties the statistic is the published 9.28; the correction only raises it.
    squares = sum(mean**2 for mean in found.means)
    assert 12 * 14 / (4 * 5) * (squares - 4 * 25 / 4) == pytest.approx(9.28, abs=0.01)
    assert found.chi2 > 9.28
    assert found.distance == pytest.approx(1.25, abs=0.01)


def test_p_is_that_of_an_analysis_of_variance_of_the_ranks():
    rng = np.random.default_rng(3)
    table = rng.integers(0, 6, (9, 4)) / 10
    placed = stats.rankdata(-table, axis=1)
    between = 9 * ((placed.mean(axis=0) - 2.5) ** 2).sum()
    rest = ((placed - 2.5) ** 2).sum() - between
    f = between / 3 / (rest / (3 * 8))
    assert ranks(table.tolist(), ARMS).p == pytest.approx(float(stats.f.sf(f, 3, 24)))


def test_arms_that_are_alike_everywhere_are_not_told_apart():
    found = ranks([[0.5] * 4] * 6, ARMS)
    assert math.isnan(found.p)
    assert found.means == (2.5,) * 4
    assert found.groups == ((0, 3),)
    assert "equal on all 6" in found.said


def test_an_order_that_never_changes_has_the_least_p():
    found = ranks([[0.4, 0.3, 0.2, 0.1]] * 5, ARMS)
    assert (found.means, found.p, found.chi2) == ((1, 2, 3, 4), 0.0, pytest.approx(15))


def test_groups_are_the_longest_runs_within_the_critical_difference():
    found = ranks(APART, ARMS)
    assert found.arms == ("a", "b", "c", "d")
    assert found.evidence
    assert found.groups == ((0, 1), (1, 2), (2, 3))
    assert "differ at 5 %" in found.said


def test_without_a_finding_of_friedman_all_arms_are_one_group():
    found = ranks([list(np.roll([0.1, 0.2, 0.3, 0.4], i)) for i in range(8)], ARMS)
    assert not found.evidence
    assert found.groups == ((0, 3),)
    assert found.said.startswith("No evidence that the 4 arms differ")


@pytest.mark.parametrize(
    ("table", "arms", "words"),
    [
        ([[1, 2, 3]] * 4, "abc", "4 data sets are too few"),
        ([[1, 2]] * 5, "ab", "2 arms are too few"),
        ([[1, 2, 3]] * 5 + [[1, 2]], "abc", "not 3 values long"),
        ([[1, 2, math.nan]] * 5, "abc", "'c' has no value on data set 0"),
    ],
)
def test_what_cannot_be_ranked_is_refused_aloud(table: list[list[float]], arms: str, words: str):
    with pytest.raises(BadInput, match=words):
        ranks(table, tuple(arms))


@settings(max_examples=20)
@given(st.lists(st.lists(st.integers(0, 4), min_size=4, max_size=4), min_size=5, max_size=8))
def test_ranks_sum_to_what_they_must_and_only_the_order_counts(table: list[list[int]]):
    found, same = ranks(table, ARMS), ranks([[value**3 + 7 for value in row] for row in table], ARMS)
    assert sum(found.means) == pytest.approx(10)
    assert found == same or math.isnan(found.p)


def test_comparisons_are_ranked_by_their_means_over_shuffles():
    def made(task: int) -> Comparison:
        cells = tuple(
            Cell(
                arm=arm,
                seed=seed,
                student="s",
                curve=(Point(human_labels=8, accuracy=0.5), Point(human_labels=16, accuracy=0.9 - i / 10 + seed / 50)),
            )
            for i, arm in enumerate("abc")
            for seed in range(2)
        )
        arms = tuple(Arm(name=arm) for arm in "abc")
        return Comparison(name="n", task=str(task), classes=("x", "y"), budget=16, arms=arms, cells=cells)

    sets = [made(i) for i in range(5)]
    assert ranked(sets, ("c", "b", "a"), "s").arms == ("a", "b", "c")
    assert ranked(sets, ("c", "b", "a"), "s", Area()).means == (1, 2, 3)
    with pytest.raises(BadInput, match="'d' has no value"):
        ranked(sets, ("a", "b", "d"), "s")


def test_the_picture_names_every_arm_and_escapes_it():
    found = ranks(APART, ("a<b", "k-means", "margin", "random"))
    picture = critical_difference_svg(found)
    texts = [each.text for each in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert {"a<b 1.00", "k-means 2.00", "margin 3.00", "random 4.00"} <= set(texts)
    assert f"critical difference {found.distance:.2f}" in texts
    assert picture.count("stroke-width:4") == len(found.groups)


@pytest.mark.parametrize("arms", [3, 4, 9])
def test_nothing_is_drawn_outside_the_picture(arms: int):
    names = [f"an arm with a rather long name {i}" for i in range(arms)]
    picture = critical_difference_svg(ranks([[-float(i) for i in range(arms)]] * 5, names))
    width, height = (float(each) for each in re.findall(r'viewBox="0 0 (\S+) (\S+)"', picture)[0])
    for x, y in re.findall(r'<text x="(\S+)" y="(\S+)"', picture):
        assert 0 <= float(x) <= width
        assert 0 <= float(y) <= height
    # Where the critical difference is longer than the axis it is cut, and says so.
    assert ("more than the whole line" in picture) == (distance(arms, 5) > arms - 1)
