"""The two tables of uploaded texts, and what a row of each is outside the database."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from serving.database import metadata

datasets = Table(
    "datasets",
    metadata,
    Column("key", Integer, primary_key=True, autoincrement=True),
    Column("id", String(80), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("rows", Integer, nullable=False, default=0),
    Column("pairs", Boolean, nullable=False, default=False),
    Column("labelled", Integer, nullable=False, default=0),
    Column("columns", Text, nullable=False, default="[]"),
    Column("bytes", BigInteger, nullable=False, default=0),
    Column("created", String(32), nullable=False),
    sqlite_autoincrement=True,  # the number of an upload that was given up must not become another's
)
examples = Table(
    "examples",
    metadata,
    Column("dataset", Integer, ForeignKey("datasets.key"), primary_key=True),
    Column("row", Integer, primary_key=True),
    Column("id", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("text_b", Text),
    Column("label", Text, nullable=False, default=""),
    Column("meta", Text, nullable=False, default=""),
    UniqueConstraint("dataset", "id"),
)


@dataclass(frozen=True)
class DataSet:
    """What is known of an upload."""

    id: str
    """SHA-256 over ids, texts, labels and other columns: equal content is one data set."""
    name: str
    rows: int
    pairs: bool
    labelled: int
    """Rows with a label. Whether a task has these labels is looked at when a run is made."""
    columns: tuple[str, ...]
    bytes: int
    """Of the texts, as UTF-8."""
    created: str


@dataclass(frozen=True)
class Stored:
    """One text of a data set."""

    row: int
    """From 1."""
    id: str
    text: str
    text_b: str | None
    label: str
    """Empty where there is none."""
    meta: dict[str, Any]
    """The other columns."""


def data_set(row: Any) -> DataSet:
    columns = tuple(json.loads(row.columns))
    return DataSet(row.id, row.name, row.rows, row.pairs, row.labelled, columns, row.bytes, row.created)


def stored(row: Any) -> Stored:
    return Stored(row.row, row.id, row.text, row.text_b, row.label, json.loads(row.meta) if row.meta else {})
