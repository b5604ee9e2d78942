"""The data sets of a study: brought, cleaned and split as their cards say, before anything runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.errors import BadInput
from agent.protocols import Columns
from evaluation.cards import card
from evaluation.datasets import DataCard, Fetcher, Row
from evaluation.split import SplitReport, prepare
from evaluation.study import Study
from serving.runs.tables import Table


@dataclass(frozen=True)
class DataSet:
    """One set of a study. Pool and test part are the same for every arm, student and shuffle."""

    card: DataCard
    pool: Table
    test: Table
    split: SplitReport


def data_set(study: Study, name: str, fetcher: Fetcher) -> DataSet:
    """The pool and the test part of one card.

    Raises:
        BadInput: there is no such card, it has too few rows, or its pool has a single label.
    """
    known = card(name)
    part = None if study.part == "all" else study.part
    parts = prepare(known, fetcher, pool=study.pool, test=study.test, seed=study.split_seed, part=part)
    if len(parts.report.pool_labels) < 2:
        raise BadInput(f"the pool of {name!r} has a single label", "take a larger pool, or another split_seed")
    return DataSet(known, _table(name, parts.pool), _table(name, parts.test), parts.report)


def _table(name: str, rows: Sequence[Row]) -> Table:
    pairs = any(row.text_b is not None for row in rows)
    columns = Columns(
        [row.id for row in rows],
        [row.text for row in rows],
        [row.text_b or "" for row in rows] if pairs else None,
    )
    return Table(columns, {row.id: row.label for row in rows}, Path(name))
