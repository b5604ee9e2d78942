"""What a run is asked for with, over HTTP: the body of `POST /v1/runs`, which `POST /v1/plan` takes as it is."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from agent.domain import Task
from agent.recipe import Recipe
from evaluation.split import SplitReport
from prompts.messages import Frozen
from serving.routes.annotate import TASK
from serving.runs.job import People
from serving.runs.wishes import Wish
from serving.service.desk import Desk
from serving.shapes_runs import Caps

EXAMPLE: dict[str, Any] = {"task": TASK, "data": "<id of a data set>", "budget": 32, "recipe": "agent"}


def _form(given: object) -> str | None:
    """Told apart before it is read, so that an error is about the recipe's fields, and not about its not being text."""
    if isinstance(given, str):
        return "name"
    return "recipe" if isinstance(given, Mapping | Recipe) else None


RecipeAsked = Annotated[
    Annotated[str, Tag("name")] | Annotated[Recipe, Tag("recipe")],
    Discriminator(
        _form, custom_error_type="recipe", custom_error_message="Give a ready recipe's name, or a recipe as JSON"
    ),
]


class Asked(Frozen):
    """How people are asked."""

    overlap: int = Field(default=1, ge=1, le=20, description="People for each text; each answer is a label.")
    blind_share: float = Field(default=0.2, ge=0.0, le=1.0, description="Of texts whose suggestion is hidden.")
    experts: bool = Field(default=False, description="Whether people look over the LLM's picks first.")
    noise: float = Field(default=0.0, ge=0.0, le=1.0, description="Share of wrong answers of simulated people.")


QUEUED = {"overlap", "blind_share", "experts"}
"""What only people who answer through the review queue are asked by."""


class RunRequest(Frozen):
    """A run that is to begin, or that is thought of."""

    task: Task
    data: str = Field(max_length=200, description="Id of the data set that is the pool.")
    test: str = Field(default="", max_length=200, description="Id of the data set that students are measured on.")
    budget: int = Field(default=32, ge=1, le=1_000_000, description="Labels that people give, in all.")
    recipe: RecipeAsked = Field(default="agent", description="A ready recipe's name, or a recipe as JSON.")
    compare: bool = Field(default=False, description="With the baselines beside it.")
    seeds: int = Field(default=1, ge=1, le=100)
    students: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=2,
        description="What is trained. Where absent: the learner of a recipe that comes as JSON, else `bert`.",
    )
    reads: int = Field(default=600, ge=0, le=100_000, description="Texts that the LLM labels.")
    people: Literal["queue", "simulated"] = Field(default="queue", description="Who answers.")
    caps: Caps = Field(default=Caps(), description="What the run may never exceed; a forecast names those in reach.")
    name: str = Field(default="", max_length=200, description="Equal runs of other names are other runs.")
    asked: Asked = Field(default=Asked())
    data_card: str = Field(default="", max_length=100, description="Of the known data set that the texts are from.")
    split: SplitReport | None = Field(default=None, description="How pool and test set were made from it.")

    @model_validator(mode="after")
    def _asks_whom_it_names(self) -> "RunRequest":
        """What would be left out without a word is refused."""
        named = self.asked.model_fields_set & ({"noise"} if self.people == "queue" else QUEUED)
        changed = sorted(name for name in named if getattr(self.asked, name) != Asked.model_fields[name].default)
        if changed:
            those = "real people" if self.people == "queue" else "simulated people"
            raise ValueError(f"`asked.{changed[0]}` says nothing to {those}: leave it out, or ask others")
        return self


def wish_of(body: RunRequest, desk: Desk) -> Wish:
    """A request in the words of the command line. Raises NoDataSet."""
    simulated, asked = body.people == "simulated", body.asked
    own = None if isinstance(body.recipe, str) else body.recipe
    queue = People(kind="queue", overlap=asked.overlap, blind=asked.blind_share, experts=asked.experts)
    return Wish(
        task=body.task,
        table=desk.data.table(body.data),
        test=desk.data.table(body.test) if body.test else None,
        budget=body.budget,
        recipe=body.recipe if isinstance(body.recipe, str) else "random",
        own=own,
        compare=body.compare,
        seeds=body.seeds,
        students=body.students or (() if own else ("bert",)),
        simulate=simulated,
        noise=asked.noise,
        reads=body.reads,
        title=body.name,
        people=None if simulated else queue,
        data_card=body.data_card,
        split=body.split,
        caps=body.caps,
    )
