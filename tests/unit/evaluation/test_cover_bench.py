"""`evaluation.bench.cover` counts what it says, and its bootstrap-t is the one of the literature."""

import numpy as np
import pytest

from evaluation.bench.cover import LAYOUTS, METHODS, SHAPES, bootstrap_t, found
from evaluation.shuffles import counts


@pytest.mark.parametrize("shape", SHAPES)
def test_the_true_mean_of_every_shape_is_0(shape: str) -> None:
    drawn = SHAPES[shape](np.random.default_rng(0), 400_000)
    assert drawn.mean() == pytest.approx(0, abs=0.02)


def test_normal_differences_are_held_about_as_often_as_promised() -> None:
    there = found("normal", 1, 10, draws=400)
    assert set(there) == set(METHODS)
    for method in ("ours", "Student's t"):
        assert 0.92 <= there[method].cover <= 0.98
        assert there[method].width > 0


def test_ties_of_few_shuffles_are_held_by_ours_too() -> None:
    assert (1, 6) in LAYOUTS
    assert found("three values, as on a small test set", 1, 6, draws=400)["ours"].cover >= 0.9


def test_bootstrap_t_by_hand() -> None:
    values = np.array([0.3, -0.1, 0.4, 0.2, 0.15, 0.05, 0.5, 0.1])
    error = values.std(ddof=1) / np.sqrt(8)
    ratios: list[float] = []
    for times in counts(8, 0).astype(int):
        drawn = np.repeat(values, times)
        spread = drawn.std(ddof=1) / np.sqrt(8)
        if spread > 1e-12:
            ratios.append((drawn.mean() - values.mean()) / spread)
    low, high = np.quantile(ratios, [0.025, 0.975])
    assert bootstrap_t([values]) == pytest.approx((values.mean() - high * error, values.mean() - low * error), rel=0.02)
