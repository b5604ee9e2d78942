"""Algorithm 1, LLM-based active learning (Xia et al., 2025): Initialize, Train, Terminate, Query, Annotate."""

from dataclasses import dataclass
from functools import partial

from agent.domain import Batch, Round, Stop
from agent.lab import Lab, Labels
from agent.pool import Pool
from agent.protocols import Journal, Student
from agent.recipe import RunSpec


@dataclass(frozen=True)
class Outcome:
    """What a finished run leaves: f*, L (inside the pool), why it ended, and what each round came to."""

    student: Student
    pool: Pool
    stop: Stop
    history: tuple[Round, ...]
    batches: tuple[Batch, ...]


def learn(spec: RunSpec, pool: Pool, lab: Lab, journal: Journal) -> Outcome:
    """Runs `spec` over `pool` until a stopping rule ends it.

    Every step is done once and remembered: called again with the same journal after any crash, this reads the recorded
    steps back and computes only the rest. Raises `Waiting` where people have to answer first; call it again then.
    """
    recipe, history, batches = spec.recipe, list[Round](), list[Batch]()

    # 1: L_init, U ← Initialize(U, M)
    batch = lab.note(journal.step("0/query", Batch, partial(lab.query, recipe.step(0), pool, None, 0)))
    batch = lab.vet(journal, batch, 0)
    labels = lab.note(journal.step("0/annotate", Labels, partial(lab.annotate, recipe.step(0), batch, pool, 0)))
    pool = pool.admit(batch.generated).label(labels.annotations)
    # 2: f ← Train(L_init)
    student = lab.train(pool, 0)
    batches.append(batch)
    history.append(journal.step("0/round", Round, partial(lab.sum_up, 0, batch, labels, pool, student)))

    # 3: while not Terminate(k, f, M)
    while (stop := lab.terminate(history, pool)) is None:
        index = len(history)
        step = recipe.step(index)
        # 4: x ← Query(f, U, M)
        batch = lab.note(journal.step(f"{index}/query", Batch, partial(lab.query, step, pool, student, index)))
        batch = lab.vet(journal, batch, index)
        # 5: (x, y) ← Annotate(x, M)
        labels = lab.note(journal.step(f"{index}/annotate", Labels, partial(lab.annotate, step, batch, pool, index)))
        # 6: U ← U \ {x}, L ← L ∪ {(x, y)}
        pool = pool.admit(batch.generated).label(labels.annotations)
        # 7: f ← Train(L)
        student = lab.train(pool, index)
        batches.append(batch)
        history.append(journal.step(f"{index}/round", Round, partial(lab.sum_up, index, batch, labels, pool, student)))

    # 8: return f*, L
    return Outcome(lab.finish(pool, student, len(history) - 1), pool, stop, tuple(history), tuple(batches))
