"""Enumerating slot choices."""

import math

import pytest

from prompts.errors import PromptError
from prompts.template import catalogue, load
from prompts.variants import one_at_a_time, variants


def test_every_combination_comes_once() -> None:
    for prompt in catalogue():
        choices = [tuple(choice.items()) for choice in variants(prompt)]
        assert len(choices) == len(set(choices)) == math.prod(len(slot.fillings) for slot in prompt.slots.values())


def test_fixed_slots_hold_still() -> None:
    choices = list(variants(load("select/choose"), criterion="none", placement="user", mode="cot", context="none"))
    assert {choice["mode"] for choice in choices} == {"cot"}
    assert len(choices) == 8
    with pytest.raises(PromptError, match="no slot 'moods'"):
        list(variants(load("select/choose"), moods="cot"))


def test_an_ablation_varies_one_slot_at_a_time() -> None:
    prompt = load("select/choose")
    base, *others = one_at_a_time(prompt, {"mode": "no-cot"})
    assert base == prompt.choice({"mode": "no-cot"})
    assert len(others) == sum(len(slot.fillings) - 1 for slot in prompt.slots.values())
    assert all(sum(base[name] != choice[name] for name in base) == 1 for choice in others)


def test_different_choices_have_different_fingerprints() -> None:
    for prompt in catalogue():
        choices = list(one_at_a_time(prompt))
        assert len({prompt.fingerprint(choice) for choice in choices}) == len(choices)
