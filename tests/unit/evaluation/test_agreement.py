"""Agreement of people: against published figures, another implementation, and what must hold of any numbers."""

import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from evaluation.agreement import Rating, anchoring, cohen_kappa, fleiss_kappa, pairs, raw_agreement, wilson

# Fleiss (1971) as given in textbooks: 10 subjects, 14 raters, 5 categories; kappa 0.210.
FLEISS = [
    (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
]  # fmt: skip


def rated(table: list[tuple[int, ...]]) -> list[Rating]:
    return [
        Rating(f"x{i}", f"p{at}", str(category))
        for i, row in enumerate(table)
        for at, category in enumerate(c for c, n in enumerate(row) for _ in range(n))
    ]


def machine(agreed: int, n: int, *, shown: bool) -> list[Rating]:
    return [Rating(f"{shown}{i}", "ann", "yes" if i < agreed else "no", "yes", shown) for i in range(n)]


def test_fleiss_kappa_of_the_published_table() -> None:
    assert fleiss_kappa(rated(FLEISS)) == pytest.approx(0.210, abs=5e-4)
    assert raw_agreement(rated(FLEISS)) == pytest.approx(0.378, abs=5e-4)


def test_cohen_kappa_is_that_of_another_implementation() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        first = list(map(str, rng.integers(0, 3, 40)))
        second = [said if rng.random() < 0.6 else str(rng.integers(0, 3)) for said in first]
        assert cohen_kappa(first, second) == pytest.approx(cohen_kappa_score(first, second))


def test_two_people_who_answer_the_same_are_in_full_agreement_and_strangers_in_none() -> None:
    same = [Rating(f"x{i}", who, str(i % 2)) for i in range(10) for who in ("ann", "bob")]
    assert (raw_agreement(same), fleiss_kappa(same)) == (1.0, 1.0)
    rng = np.random.default_rng(1)
    strangers = [Rating(f"x{i}", who, str(rng.integers(0, 2))) for i in range(4000) for who in ("ann", "bob")]
    assert abs(fleiss_kappa(strangers)) < 0.05


def test_what_cannot_be_said_is_not_a_number() -> None:
    alone = [Rating(f"x{i}", "ann", "yes") for i in range(5)]
    assert math.isnan(raw_agreement(alone))
    assert math.isnan(fleiss_kappa(alone))
    assert math.isnan(fleiss_kappa([*alone, Rating("x0", "bob", "yes")])), "one answer only: chance explains it all"
    assert math.isnan(cohen_kappa([], []))
    assert math.isnan(anchoring(machine(3, 4, shown=True)).difference)
    assert pairs(alone) == ()


def test_pairs_are_those_who_met() -> None:
    met = [Rating("x0", "ann", "a"), Rating("x0", "bob", "a"), Rating("x1", "bob", "b"), Rating("x1", "ann", "a")]
    (pair,) = pairs([*met, Rating("x9", "eve", "a")])
    assert (pair.first, pair.second, pair.items, pair.raw, pair.kappa) == ("ann", "bob", 2, 0.5, 0.0)


def test_the_interval_of_a_difference_is_newcombes() -> None:
    """His example (a): 56 of 70 beside 48 of 80 gives 0.2, 0.0524 to 0.3339."""
    found = anchoring([*machine(56, 70, shown=True), *machine(48, 80, shown=False)])
    assert (found.shown, found.shown_agreed, found.blind, found.blind_agreed) == (70, 56, 80, 48)
    assert (found.difference, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_texts_of_which_the_machine_said_nothing_are_in_neither_count() -> None:
    found = anchoring([*machine(1, 2, shown=True), *machine(1, 2, shown=False), Rating("y", "ann", "yes")])
    assert found.shown + found.blind == 4
    assert found.difference == 0.0


def test_wilson_bounds_stay_between_zero_and_one_and_close_with_more_answers() -> None:
    assert wilson(0, 10)[1] == 0.0
    assert wilson(10, 10)[2] == pytest.approx(1.0)
    widths = [high - low for n in (10, 100, 1000) for _, low, high in [wilson(n // 2, n)]]
    assert widths == sorted(widths, reverse=True)
    assert wilson(81, 263)[1:] == pytest.approx((0.2553, 0.3662), abs=5e-5)
