"""The agent: the LLM selects, labels and writes; people answer where it matters."""

from agent.annotate import Llm, Route
from agent.generate import Generate
from agent.query import Disagreement, First, KMeans, LlmChoose, Then
from agent.recipe import Recipe, Step
from agent.recipes.machine import READS, SHOTS
from agent.stopping import Rounds
from agent.students import FrozenLinear, LearnerSpec


def agent(budget: int, learner: LearnerSpec, reads: int = READS) -> Recipe:
    """Five rounds; people's labels are spent in quarters.

    0. Initialize: the LLM picks from a diverse short list; people label (the first batch, before any student exists).
    1. The LLM labels `reads` random texts, beside each some that people labelled; people label those that it is least
       sure of (route by confidence).
    2. The LLM picks among the texts on which student and LLM disagree most; people decide.
    3. The LLM writes 64 texts for where the student is weak, which takes it as long as reading several hundred; filters
       reject; the LLM labels what is left.
    4. As 2, with what is left of the budget.
    """
    quarter, llm = max(1, budget // 4), Llm(shots=SHOTS)
    disputed = Then(first=Disagreement(), second=LlmChoose(), keep=6 * quarter)
    steps = (
        Step(query=Then(first=KMeans(), second=LlmChoose(), keep=6 * quarter), size=quarter),
        Step(query=First(), size=reads, annotate=Route(machine=llm, most=quarter), again=True),
        Step(query=disputed, size=quarter, again=True),
        Step(query=Generate(asks=8), size=64, annotate=llm, again=True),
        Step(query=disputed, size=max(1, budget - 3 * quarter), again=True),
    )
    return Recipe(name="agent", steps=steps, stop=Rounds(most=len(steps)), learner=learner, scout=FrozenLinear())
