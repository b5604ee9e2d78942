"""The arms of a study: a ready recipe by its name, a classic loop in a line, or a recipe given step by step."""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from agent.annotate import Human
from agent.clean import CleanerSpec, Confidence
from agent.query import Random, Strategy
from agent.recipe import Recipe, Step
from agent.recipes import RECIPES
from agent.stopping import Budget, Rounds, StoppingSpec
from agent.students import LearnerSpec
from evaluation.contrasts import At, MeasureSpec
from evaluation.records import Arm, Role
from prompts.messages import Frozen

NAME = r"^[\w][\w .+-]{0,39}$"
ZERO_SHOT = "zero-shot"
RESERVED = ("full", ZERO_SHOT)
"""Names of rows that no arm makes: a student trained on every gold label, and the LLM itself."""

_ROLES: dict[str, Role] = {"agent": "agent", "random-and-machine": "control", "machine-only": "machine"}
_FORMS: dict[str, frozenset[str]] = {
    "recipe": frozenset({"recipe", "reads"}),
    "strategy": frozenset({"strategy", "first", "seed_batch", "batch"}),
    "steps": frozenset({"steps", "stop", "scout", "clean"}),
}
"""The three ways to give an arm, by the key that marks each, and the keys that belong to it alone."""


class StudyArm(Frozen):
    """One arm, given in exactly one of three forms."""

    name: str = Field(default="", pattern=NAME)
    title: str = ""
    role: Role | None = None
    """Left out: that of the ready recipe, else `classic` without and `ablation` with an LLM."""
    note: str = ""
    budget: int | None = Field(default=None, ge=0)
    """People's labels, where fewer than the study's."""

    recipe: str = ""
    """A ready recipe."""
    reads: int | None = Field(default=None, ge=0)
    """Texts that the LLM labels in it, where other than the study's."""

    strategy: Strategy | None = None
    """A classic loop: the strategy of every round but the first; people label everything."""
    first: Strategy = Field(default=Random(), discriminator="kind")
    """The strategy of the seed batch. Left out, all classic arms of one shuffle have the same seed batch."""
    seed_batch: int = Field(default=8, ge=1)
    batch: int = Field(default=8, ge=1)

    steps: tuple[Step, ...] = ()
    """A recipe given in full; the last step repeats until `stop` says so."""
    stop: StoppingSpec | None = Field(default=None, discriminator="kind")
    """Left out: each step is done once."""
    scout: LearnerSpec | None = Field(default=None, discriminator="kind")
    clean: CleanerSpec = Field(default=Confidence(), discriminator="kind")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        """An arm without a name is called after its recipe or strategy."""
        if not isinstance(given, dict) or "name" in given:
            return given
        strategy = given.get("strategy")
        kind = strategy.get("kind") if isinstance(strategy, dict) else getattr(strategy, "kind", None)
        name = given.get("recipe") or kind
        return {**given, "name": name} if isinstance(name, str) else given

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        given = self.model_fields_set
        forms = [form for form in _FORMS if form in given]
        if len(forms) != 1:
            found = " and ".join(forms) or "none of them"
            raise ValueError(f"an arm has one of recipe, strategy and steps; found {found}")
        stray = sorted(given & frozenset().union(*(keys for form, keys in _FORMS.items() if form != forms[0])))
        if stray:
            raise ValueError(f"{stray[0]!r} does not go with {forms[0]!r}")
        if not self.name:
            raise ValueError("an arm that is given step by step needs a name")
        if self.name in RESERVED:
            raise ValueError(f"an arm cannot be called {self.name!r}")
        self._check_recipe(forms[0])
        return self

    def _check_recipe(self, form: str) -> None:
        if form == "recipe" and self.recipe not in RECIPES:
            raise ValueError(f"there is no recipe {self.recipe!r}; known: {', '.join(RECIPES)}")
        if form == "steps" and not self.steps:
            raise ValueError("a recipe needs a step")

    @model_serializer(mode="wrap")
    def _as_given(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Only what was given: the keys of the other forms do not belong to this one."""
        return {key: value for key, value in plain(self).items() if key in self.model_fields_set}

    def built(self, learner: LearnerSpec, budget: int, reads: int) -> Recipe:
        """The recipe for one student, with the study's budget and reads where the arm has none of its own."""
        own = self.spends(budget)
        if self.recipe:
            made = RECIPES[self.recipe](own, learner, reads if self.reads is None else self.reads)
            return made.model_copy(update={"name": self.name})
        if self.strategy is not None:
            steps = (Step(query=self.first, size=self.seed_batch), Step(query=self.strategy, size=self.batch))
            return Recipe(name=self.name, steps=steps, stop=Budget(labels=own), learner=learner)
        stop = self.stop or Rounds(most=len(self.steps))
        return Recipe(name=self.name, steps=self.steps, stop=stop, learner=learner, scout=self.scout, clean=self.clean)

    def spends(self, budget: int) -> int:
        """People's labels that this arm may spend in a study with that budget."""
        return budget if self.budget is None else self.budget

    def shown(self, recipe: Recipe) -> Arm:
        """What reports say of it."""
        role = self.role or _ROLES.get(self.recipe) or ("ablation" if recipe.asks_llm else "classic")
        return Arm(name=self.name, title=self.title, role=role, note=self.note)


def counts(recipe: Recipe, budget: int) -> tuple[int, ...] | None:
    """Numbers of people's labels after each round; None where the recipe alone does not say."""
    people = all(isinstance(step.annotate, Human) for step in recipe.steps)
    if not people or recipe.scout is not None or not isinstance(recipe.stop, Budget):
        return None
    found: list[int] = []
    while (spent := found[-1] if found else 0) < min(budget, recipe.stop.labels):
        found.append(min(budget, spent + recipe.step(len(found)).size))
    return tuple(found)


def misread(recipe: Recipe, measure: MeasureSpec, own: int, budget: int, points: Sequence[int]) -> str:
    """Why the curve of such a recipe has no such value, in words; empty where it has, or where nobody can say before.

    Args:
        own: people's labels that the recipe may spend. budget: those of the study, where an area ends.
        points: labels at which curves are measured beside the end; empty: each round.
    """
    scout = recipe.scout
    # One that is the student's own model is measured after each round, unless that takes an LLM or points are named.
    alone = scout is not None and (scout != recipe.learner or scout.kind == "in-context" or points)
    if alone and not isinstance(measure, At):
        return "is measured at its end alone, and an area needs a curve"
    stops = counts(recipe, own)
    if measure.axis != "labels" or not stops:
        return ""
    looks = [stop for stop in stops if not points or stop in points or stop == stops[-1]]
    if isinstance(measure, At):
        amount = looks[-1] if measure.amount is None else measure.amount
        missed = amount < looks[-1] and amount not in looks
        return f"has no point at {amount:g} labels; it has {several(looks)}" if missed else ""
    if measure.low is not None and measure.low < looks[0]:
        return f"begins at {looks[0]} labels, and the area at {measure.low:g}"
    high = budget if measure.high is None else measure.high
    return f"begins at {looks[0]} labels, and the area ends at {high:g}" if high <= looks[0] else ""


def several(labels: Sequence[int]) -> str:
    """`8, 16, 24`, and no more than twelve of them."""
    return ", ".join(map(str, labels[:12])) + (" …" if len(labels) > 12 else "")
