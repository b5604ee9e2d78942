"""Recipes and specifications are data: they survive JSON, and equal ones have one name."""

import pytest
from pydantic import ValidationError

from agent.annotate import Human
from agent.query import Random
from agent.recipe import Recipe, RunSpec, Step
from agent.recipes import RECIPES
from agent.stopping import Budget
from agent.students import Bert, FrozenLinear, TfidfSvm
from tests.support.questions import TASK

LEARNERS = (Bert(), TfidfSvm(), FrozenLinear())
every = pytest.mark.parametrize("name", RECIPES)


@every
@pytest.mark.parametrize("learner", LEARNERS, ids=lambda learner: learner.kind)
def test_a_recipe_survives_json(name: str, learner: Bert) -> None:
    recipe = RECIPES[name](32, learner, 600)
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    assert recipe.name == name
    assert recipe.learner == learner


@every
@pytest.mark.parametrize("budget", range(1, 41))
def test_a_recipe_can_be_made_for_every_budget(name: str, budget: int) -> None:
    recipe = RECIPES[name](budget, FrozenLinear(), 600)
    assert all(step.size >= 1 for step in recipe.steps)
    if name in {"random", "uncertainty", "diversity"}:
        assert sum(step.size for step in recipe.steps) == budget


@every
def test_a_recipe_knows_whether_it_asks_an_llm(name: str) -> None:
    assert RECIPES[name](8, FrozenLinear(), 8).asks_llm is (name in {"agent", "machine-only", "random-and-machine"})


@every
def test_where_people_labelled_before_the_llm_does_it_is_shown_some_of_their_texts(name: str) -> None:
    recipe = RECIPES[name](8, FrozenLinear(), 8)
    assert recipe.shown == (4 if name in {"agent", "random-and-machine"} else 0)
    if recipe.shown:
        assert recipe.steps[0].annotate == Human()


@pytest.mark.parametrize("name", ["random", "diversity", "uncertainty"])
def test_a_student_that_takes_long_is_trained_once_where_no_strategy_asks_for_one(name: str) -> None:
    own = name == "uncertainty"
    assert RECIPES[name](32, Bert(), 600).scout == (None if own else FrozenLinear())
    assert RECIPES[name](32, TfidfSvm(), 600).scout is None


def test_the_last_step_repeats() -> None:
    steps = (Step(query=Random(), size=1), Step(query=Random(), size=2))
    recipe = Recipe(name="r", steps=steps, stop=Budget(labels=9), learner=FrozenLinear())
    assert [recipe.step(i).size for i in range(4)] == [1, 2, 2, 2]


def test_equal_specifications_have_one_fingerprint_and_every_field_counts() -> None:
    recipe = RECIPES["random"](8, FrozenLinear(), 0)
    spec = RunSpec(recipe=recipe, task=TASK, data="d", budget=8)
    assert spec.fingerprint == RunSpec(recipe=recipe, task=TASK, data="d", budget=8).fingerprint
    changes = (
        {"seed": 1},
        {"budget": 9},
        {"data": "e"},
        {"prompts": ("p@1#0",)},
        {"task": TASK.model_copy(update={"name": "n"})},
    )
    changed = {spec.model_copy(update=change).fingerprint for change in changes}
    assert len(changed | {spec.fingerprint}) == len(changes) + 1


def test_unknown_schemas_kinds_and_fields_are_refused() -> None:
    spec = RunSpec(recipe=RECIPES["random"](8, FrozenLinear(), 0), task=TASK, data="d", budget=8).model_dump()
    for path, value in ((("schema_number",), 2), (("recipe", "stop", "kind"), "whim"), (("whatever",), 1)):
        wrong = RunSpec.model_validate(spec).model_dump()
        inner = wrong
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        with pytest.raises(ValidationError):
            RunSpec.model_validate(wrong)
