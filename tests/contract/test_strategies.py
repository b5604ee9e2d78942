"""What every query strategy owes its callers. The list comes from the union: a newcomer without a sample fails."""

import copy
import dataclasses
import types
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from pydantic import BaseModel, TypeAdapter

from agent.errors import BadInput
from agent.protocols import Query
from agent.query import (
    Badge,
    Bald,
    Chooser,
    Contrastive,
    Disagreement,
    Entropy,
    First,
    Generate,
    KCenter,
    KMeans,
    LeastConfidence,
    Listed,
    LlmChoose,
    Margin,
    MaxHerding,
    Mix,
    Patron,
    ProbCover,
    Random,
    Read,
    SkActiveMl,
    Strategy,
    Then,
    TypiClust,
)
from agent.query.wrapped import Wrapped
from tests.support.questions import EVERYTHING, question

SAMPLES: tuple[Any, ...] = (
    Random(),
    First(),
    Listed(take="first"),
    Listed(take="random", list_size=9, per_list=2),
    LeastConfidence(),
    Margin(),
    Entropy(),
    KMeans(),
    KMeans(features="student"),
    KMeans(within=20),
    KCenter(),
    KCenter(features="student"),
    Bald(),
    TypiClust(),
    TypiClust(features="student", neighbours=3, most_clusters=4, within=20),
    ProbCover(),
    ProbCover(features="student", radius=1.0, within=20),
    MaxHerding(),
    MaxHerding(features="student", sharpness=4.0, within=20),
    Badge(),
    Badge(features="encoder", origin=False),
    Contrastive(),
    Contrastive(features="encoder", neighbours=3),
    Patron(),
    Patron(rounds=0, within=20),
    *(SkActiveMl(strategy=name) for name in get_args(Wrapped)),
    SkActiveMl(strategy="clue", features="student", within=20),
    Disagreement(),
    LlmChoose(),
    LlmChoose(list_size=5, per_list=5, fallback=KMeans(), slots={"mode": "cot", "context": "labelled"}),
    LlmChoose(slots={"context": "weaknesses"}),
    Then(first=KMeans(), second=LlmChoose(), keep=20),
    Then(first=Disagreement(), second=First(), keep=12),
    Then(first=Then(first=Random(), second=Margin(), keep=30), second=KCenter(), keep=10),
    Then(first=Margin(), second=TypiClust(), keep=30),
    Mix(a=Margin(), b=Random(), share=0.5),
    Mix(a=Badge(), b=SkActiveMl(strategy="falcun"), share=0.5),
    Mix(a=LlmChoose(), b=Mix(a=First(), b=KMeans()), share=0.3),
    Read(then=Patron(), reads=40),
    Read(then=Then(first=Disagreement(), second=LlmChoose(), keep=60), reads=60),
    Generate(),
)
CHOOSERS = [s for s in SAMPLES if not isinstance(s, Generate)]


def label(sample: Any) -> str:
    return f"{sample.name}-{SAMPLES.index(sample)}"


every = pytest.mark.parametrize("strategy", SAMPLES, ids=label)
every_chooser = pytest.mark.parametrize("strategy", CHOOSERS, ids=label)


def test_every_member_of_the_union_has_a_sample() -> None:
    members = set(get_args(get_args(Strategy)[0]))
    assert {type(s) for s in SAMPLES} == members
    assert set(get_args(get_args(Chooser)[0])) == members - {Generate}


@every_chooser
@pytest.mark.parametrize("size", [1, 6, 60, 200])
def test_chooses_at_most_size_distinct_candidates(strategy: Any, size: int) -> None:
    ask = question(size=size)
    batch = strategy.query(ask)
    ids = [example.id for example in batch.examples]
    assert len(ids) == len(set(ids)) <= min(size, 60)
    assert set(ids) <= set(ask.candidates.ids)
    rows = {id_: i for i, id_ in enumerate(ask.candidates.ids)}
    assert all(ask.candidates.example(rows[e.id]) == e for e in batch.examples)
    limits = [s.keep for s in (strategy, getattr(strategy, "first", None)) if isinstance(s, Then)]
    assert len(ids) == min(size, *limits, 60)


@every_chooser
def test_an_empty_pool_gives_an_empty_batch(strategy: Any) -> None:
    ask = question(n=0, labelled=3)
    assert strategy.query(ask).picks == ()


@every
def test_equal_seeds_choose_alike(strategy: Any) -> None:
    first, second = (strategy.query(question(seed=5)) for _ in range(2))
    assert first == second


@every
def test_inputs_stay_as_they_are(strategy: Any) -> None:
    ask = question()
    before = copy.deepcopy(seen(ask))
    strategy.query(ask)
    np.testing.assert_equal(seen(ask), before)


def seen(ask: Query) -> dict[str, Any]:
    """What a strategy is given, without the services."""
    labelled, candidates = dataclasses.asdict(ask.labelled), dataclasses.asdict(ask.candidates)
    return {"labelled": labelled, "candidates": candidates, "machine": ask.machine, "task": ask.task.model_dump()}


@every
def test_works_with_exactly_what_it_declares(strategy: Any) -> None:
    assert strategy.needs <= set(EVERYTHING)
    full, least = strategy.query(question()), strategy.query(question(having={*strategy.needs, "labelled"}))
    # Labelled texts are always there: many do without, and choose otherwise where there are some.
    if "machine" in strategy.needs or strategy.kind in ("generate", "read") or "weaknesses" in str(strategy):
        assert len(least.picks) == len(full.picks)  # these look at the machine's labels where there are any
    else:
        assert least == full


@every_chooser
def test_says_what_is_missing(strategy: Any) -> None:
    for need in sorted(strategy.needs - {"machine"}):
        with pytest.raises(BadInput, match="needs"):
            strategy.query(question(having=strategy.needs - {need}))


@every
def test_a_strategy_is_its_own_specification(strategy: Any) -> None:
    union: TypeAdapter[Any] = TypeAdapter(Strategy)
    assert union.validate_json(strategy.model_dump_json()) == strategy
    assert strategy.name
    assert hash(strategy.kind)


@every_chooser
def test_pairs_of_texts_are_chosen_like_single_ones(strategy: Any) -> None:
    batch = strategy.query(question(pairs=True))
    assert batch.picks
    assert all(example.text_b for example in batch.examples)


def test_a_question_holds_no_gold_label() -> None:
    """Every field that a strategy can reach through the types of `Query` is one of these."""
    reached = {
        "Query": "task size candidates machine labelled rng round student chat embed fence sample",
        "Task": "kind name labels guidelines item language",
        "LabelCard": "name word description examples",
        "Columns": "ids texts texts_b",
        "Labelled": "columns targets human generated machine",
        "Fence": "hashes embeddings",
    }
    assert fields_reached(Query) == {name: set(fields.split()) for name, fields in reached.items()}


def fields_reached(start: type) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    left: list[Any] = [start]
    while left:
        hint = left.pop()
        if get_origin(hint) in (Union, types.UnionType) or get_args(hint):
            left += [arg for arg in get_args(hint) if arg is not Ellipsis and not isinstance(arg, str)]
            continue
        if not isinstance(hint, type) or hint.__name__ in found:
            continue
        if dataclasses.is_dataclass(hint):
            found[hint.__name__] = {f.name for f in dataclasses.fields(hint)}
            left += get_type_hints(hint).values()
        elif issubclass(hint, BaseModel):
            found[hint.__name__] = set(hint.model_fields)
            left += [f.annotation for f in hint.model_fields.values()]
    return found
