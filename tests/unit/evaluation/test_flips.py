"""Flip rates: the interval against published figures and by simulation, the counting by hand."""

import math

import numpy as np
import pytest

from evaluation.agreement import Rating, anchoring
from evaluation.flips import flips, paired_interval, pick_changes


def table(both: int, first: int, second: int, neither: int) -> tuple[list[bool], list[bool]]:
    rows = [(True, True)] * both + [(True, False)] * first + [(False, True)] * second + [(False, False)] * neither
    return [a for a, _ in rows], [b for _, b in rows]


def test_the_interval_of_a_published_table() -> None:
    """Fagerland, Lydersen and Laake (2017), chapter 8: complete response before and after consolidation therapy."""
    found = flips(*table(59, 6, 16, 80))
    assert found.difference == pytest.approx(-0.0621, abs=5e-5)
    assert (found.low, found.high) == pytest.approx((-0.1186, -0.0046), abs=5e-5)
    assert found.beyond
    assert (found.pairs, found.attack, found.control) == (161, pytest.approx(65 / 161), pytest.approx(75 / 161))


def test_without_correlation_it_is_the_interval_of_two_samples() -> None:
    both = [Rating(f"a{i}", "x", "yes", "yes" if i < 10 else "no", shown=True) for i in range(20)]
    both += [Rating(f"b{i}", "x", "yes", "yes" if i < 8 else "no", shown=False) for i in range(20)]
    apart = anchoring(both)
    assert paired_interval(4, 6, 4, 6) == pytest.approx((apart.low, apart.high)), "4 · 6 - 6 · 4 = 0"
    narrower = paired_interval(8, 2, 0, 10)
    assert narrower[0] > apart.low
    assert narrower[1] < apart.high


@pytest.mark.parametrize("cells", [(0, 0, 0, 20), (20, 0, 0, 0), (0, 20, 0, 0), (0, 0, 20, 0), (1, 0, 0, 0)])
def test_extreme_tables_stay_within_what_is_possible(cells: tuple[int, int, int, int]) -> None:
    found = flips(*table(*cells))
    assert -1 <= found.low <= found.difference <= found.high <= 1
    assert found.beyond == (cells[1] + cells[2] > 0)


def test_swapping_the_two_turns_the_interval_around() -> None:
    low, high = paired_interval(3, 9, 2, 6)
    assert paired_interval(3, 2, 9, 6) == pytest.approx((-high, -low))


def test_it_covers_the_true_difference_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    cells, n = np.asarray([0.1, 0.25, 0.05, 0.6]), 20
    held = 0
    for both, first, second, neither in rng.multinomial(n, cells, size=4000).tolist():
        low, high = paired_interval(both, first, second, neither)
        held += low <= cells[1] - cells[2] <= high
    assert 0.93 < held / 4000 < 0.99


def test_nothing_is_no_number() -> None:
    found = flips([], [])
    assert found.pairs == 0
    assert all(map(math.isnan, (found.attack, found.control, found.difference, found.low, found.high)))
    assert not found.beyond
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        flips([True], [])


@pytest.mark.parametrize(
    ("after", "changed"),
    [
        (["a", "b"], (False, False)),
        (["b", "a"], (False, False)),
        (["a", "x"], (True, True)),
        (["a", "b", "x"], (True, False)),
        (["a", "c"], (False, True)),
        ([], (False, True)),
    ],
)
def test_changes_of_picks(after: list[str], changed: tuple[bool, bool]) -> None:
    assert pick_changes(["a", "b"], after, "x") == changed
