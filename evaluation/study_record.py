"""What a study and an ablation leave as data: enough to see what was done, with what, and to make every number anew."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast

from pydantic import model_validator

from agent.recipe import Recipe, WeightsUsed
from evaluation.ablation import Ablation
from evaluation.ablation_effects import Results
from evaluation.ablation_watch import Run
from evaluation.datasets import DataCard
from evaluation.overall import Overall
from evaluation.records import Cell, Comparison, ModelCard
from evaluation.split import SplitReport
from evaluation.study import Planned, Study
from evaluation.walltime import Worked
from prompts.messages import Frozen

WHOLE = "whole"
_OF_PROCESS = ("machine", "seconds")


class SetUsed(Frozen):
    """The data of a set as they were really used."""

    pool: str
    """SHA-256 over ids, texts and labels."""
    test: str
    split: SplitReport
    card: DataCard
    gold: tuple[int, ...]
    """Class index of each test item, -1 where it has no label."""


class Raw(Frozen):
    """One cell with its place in the plan."""

    plan: Planned
    cell: Cell


class StudyRecord(Frozen):
    """The study as it was run."""

    record: Literal[1, 2, 3] = 3
    study: Study
    recipes: dict[str, Recipe]
    """What the arms amount to, by their names, with the first student."""
    thresher: str
    python: str
    packages: dict[str, str]
    sets: dict[str, SetUsed]
    encoder: WeightsUsed | None
    llm: WeightsUsed | None
    models: tuple[ModelCard, ...] = ()
    prompts: tuple[str, ...]
    wordings: dict[str, str] = {}
    """The text of each prompt by its fingerprint, slots filled in, variables by their names."""
    planned: int
    """Cells."""
    done: int
    shuffles: dict[str, dict[str, int]]
    """Whole ones, by set and student."""
    ended: str
    full: dict[str, tuple[Cell, ...]]
    """Of students trained on every gold label of the pool, by set."""
    unfinished: tuple[Raw, ...] = ()
    """Cells of shuffles that are not whole: they are among the raw ones, and in no table."""
    worked: Worked
    """Wall time and machines of all cells."""
    spent: dict[str, float]
    """Seconds inside all cells, by what took them."""
    caveats: tuple[str, ...] = ()
    made: str

    @model_validator(mode="before")
    @classmethod
    def _second_form(cls, data: object) -> object:
        """Records before the third form know time and machine of the process that left them, of no cell."""
        if not isinstance(data, Mapping) or "worked" in data:
            return cast(object, data)
        old = {name: value for name, value in cast(Mapping[str, Any], data).items() if name not in _OF_PROCESS}
        return {**old, "worked": {"wall": None, "lacking": old.get("done", 0)}}

    @property
    def of_full(self) -> dict[str, dict[str, float]]:
        """Accuracy of students trained on every gold label, by set and student."""
        return {name: {each.student: each.curve[-1].accuracy for each in cells} for name, cells in self.full.items()}


class AblationRecord(Frozen):
    """An ablation as it was run; `Results(ablation, runs)` makes every number of it anew."""

    record: Literal[2] = 2
    ablation: Ablation
    study: StudyRecord
    runs: tuple[Run, ...]
    """Of whole shuffles."""
    unfinished: tuple[Run, ...] = ()
    """Of the others."""

    @property
    def results(self) -> Results:
        return Results(self.ablation, self.runs)


@dataclass(frozen=True)
class StudyLeft:
    """A study with what it measured on each set."""

    record: StudyRecord
    sets: dict[str, Comparison]
    """Cells of whole shuffles, trainings apart."""

    @cached_property
    def overall(self) -> Overall:
        return Overall(self.record.study, self.sets, self.record.of_full)


Left = StudyLeft | AblationRecord


def shares(spent: dict[str, float]) -> list[tuple[str, float]]:
    """(what, share of all seconds); nothing where no times are known."""
    total = sum(spent.values())
    return [(what, seconds / total) for what, seconds in spent.items()] if total and not math.isnan(total) else []
