"""Which labelled texts a prompt shows before it asks: classes take turns, each giving its surest label first."""

import numpy as np

from agent.domain import Task
from agent.protocols import Demonstration, Labelled, Weighted


def chosen(rows: Weighted, k: int, rng: np.random.Generator) -> list[int]:
    """At most `k` rows in random order: classes take turns, each giving its surest label that is left."""
    classes, certainty = rows.targets.argmax(axis=1), rows.weights * rows.targets.max(axis=1)
    mixed = rng.permutation(len(classes))
    surest = mixed[np.argsort(-certainty[mixed], kind="stable")]
    turns = sorted((int((classes[surest[:i]] == classes[r]).sum()), i) for i, r in enumerate(surest))
    return [int(surest[i]) for i in rng.permutation([i for _, i in turns[:k]])]


def demonstration(rows: Weighted, row: int, task: Task) -> Demonstration:
    b = rows.columns.texts_b
    label = task.names[int(rows.targets[row].argmax())]
    return Demonstration(rows.columns.texts[row], label, text_b="" if b is None else b[row])


def of_people(labelled: Labelled, task: Task, k: int, rng: np.random.Generator) -> tuple[Demonstration, ...]:
    """At most `k` texts that people labelled; those that the LLM wrote are not shown to it.

    Where there are texts that the LLM has not read, only those: they were labelled before it began, so that every round
    shows it the same ones. Its labels stay comparable, and its prior, read beside the same texts, is known already.
    """
    own = labelled.human & ~labelled.generated
    unread = own & np.isnan(labelled.machine).all(axis=1)
    kept = np.flatnonzero(unread if unread.any() else own)
    rows = Weighted(labelled.columns.take(kept), labelled.targets[kept], np.ones(len(kept)))
    return tuple(demonstration(rows, row, task) for row in chosen(rows, k, rng))
