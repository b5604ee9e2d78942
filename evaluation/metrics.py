"""Measures of predictions. What is undefined is nan, never 0: no items, no errors to rank, a class never seen."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]


def confusion(gold: Ints, predicted: Ints, classes: int) -> Ints:
    """Counts, (classes, classes): rows gold, columns predicted. An item without a prediction (negative) is in none."""
    answered = predicted >= 0
    cells = gold[answered] * classes + predicted[answered]
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def accuracy(gold: Ints, predicted: Ints) -> float:
    """Share of items predicted as gold, 0 to 1; an item without a prediction (negative) is not right."""
    return float(np.mean(gold == predicted)) if len(gold) else math.nan


def macro_f1(gold: Ints, predicted: Ints, classes: int) -> float:
    """Mean over classes of F1 = 2 TP / (2 TP + FP + FN), 0 to 1.

    A class that is neither in `gold` nor in `predicted` has no F1 and is left out of the mean; a class that is in gold
    and never predicted has 0.
    """
    counts = confusion(gold, predicted, classes)
    either = np.bincount(gold, minlength=classes) + counts.sum(axis=0)
    present = either > 0
    if not present.any():
        return math.nan
    return float(np.mean(2 * np.diagonal(counts)[present] / either[present]))


def bin_of(confidence: Floats, bins: int) -> Ints:
    """Index of each confidence's bin among `bins` of equal width over 0 to 1: (low, high], the first closed below."""
    return np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)


def ece(correct: NDArray[np.bool_], confidence: Floats, bins: int = 10) -> float:
    """Expected calibration error, 0 to 1: the mean of |accuracy - mean confidence| over bins, weighted by their size.

    Confidence is the probability of the predicted class; bins are of equal width over 0 to 1 (Guo et al. 2017, eq. 3).
    With few items the value is biased upwards.
    """
    if not len(correct):
        return math.nan
    gaps = np.bincount(bin_of(confidence, bins), weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(correct))


def brier(gold: Ints, probabilities: Floats) -> float:
    """Mean over items of the squared distance to the one-hot gold vector, summed over classes: 0 to 2 (Brier 1950)."""
    if not len(gold):
        return math.nan
    target = np.eye(probabilities.shape[1])[gold]
    return float(np.mean(((probabilities - target) ** 2).sum(axis=1)))


def auroc_of_error(correct: NDArray[np.bool_], confidence: Floats) -> float:
    """Probability that a wrong item has lower confidence than a right one, ties half: 0.5 is chance.

    nan where all are right or all are wrong.
    """
    right, wrong = confidence[correct], np.sort(confidence[~correct])
    if not len(right) or not len(wrong):
        return math.nan
    below = np.searchsorted(wrong, right, side="left")
    ties = np.searchsorted(wrong, right, side="right") - below
    return float((below + 0.5 * ties).sum() / (len(right) * len(wrong)))


def coverage_curve(correct: NDArray[np.bool_], confidence: Floats, points: int = 20) -> tuple[tuple[float, float], ...]:
    """(share kept, accuracy among those kept), where the most confident are kept, at `points` even steps up to 1.

    Items of equal confidence are kept or left together, so that their order cannot matter.
    """
    n = len(correct)
    if not n:
        return ()
    order = np.argsort(-confidence, kind="stable")
    held = confidence[order]
    right = np.cumsum(correct[order])
    # The last row of each run of equal confidences.
    ends = np.append(np.flatnonzero(held[1:] != held[:-1]), n - 1)
    wanted = np.ceil(np.linspace(1 / points, 1, points) * n - 1e-9).astype(int) - 1
    rows = np.unique(ends[np.searchsorted(ends, wanted)])
    return tuple((float((row + 1) / n), float(right[row] / (row + 1))) for row in rows)
