"""Active learning without an LLM: people label everything, in two rounds of half the budget each."""

from agent.query import KMeans, Margin, Random, Strategy
from agent.recipe import Recipe, Step
from agent.stopping import Budget
from agent.students import FrozenLinear, LearnerSpec

_DEAR = ("bert", "setfit", "in-context")


def random(budget: int, learner: LearnerSpec, reads: int = 0) -> Recipe:
    """Random sampling, the baseline that every other recipe has to beat."""
    del reads
    return _rounds("random", Random(), Random(), budget, learner)


def uncertainty(budget: int, learner: LearnerSpec, reads: int = 0) -> Recipe:
    """Margin sampling (breaking ties) by the learner itself, after a random seed batch (Schröder et al., 2022)."""
    del reads
    return _rounds("uncertainty", Random(), Margin(), budget, learner)


def diversity(budget: int, learner: LearnerSpec, reads: int = 0) -> Recipe:
    """The texts nearest to k-means centres of the pool's sentence embeddings."""
    del reads
    return _rounds("diversity", KMeans(), KMeans(), budget, learner)


def _rounds(name: str, first: Strategy, then: Strategy, budget: int, learner: LearnerSpec) -> Recipe:
    """A student that takes long to train is trained once, at the end, where no strategy asks for one between rounds."""
    scout = FrozenLinear() if learner.kind in _DEAR and "student" not in then.needs else None
    half = max(1, budget // 2)
    sizes = [size for size in (half, budget - half) if size > 0]
    steps = tuple(Step(query=then if i else first, size=size) for i, size in enumerate(sizes))
    return Recipe(name=name, steps=steps, stop=Budget(labels=budget), learner=learner, scout=scout)
