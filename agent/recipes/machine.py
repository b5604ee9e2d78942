"""What the agent has to be compared with: the LLM's labels without people, and with people placed at random."""

from agent.annotate import Llm
from agent.query import First, Random
from agent.recipe import Recipe, Step
from agent.stopping import Rounds
from agent.students import FrozenLinear, LearnerSpec

READS = 600
"""Texts that the LLM labels: the first ones of the shuffled pool that no person has labelled before."""

SHOTS = 4
"""Texts with people's labels that the LLM sees beside each one it labels. On development texts four made more of its
labels right than none; `evaluation/results/readout.txt` says by how much."""


def machine_only(budget: int, learner: LearnerSpec, reads: int = READS) -> Recipe:
    """A student on LLM labels, no person at all."""
    del budget
    return Recipe(name="machine-only", steps=(_reads(reads),), stop=Rounds(most=1), learner=learner)


def random_and_machine(budget: int, learner: LearnerSpec, reads: int = READS) -> Recipe:
    """What the LLM labels for the agent, and the whole budget of people spent on texts drawn at random from the pool.

    A quarter of the budget comes first, as in the agent: the LLM is shown some of it.
    """
    first = max(1, budget // 4)
    steps = (
        Step(query=Random(), size=first),
        _reads(reads, SHOTS),
        Step(query=Random(), size=max(1, budget - first), again=True),
    )
    return Recipe(
        name="random-and-machine",
        steps=steps,
        stop=Rounds(most=len(steps)),
        learner=learner,
        scout=FrozenLinear(),
    )


def _reads(reads: int, shots: int = 0) -> Step:
    return Step(query=First(), size=reads, annotate=Llm(shots=shots))
