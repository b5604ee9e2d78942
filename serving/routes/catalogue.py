"""What a run can be made of: ready recipes, and the members of the closed unions with their JSON schemas."""

import inspect
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from agent.annotate import AnnotatorSpec
from agent.clean import CleanerSpec
from agent.generate import FilterSpec
from agent.query import Strategy
from agent.recipe import Recipe
from agent.recipes import RECIPES
from agent.stopping import StoppingSpec
from agent.students import Bert, LearnerSpec
from prompts.messages import Frozen
from serving import problem
from serving.service.guard import needs

router = APIRouter(prefix="/v1", tags=["catalogue"], responses=problem.RESPONSES, dependencies=[needs("read")])
Family = Literal["strategy", "annotator", "filter", "stopping", "learner", "cleaner"]
UNIONS: dict[Family, Any] = {
    "strategy": Strategy,
    "annotator": AnnotatorSpec,
    "filter": FilterSpec,
    "stopping": StoppingSpec,
    "learner": LearnerSpec,
    "cleaner": CleanerSpec,
}
"""Where each kind of component has its place in a recipe."""


class ShownRecipe(Frozen):
    """A ready recipe as it comes out for one budget."""

    name: str
    about: str = Field(description="What it does, round by round.")
    asks_llm: bool
    recipe: Recipe = Field(description="The recipe itself: send it back, changed, to `POST /v1/runs`.")


class RecipeList(Frozen):
    items: tuple[ShownRecipe, ...]
    next: str | None = None


class Component(Frozen):
    """A member of a closed union."""

    kind: str = Field(description="The value of `kind` in its JSON.")
    family: Family
    about: str
    needs: tuple[str, ...] | None = Field(description="What a strategy cannot work without, where that is fixed.")
    json_schema: dict[str, Any] = Field(description="Of its JSON.")


class ComponentList(Frozen):
    items: tuple[Component, ...]
    next: str | None = None


@router.get("/recipes", summary="List the ready recipes")
def list_recipes(
    budget: Annotated[int, Query(ge=4, le=100_000, description="Labels of people.")] = 32,
    reads: Annotated[int, Query(ge=1, le=1_000_000, description="Texts that the LLM labels.")] = 600,
) -> RecipeList:
    """Each recipe for this budget, as JSON that a run takes."""
    return RecipeList(items=tuple(_recipe(name, budget, reads) for name in RECIPES))


@router.get("/strategies", summary="List the components of recipes")
def list_strategies(
    family: Annotated[Family | None, Query(description="Only these; all where none is named.")] = None,
) -> ComponentList:
    """Strategies, annotators, filters, stopping rules, learners and cleaners, each with its JSON schema."""
    families: list[Family] = [family] if family else list(UNIONS)
    return ComponentList(items=tuple(_component(name, each) for name in families for each in members(UNIONS[name])))


def members(union: Any) -> tuple[type[BaseModel], ...]:
    """The classes of a closed union, in its order, whether or not it is annotated."""
    if inspect.isclass(union):
        return (union,) if issubclass(union, BaseModel) else ()
    return tuple(found for inner in get_args(union) for found in members(inner))


def _recipe(name: str, budget: int, reads: int) -> ShownRecipe:
    recipe = RECIPES[name](budget, Bert(), reads)
    return ShownRecipe(name=name, about=_about(RECIPES[name]), asks_llm=recipe.asks_llm, recipe=recipe)


def _component(family: Family, kind: type[BaseModel]) -> Component:
    named = kind.model_fields["kind"].default
    try:
        needs_: tuple[str, ...] | None = tuple(sorted(kind().needs)) if family == "strategy" else None  # pyright: ignore[reportAttributeAccessIssue]  every strategy has them
    except ValueError:  # made of others, whose needs they are
        needs_ = None
    return Component(kind=named, family=family, about=_about(kind), needs=needs_, json_schema=kind.model_json_schema())


def _about(thing: Any) -> str:
    return inspect.cleandoc(thing.__doc__ or "")
