"""Where the LLM's labels were wrong, and whether its confidence knew."""

import math
from collections.abc import Sequence

import numpy as np

from agent.errors import BadInput
from evaluation import metrics
from evaluation.metrics import Floats, Ints
from evaluation.records import Bin, LabelAudit, Mistake

MISTAKES = 8


def audit(
    gold: Ints,
    probabilities: Floats,
    texts: Sequence[str],
    classes: Sequence[str],
    *,
    raw: Floats | None = None,
    model: str = "",
    against: str = "gold labels",
    bins: int = 10,
) -> LabelAudit:
    """Compares the LLM's labels with gold; raises `BadInput` where the lengths differ.

    Args:
        gold: (n,) class indices.
        probabilities: (n, classes), rows sum to 1; a row of nan where the LLM abstained.
        texts: (n,), for the most confident mistakes, since those would be trained on.
        raw: (n, classes), the probabilities before calibration.
    """
    _same_length(gold, probabilities, texts)
    answered = np.asarray(~np.isnan(probabilities).any(axis=1))
    gold_in, rows = gold[answered], probabilities[answered]
    said, confidence = rows.argmax(axis=1), rows.max(axis=1, initial=0.0)
    correct = said == gold_in
    return LabelAudit(
        model=model,
        against=against,
        n=len(gold_in),
        abstained=int((~answered).sum()),
        accuracy=metrics.accuracy(gold_in, said),
        macro_f1=metrics.macro_f1(gold_in, said, len(classes)),
        raw_accuracy=math.nan if raw is None else metrics.accuracy(gold_in, raw[answered].argmax(axis=1)),
        ece=metrics.ece(correct, confidence, bins),
        brier=metrics.brier(gold_in, rows),
        auroc=metrics.auroc_of_error(correct, confidence),
        confusion=_cells(metrics.confusion(gold_in, said, len(classes))),
        bins=_bins(correct, confidence, bins),
        coverage=metrics.coverage_curve(correct, confidence),
        mistakes=_mistakes([texts[int(row)] for row in np.flatnonzero(answered)], gold_in, said, confidence, classes),
    )


def _same_length(gold: Ints, probabilities: Floats, texts: Sequence[str]) -> None:
    if not len(gold) == len(probabilities) == len(texts):
        raise BadInput(
            f"{len(gold)} gold labels, {len(probabilities)} rows of probabilities and {len(texts)} texts",
            "give one of each for every text",
        )


def _cells(counts: Ints) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(n) for n in row) for row in counts)


def _bins(correct: np.ndarray, confidence: Floats, bins: int) -> tuple[Bin, ...]:
    where = metrics.bin_of(confidence, bins)
    return tuple(
        Bin(
            low=i / bins,
            high=(i + 1) / bins,
            n=int(inside.sum()),
            confidence=float(confidence[inside].mean()) if inside.any() else math.nan,
            accuracy=float(correct[inside].mean()) if inside.any() else math.nan,
        )
        for i, inside in ((i, where == i) for i in range(bins))
    )


def _mistakes(
    texts: Sequence[str], gold: Ints, said: Ints, confidence: Floats, classes: Sequence[str]
) -> tuple[Mistake, ...]:
    wrong = [int(row) for row in np.flatnonzero(said != gold)]
    worst = sorted(wrong, key=lambda row: (-confidence[row], row))[:MISTAKES]
    return tuple(
        Mistake(
            text=texts[row],
            gold=classes[int(gold[row])],
            said=classes[int(said[row])],
            confidence=float(confidence[row]),
        )
        for row in worst
    )
