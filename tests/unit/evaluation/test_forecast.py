import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import BadInput
from evaluation.forecast import backtest, fit, heights, labels_saved, value
from evaluation.records import Cell, Point

COUNTS = (8, 16, 24, 32, 48, 64)


def law(n: float, a: float = 0.9, b: float = 0.5, c: float = 0.1) -> float:
    return 1 - c - a * n**-b


def cells(noise: float = 0.0, shift: float = 0.0, counts: tuple[int, ...] = COUNTS, shuffles: int = 10) -> list[Cell]:
    rng = np.random.default_rng(7)
    return [
        Cell(
            arm="a",
            seed=seed,
            student="s",
            curve=tuple(Point(human_labels=n, accuracy=law(n) + shift + noise * float(rng.normal())) for n in counts),
        )
        for seed in range(shuffles)
    ]


def test_a_power_law_is_found_again():
    x = np.array(COUNTS, dtype=float)
    found = fit(x, np.array([[law(n) for n in COUNTS]]))
    # The exponent is from a grid of 60, neighbours 7 % apart.
    assert float(found.b[0]) == pytest.approx(0.5, rel=0.04)
    assert float(found.value(128)[0]) == pytest.approx(law(128), abs=0.003)
    assert float(found.labels_for(law(128))[0]) == pytest.approx(128, rel=0.05)


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1), min_size=5, max_size=5))
def test_a_law_never_falls_and_stays_within_0_and_1_after_its_rounds(heights_: list[float]):
    found = fit(np.array([8.0, 16, 24, 32, 40]), np.array([heights_]))
    later = [float(found.value(n)[0]) for n in (40, 80, 1000)]
    assert later == sorted(later)
    assert later[-1] <= 1
    assert min(float(found.a[0]), float(found.c[0])) >= 0


def test_a_level_curve_is_forecast_level_and_reaches_nothing_above():
    found = fit(np.array([8.0, 16, 24, 32]), np.full((1, 4), 0.7))
    assert float(found.value(500)[0]) == pytest.approx(0.7)
    assert float(found.labels_for(0.75)[0]) == math.inf
    assert float(found.labels_for(0.65)[0]) == 0


def test_a_height_is_forecast_with_an_interval():
    found = value(cells(0.01), 96)
    assert found.low <= found.value <= found.high
    assert found.value == pytest.approx(law(96), abs=0.02)


def test_labels_saved_are_what_the_other_would_still_need():
    # a at 64 labels is where the law is at 128.
    found = labels_saved(cells(0.005, law(128) - law(64)), cells(0.005), 64)
    assert found.low < 64 < found.high
    assert found.value == pytest.approx(64, abs=25)
    behind = labels_saved(cells(0.0, -0.05), cells(), 64)
    assert behind.high < 0


def test_a_height_that_is_never_reached_is_infinite():
    found = labels_saved(cells(0.0, 0.4), cells(), 64)
    assert (found.value, found.high) == (math.inf, math.inf)


def test_a_back_test_holds_out_every_later_round():
    found = backtest([cells(0.01), cells(0.01, 0.02)])
    assert [(test.from_points, test.labels) for test in found.tests] == [(4, 48), (4, 64), (5, 64)] * 2
    assert found.error < 0.02
    assert 0 <= found.cover <= 1
    assert f"of 6 held-out rounds lay in their 95 % interval ({100 * found.cover:.0f} %)" in str(found)


def test_a_curve_that_is_no_power_law_is_caught_by_the_back_test():
    late = [
        Cell(
            arm="a",
            seed=seed,
            student="s",
            curve=tuple(Point(human_labels=n, accuracy=(0.5 if n < 48 else 0.9) + seed / 1000) for n in COUNTS),
        )
        for seed in range(8)
    ]
    found = backtest([late])
    assert found.cover == 0
    assert str(found).endswith("too narrow to lean on")
    assert found.error > 0.2


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        (cells(counts=(8, 16, 24)), "a curve of 3 rounds over 10 shuffles is too little"),
        (cells(shuffles=5), "a curve of 6 rounds over 5 shuffles is too little"),
        ([Cell(arm="a", seed=i, curve=tuple(Point(human_labels=n) for n in COUNTS)) for i in range(6)], "undefined"),
    ],
)
def test_too_little_to_forecast_from_is_refused_aloud(given_: list[Cell], words: str):
    with pytest.raises(BadInput, match=words):
        heights(given_)


def test_a_forecast_that_cannot_be_tested_is_refused_aloud():
    with pytest.raises(BadInput, match="no curve has more than 4 rounds"):
        backtest([cells(counts=(8, 16, 24, 32))])
