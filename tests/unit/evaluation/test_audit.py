import math

import numpy as np
import pytest

from agent.errors import BadInput
from evaluation.audit import audit
from tests.unit.evaluation.made_up import HOSTILE, labels

CLASSES = ("fresh", "rotten")


def test_an_audit_by_hand():
    p = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [np.nan, np.nan]])
    found = audit(np.array([0, 1, 1, 0]), p, ["a", "b", "c", "d"], CLASSES, raw=np.roll(p, 1, axis=1))
    assert (found.n, found.abstained) == (3, 1)
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.raw_accuracy == pytest.approx(1 / 3)
    assert found.confusion == ((1, 0), (1, 1))
    assert found.brier == pytest.approx((0.02 + 0.98 + 0.08) / 3)
    assert found.auroc == 1.0
    assert [(m.text, m.gold, m.said, m.confidence) for m in found.mistakes] == [("b", "rotten", "fresh", 0.7)]


def test_bins_hold_every_answered_text_and_empty_ones_are_undefined():
    found = labels()
    assert sum(each.n for each in found.bins) == found.n
    assert all(math.isnan(each.accuracy) for each in found.bins if not each.n)
    assert all(each.low <= each.confidence <= each.high for each in found.bins if each.n)


def test_the_most_confident_mistakes_are_kept():
    found = labels()
    confidences = [mistake.confidence for mistake in found.mistakes]
    assert found.mistakes[0].text == HOSTILE
    assert confidences == sorted(confidences, reverse=True)


def test_an_llm_that_always_abstained_has_no_accuracy():
    found = audit(np.array([0, 1]), np.full((2, 2), np.nan), ["a", "b"], CLASSES)
    assert (found.n, found.abstained, found.mistakes) == (0, 2, ())
    assert math.isnan(found.accuracy)


def test_columns_of_different_length_are_refused():
    with pytest.raises(BadInput, match="2 gold labels, 1 rows of probabilities and 2 texts"):
        audit(np.array([0, 1]), np.array([[0.5, 0.5]]), ["a", "b"], CLASSES)
