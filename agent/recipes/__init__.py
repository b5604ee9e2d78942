"""Ready recipes. Each is a function of the budget and the learner; `RECIPES` names them for command line and HTTP."""

from collections.abc import Callable

from agent.recipe import Recipe
from agent.recipes.agent import agent
from agent.recipes.classic import diversity, random, uncertainty
from agent.recipes.machine import machine_only, random_and_machine
from agent.students import LearnerSpec

__all__ = ["RECIPES", "agent", "diversity", "machine_only", "random", "random_and_machine", "uncertainty"]

RECIPES: dict[str, Callable[[int, LearnerSpec, int], Recipe]] = {
    "agent": agent,
    "random": random,
    "uncertainty": uncertainty,
    "diversity": diversity,
    "machine-only": machine_only,
    "random-and-machine": random_and_machine,
}
