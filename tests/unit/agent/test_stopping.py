import math
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from agent.domain import Round
from agent.recipe import Recipe
from agent.stopping import AllOf, AnyOf, AnyRule, Budget, Plateau, Rounds, StableUncertainty, StoppingSpec

RULES: tuple[Any, ...] = (
    Budget(labels=20),
    Rounds(most=3),
    Plateau(measure="accuracy", rounds=2, least_gain=0.01),
    StableUncertainty(rounds=2, tolerance=0.02),
    Budget(labels=20) | Rounds(most=3),
    (Budget(labels=20) | Rounds(most=3)) & Plateau(),
)


def rounds(*values: float, measure: str = "accuracy", labels: int = 8) -> tuple[Round, ...]:
    return tuple(
        Round(index=i, sizes={}, human_labels=labels * (i + 1), measures={measure: v}) for i, v in enumerate(values)
    )


def test_every_rule_has_a_sample() -> None:
    assert {type(rule) for rule in RULES} == set(get_args(StoppingSpec))


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.kind)
def test_a_rule_is_its_own_specification_and_silent_at_the_start(rule: Any) -> None:
    union: TypeAdapter[Any] = TypeAdapter(AnyRule)
    assert union.validate_json(rule.model_dump_json()) == rule
    assert rule.check(()) is None
    assert Recipe.model_json_schema()


def test_budget_stops_at_its_labels() -> None:
    assert Budget(labels=20).check(rounds(0.5, 0.6)) is None
    stop = Budget(labels=20).check(rounds(0.5, 0.6, 0.7))
    assert stop is not None
    assert (stop.rule, stop.reason) == ("budget", "people gave 24 of 20 labels")
    assert stop.numbers == {"human_labels": 24.0, "labels": 20.0}


def test_rounds_counts_the_first() -> None:
    assert Rounds(most=2).check(rounds(0.5)) is None
    assert Rounds(most=2).check(rounds(0.5, 0.6)) is not None


@pytest.mark.parametrize(
    ("values", "stops"),
    [
        ((0.5, 0.6, 0.7), False),
        ((0.6, 0.6, 0.6), True),
        ((0.6, 0.605, 0.605), True),  # a rise below the least gain
        ((0.6, 0.5, 0.61), False),
        ((0.5, 0.7, 0.6, 0.65), True),  # the best was two rounds ago
        ((0.6, 0.6), False),  # not yet long enough
        ((0.6, math.nan, math.nan, math.nan), False),  # undefined says nothing
        ((0.6, math.nan, 0.6, 0.6), True),
    ],
)
def test_plateau(values: tuple[float, ...], stops: bool) -> None:
    stop = Plateau(measure="accuracy", rounds=2, least_gain=0.01).check(rounds(*values))
    assert (stop is not None) == stops


def test_plateau_needs_its_measure() -> None:
    assert Plateau(measure="other", rounds=1).check(rounds(0.5, 0.5, 0.5)) is None


@pytest.mark.parametrize(
    ("values", "stops"),
    [((0.6, 0.3, 0.31, 0.3), True), ((0.6, 0.3, 0.33, 0.3), False), ((0.3, 0.3), False), ((0.3, 0.3, 0.3), True)],
)
def test_stable_uncertainty(values: tuple[float, ...], stops: bool) -> None:
    stop = StableUncertainty(rounds=2, tolerance=0.02).check(rounds(*values, measure="mean_entropy"))
    assert (stop is not None) == stops
    if stop is not None:
        assert stop.numbers["moved"] <= 0.02


def test_or_and_and() -> None:
    history = rounds(0.5, 0.6, 0.7)
    either, both = Budget(labels=99) | Rounds(most=3), Budget(labels=99) & Rounds(most=3)
    assert isinstance(either, AnyOf)
    assert isinstance(both, AllOf)
    stop = either.check(history)
    assert stop is not None
    assert stop.rule == "rounds"
    assert both.check(history) is None
    stop = (Budget(labels=24) & Rounds(most=3)).check(history)
    assert stop is not None
    assert stop.rule == "budget and rounds"
    assert stop.numbers["rounds.most"] == 3.0


@given(st.lists(st.floats(0, 1), max_size=8), st.sampled_from(RULES))
def test_asked_twice_says_the_same(values: list[float], rule: Any) -> None:
    history = rounds(*values)
    assert rule.check(history) == rule.check(history)


def test_a_composite_without_rules_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 item"):
        AnyOf(rules=())
