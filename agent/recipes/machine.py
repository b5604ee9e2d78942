"""What the agent has to be compared with: the LLM's labels without people, and with people placed at random."""

from agent.annotate import Llm
from agent.query import First, Random
from agent.recipe import Recipe, Step
from agent.stopping import Rounds
from agent.students import FrozenLinear, LearnerSpec

READS = 600
"""Texts that the LLM labels: the first ones of the shuffled pool that no person has labelled before."""


def machine_only(budget: int, learner: LearnerSpec, reads: int = READS) -> Recipe:
    """A student on LLM labels, no person at all."""
    del budget
    return Recipe(name="machine-only", steps=(_reads(reads),), stop=Rounds(most=1), learner=learner)


def random_and_machine(budget: int, learner: LearnerSpec, reads: int = READS) -> Recipe:
    """The same LLM labels, and the whole budget of people spent on texts drawn at random from the pool."""
    people = Step(query=Random(), size=budget, again=True)
    return Recipe(
        name="random-and-machine",
        steps=(_reads(reads), people),
        stop=Rounds(most=2),
        learner=learner,
        scout=FrozenLinear(),
    )


def _reads(reads: int) -> Step:
    return Step(query=First(), size=reads, annotate=Llm())
