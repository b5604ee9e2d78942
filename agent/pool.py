"""U and L: the unlabelled pool, the labelled set, and the only operations on them.

A pool is a value: each operation returns a new one that shares the columns of the old. Its rows are the user's texts in
the order of the shuffle, followed by generated examples that were accepted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from agent.domain import STATUSES, Annotation, Cost, Example, Status, Task
from agent.errors import BadInput
from agent.protocols import Columns, Floats, Labelled, Rows

_CODE: dict[Status, int] = {status: code for code, status in enumerate(STATUSES)}


@dataclass(frozen=True)
class Pool:
    task: Task
    columns: Columns
    status: NDArray[np.int8]
    """(n,): index into `STATUSES`."""
    generated_from: int
    """Rows from here on were written by the LLM."""
    annotations: tuple[Annotation, ...] = ()
    """All label events so far, oldest first."""
    row: dict[str, int] = field(default_factory=dict[str, int], repr=False)

    @classmethod
    def of(cls, task: Task, columns: Columns) -> "Pool":
        """A pool in which nothing is labelled. Raises BadInput where an id stands twice."""
        row = {id_: i for i, id_ in enumerate(columns.ids)}
        if len(row) < len(columns):
            seen: set[str] = set()
            twice = next(id_ for id_ in columns.ids if id_ in seen or seen.add(id_))
            raise BadInput(f"the id {twice!r} stands twice in the data", "give every text an id of its own")
        return cls(task, columns, np.zeros(len(columns), dtype=np.int8), len(columns), (), row)

    def __len__(self) -> int:
        return len(self.columns)

    def rows(self, *statuses: Status) -> Rows:
        """Rows with one of these statuses, ascending."""
        wanted = np.zeros(len(STATUSES), dtype=np.bool_)
        wanted[[_CODE[s] for s in statuses]] = True
        return np.flatnonzero(wanted[self.status])

    def sizes(self) -> dict[str, int]:
        """Number of examples by status; the values sum to `len(self)`."""
        counts = np.bincount(self.status, minlength=len(STATUSES))
        return {status: int(counts[code]) for status, code in _CODE.items()}

    def standing(self) -> Mapping[str, Annotation]:
        """The annotation that counts for each example: the last that no later one supersedes."""
        return MappingProxyType(self._standing)

    @cached_property
    def _standing(self) -> dict[str, Annotation]:
        return {a.example: a for a in self.annotations}

    def askable(self, *, again: bool) -> Rows:
        """Rows that a strategy may choose: U, and with `again` every pool text that no person has labelled."""
        unlabelled = self.rows("unlabelled")
        if not again:
            return unlabelled
        machine = [self.row[id_] for id_, a in self.standing().items() if a.provenance == "machine"]
        keep = [r for r in machine if r < self.generated_from and self.status[r] != _CODE["discarded"]]
        return np.unique(np.concatenate([unlabelled, np.asarray(keep, dtype=np.intp)]))

    def admit(self, examples: Sequence[Example]) -> "Pool":
        """Adds generated examples, unlabelled."""
        if not examples:
            return self
        old = self.columns
        columns = Columns(
            [*old.ids, *(e.id for e in examples)],
            [*old.texts, *(e.text for e in examples)],
            None if old.texts_b is None else [*old.texts_b, *(e.text_b or "" for e in examples)],
        )
        grown = Pool.of(self.task, columns)
        status = np.concatenate([self.status, np.zeros(len(examples), dtype=np.int8)])
        return replace(grown, status=status, generated_from=self.generated_from, annotations=self.annotations)

    def label(self, annotations: Sequence[Annotation]) -> "Pool":
        """U \\ {x} and L ∪ {(x, y)}: appends label events and moves their examples."""
        status, names = self.status.copy(), self.task.names
        for a in annotations:
            if a.example not in self.row:
                raise BadInput(f"a label names the unknown example {a.example!r}", "label only texts of this run")
            if a.answer.label is not None and a.answer.label not in names:
                known = ", ".join(names)
                raise BadInput(f"{a.example!r} is labelled {a.answer.label!r}, no label of the task", f"use {known}")
            status[self.row[a.example]] = _CODE[_status_after(a)]
        return replace(self, status=status, annotations=(*self.annotations, *annotations))

    def discard(self, ids: Sequence[str]) -> "Pool":
        """Takes examples out for good: bad text, duplicates, pruned."""
        status = self.status.copy()
        status[[self.row[id_] for id_ in ids]] = _CODE["discarded"]
        return replace(self, status=status)

    def labelled(self) -> Labelled:
        """L without the audit part, in row order."""
        return self._labelled

    @cached_property
    def _labelled(self) -> Labelled:
        rows = self.rows("labelled")
        columns = self.columns.take(rows)
        kept = [self._standing[id_] for id_ in columns.ids]
        human = np.asarray([a.provenance != "machine" for a in kept], dtype=np.bool_)
        return Labelled(columns, self.targets(kept), human, rows >= self.generated_from, self.machine(rows))

    def machine(self, rows: Rows) -> Floats:
        """(rows, classes): the LLM's calibrated probabilities where it labelled a row, nan elsewhere."""
        known, targets = self._machine
        place = np.full(len(self), -1, np.intp)
        place[rows] = np.arange(len(rows))
        at = place[known]
        out = np.full((len(rows), len(self.task.labels)), np.nan)
        out[at[at >= 0]] = targets[at >= 0]
        return out

    @cached_property
    def _machine(self) -> tuple[Rows, Floats]:
        """Rows that the LLM has labelled, and its latest probabilities of each."""
        said = [a for a in self.annotations if a.provenance == "machine" and a.answer.label is not None]
        latest = {self.row[a.example]: a for a in said}
        return np.asarray(list(latest), np.intp), self.targets(list(latest.values()))

    def targets(self, annotations: Sequence[Annotation]) -> Floats:
        """(annotations, classes): one-hot for a person, for the LLM its calibrated, else its raw probabilities."""
        column = {name: i for i, name in enumerate(self.task.names)}
        out = np.zeros((len(annotations), len(column)))
        for row, a in zip(out, annotations, strict=True):
            soft = None if a.provenance != "machine" else a.answer.calibrated or a.answer.raw
            if soft is not None:
                row[:] = [soft[name] for name in column]
            elif a.answer.label is not None:
                row[column[a.answer.label]] = 1.0
        return out

    def human_seconds(self) -> float:
        """Time of people so far."""
        return self._given.human_seconds

    def human_labels(self) -> int:
        """People's labels so far, counted from what each one cost, so that none escapes the budget."""
        return self._given.human_labels

    @cached_property
    def _given(self) -> Cost:
        costs = [a.cost for a in self.annotations]
        return Cost(human_labels=sum(c.human_labels for c in costs), human_seconds=sum(c.human_seconds for c in costs))


def _status_after(a: Annotation) -> Status:
    if a.use == "discard":
        return "discarded"
    if a.answer.label is None:
        return "abstained"
    return "audit" if a.use == "audit" else "labelled"
