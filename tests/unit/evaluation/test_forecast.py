import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import BadInput
from evaluation import forecast
from evaluation.bench.forecasting import SHAPES, cover, curve, made_up
from evaluation.forecast import Miss, backtest, fit, heights, labels_saved, value, width
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


def test_a_clear_saving_is_foretold_as_one():
    """The law may be anywhere before the first of these rounds, which says nothing of what is needed after the last."""
    counts = tuple(range(32, 129, 8))
    a, b = (cells(0.015, shift, counts, shuffles=20) for shift in (law(256) - law(128), 0.0))
    found = labels_saved(a, b, 128)
    assert 0 < found.low < 128 < found.high


@pytest.mark.parametrize("ahead", [-0.3, -0.9])
def test_what_the_first_round_reached_is_saved_by_nobody(ahead: float):
    found = labels_saved(cells(0.0, ahead), cells(), 64)
    assert (found.value, found.low, found.high) == (8 - 64, 8 - 64, 8 - 64)


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
    # The last one knows of the round before it, which nothing had foretold.
    assert [test.held for test in found.tests] == [False, False, True]
    assert str(found).endswith("too narrow to lean on")
    assert found.error > 0.2


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer resamples: these tests fit hundreds of curves."""
    monkeypatch.setattr(forecast, "DRAWS", 199)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "late take-off"])
def test_intervals_hold_rounds_of_curves_that_are_no_power_law(shape: str, few: None):
    ours, alone = cover([made_up(shape, seed) for seed in range(12)])
    assert ours.held >= 0.93
    assert ours.width < 14, "an interval of everything holds everything"
    # Without the held-out rounds only the curves that the law can follow were held.
    assert (alone.held > 0.85) == (shape in ("power law", "level"))


def test_what_nothing_foretells_is_not_held_and_said_to_be(few: None):
    found = backtest([made_up("late take-off", seed) for seed in range(4)])
    assert found.cover < 0.9
    assert str(found).endswith("too narrow to lean on")


def test_labels_saved_hold_the_truth_on_a_curve_that_is_no_power_law(few: None):
    held = list[bool]()
    for seed in range(20):
        b = made_up("logarithm", seed)
        # a reaches at 80 labels what the logarithm reaches at 120.
        a = curve([80], np.full((len(b), 1), 0.45 + 0.09 * math.log(120)))
        found = labels_saved(a, b, 80)
        held.append(found.low <= 40 <= found.high)
    assert np.mean(held) >= 0.9


def test_misses_widen_an_interval_and_are_no_more_observations_than_rounds():
    plain = width([])
    assert plain == pytest.approx(2.776, abs=0.001), "Student's t with four degrees of freedom"
    missed = [Miss(4, 4, 0.7, 0.02, 0.7 + 0.03, 0.01)]
    # (4 + 1 x 9) / 5, and t with five degrees of freedom
    assert width(missed) == pytest.approx(2.5706 * math.sqrt(13 / 5), abs=0.001)
    assert width(missed * 3) == width(missed)
    late = [Miss(5, first, 0.7, 0.02, 0.7, 0.01) for first in (4, 5)]
    # Squares 9, 0 and 0 of two rounds: (4 + 2 x 3) / 6, and t with six degrees of freedom
    assert width(missed + late) == pytest.approx(2.4469 * math.sqrt(10 / 6), abs=0.001)
    assert width([Miss(4, 4, 0.7, 0.02, 0.7, 0.01)]) < plain


def test_no_interval_leaves_0_and_1():
    rng = np.random.default_rng(3)
    noisy = curve(COUNTS, np.clip(rng.normal(0.9, 0.3, size=(6, len(COUNTS))), 0, 1))
    found = value(noisy, 1000)
    assert 0 <= found.low <= found.high <= 1


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        (cells(counts=(8, 16, 24)), "3 points of the curve over 10 shuffles: too few"),
        (cells(counts=(8,), shuffles=1), "1 point of the curve over 1 shuffle: too few"),
        (cells(shuffles=5), "6 points of the curve over 5 shuffles: too few"),
        ([Cell(arm="a", seed=i, curve=tuple(Point(human_labels=n) for n in COUNTS)) for i in range(6)], "undefined"),
    ],
)
def test_too_little_to_forecast_from_is_refused_aloud(given_: list[Cell], words: str):
    with pytest.raises(BadInput, match=words):
        heights(given_)


def test_a_forecast_that_cannot_be_tested_is_refused_aloud():
    with pytest.raises(BadInput, match="no curve has more than 4 rounds"):
        backtest([cells(counts=(8, 16, 24, 32))])
