"""Data sets: texts that were uploaded once, in the database, for any number of runs.

An upload is written in parts, each a short transaction, under a number of its own. It becomes a data set in the last
one; until then nobody sees it, and what a broken upload leaves is taken away.
"""

import hashlib
import itertools
import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Engine,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    select,
)
from sqlalchemy.exc import IntegrityError

from agent.errors import BadInput, StoreError
from serving.database import create_tables, metadata, reading, writing
from serving.runs import tables
from serving.runs.entries import Entries, Entry, Names
from serving.runs.formats import Row, short

T = TypeVar("T")
_PART = 2000
_ASKED = 500
ABANDONED = timedelta(hours=1)
"""An upload that has written nothing for so long is dead: its process was killed."""
_UNDER_WAY = "~"

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


class NoDataSet(BadInput):
    """There is none of this id."""


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


@dataclass
class _Tally:
    """What an upload adds up to while it arrives."""

    digest: Any = field(default_factory=hashlib.sha256)
    rows: int = 0
    pairs: bool = False
    labelled: int = 0
    bytes: int = 0

    def add(self, entry: Entry) -> None:
        b = entry.text_b or ""
        # Without other columns this is the digest of `tables.Table`.
        self.digest.update(tables.fingerprint(entry.id, entry.text, b, entry.label, *filter(None, [entry.meta])))
        self.rows += 1
        self.pairs = entry.text_b is not None
        self.labelled += bool(entry.label)
        self.bytes += len(entry.text.encode()) + len(b.encode())


class DataSets:
    """Data sets by id. Any number of processes may hold one."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        create_tables(engine, datasets, examples)

    def add(
        self, rows: Iterable[Row], name: str, *, names: Names | None = None, most: int = 0, where: str = "the data"
    ) -> DataSet:
        """Keeps rows as they arrive, whole or not at all; memory does not grow with their number.

        The data set that is there already is returned where the content is equal, with the name that it has.

        Args:
            rows: each with `text` and perhaps `id`, `text_b`, `label` and others (`names` says which is which).
            most: rows at most; 0: any number.

        Raises:
            BadInput: what `Entries` refuses, an id twice, or too many rows.
            StoreError: the database cannot be written.
        """
        self.sweep()
        tally, entries = _Tally(), Entries(rows, where, "row", names or Names(), meta=True)
        key = self._begin(name)
        try:
            for part in _parts(enumerate(entries, 1), _PART):
                if most and part[-1][0] > most:
                    raise BadInput(
                        f"{where} has more than {most:,} rows", "upload it in parts, or raise THRESHER_ITEMS"
                    )
                for _, entry in part:
                    tally.add(entry)
                self._write(key, part, where)
            return self._finish(key, tally, tuple(entries.columns))
        except BaseException:
            self._remove(key)
            raise

    def get(self, id_: str) -> DataSet:
        """Raises NoDataSet where there is none of this id."""
        with reading(self.engine) as connection:
            return _data_set(_known(connection, id_))

    def list(self, limit: int = 50, after: str | None = None) -> list[DataSet]:
        """The newest first; `after` is the last id of the page before."""
        query = select(datasets).where(~_unfinished()).order_by(datasets.c.key.desc()).limit(limit)
        with reading(self.engine) as connection:
            if after is not None:
                query = query.where(datasets.c.key < _known(connection, after).key)
            return [_data_set(row) for row in connection.execute(query)]

    def table(self, id_: str) -> tables.Table:
        """All texts, as a run takes them. Raises NoDataSet."""
        with reading(self.engine) as connection:
            found = _known(connection, id_)
            c = examples.c
            query = select(c.id, c.text, c.text_b, c.label).where(c.dataset == found.key).order_by(c.row)
            entries = [Entry(row.id, row.text, row.text_b, row.label, "") for row in connection.execute(query)]
        return tables.table_of(entries, Path(f"data set {found.name or found.id[:12]}"))

    def examples(self, id_: str, offset: int = 0, limit: int = 50) -> Sequence[Stored]:
        """Texts in the order of the file, from row `offset + 1` on. Raises NoDataSet."""
        with reading(self.engine) as connection:
            key = _known(connection, id_).key
            within = (examples.c.dataset == key) & (examples.c.row > offset) & (examples.c.row <= offset + limit)
            return [_stored(row) for row in connection.execute(select(examples).where(within).order_by(examples.c.row))]

    def texts(self, id_: str, ids: Iterable[str]) -> dict[str, Stored]:
        """Texts by their ids; ids that the data set does not have are left out. Raises NoDataSet."""
        found: dict[str, Stored] = {}
        with reading(self.engine) as connection:
            key = _known(connection, id_).key
            for some in _parts(ids, _ASKED):
                query = select(examples).where(examples.c.dataset == key, examples.c.id.in_(some))
                found.update((row.id, _stored(row)) for row in connection.execute(query))
        return found

    def sweep(self) -> None:
        """Takes away what uploads left whose process was killed."""
        dead = datasets.c.created < _moment(datetime.now(UTC) - ABANDONED)
        with reading(self.engine) as connection:
            keys = connection.execute(select(datasets.c.key).where(_unfinished(), dead)).scalars().all()
        for key in keys:
            self._remove(key)

    def _begin(self, name: str) -> int:
        with writing(self.engine) as connection:
            row = {"id": f"{_UNDER_WAY}{uuid.uuid4().hex}", "name": name, "created": _moment(datetime.now(UTC))}
            key = connection.execute(datasets.insert().values(row)).inserted_primary_key
        assert key is not None
        return int(key[0])

    def _write(self, key: int, part: Sequence[tuple[int, Entry]], where: str) -> None:
        rows = [{"dataset": key, "row": n, **entry._asdict()} for n, entry in part]
        try:
            with writing(self.engine) as connection:
                alive = datasets.update().where(datasets.c.key == key).values(created=_moment(datetime.now(UTC)))
                if not connection.execute(alive).rowcount:
                    raise StoreError("this upload was given up: nothing had come for an hour", "send it again")
                connection.execute(examples.insert(), rows)
        except IntegrityError as error:
            raise self._twice(key, part, where) from error

    def _twice(self, key: int, part: Sequence[tuple[int, Entry]], where: str) -> BadInput:
        """Which id stands in two rows."""
        first: dict[str, int] = {}
        with reading(self.engine) as connection:
            for some in _parts((entry.id for _, entry in part), _ASKED):
                query = select(examples.c.id, examples.c.row).where(examples.c.dataset == key, examples.c.id.in_(some))
                first.update((row.id, row.row) for row in connection.execute(query))
        for n, entry in part:
            if first.setdefault(entry.id, n) != n:
                what = f"{where}: id {entry.id!r} stands in rows {first[entry.id]} and {n}"
                return BadInput(what, "give every text an id of its own")
        raise AssertionError("a row that cannot be stored, with an id of its own")

    def _finish(self, key: int, tally: _Tally, columns: Sequence[str]) -> DataSet:
        id_ = tally.digest.hexdigest()
        values = {
            "id": id_,
            "rows": tally.rows,
            "pairs": tally.pairs,
            "labelled": tally.labelled,
            "columns": json.dumps(columns),
            "bytes": tally.bytes,
            "created": _moment(datetime.now(UTC)),
        }
        try:
            with writing(self.engine) as connection:
                connection.execute(datasets.update().where(datasets.c.key == key).values(values))
        except IntegrityError:  # it is there already
            self._remove(key)
        return self.get(id_)

    def _remove(self, key: int) -> None:
        last = select(func.max(examples.c.row)).where(examples.c.dataset == key)
        with reading(self.engine) as connection:
            rows = connection.execute(last).scalar_one() or 0
        for start in range(0, rows, 10 * _PART):  # in parts, so that nobody waits long for the database
            some = (examples.c.dataset == key) & (examples.c.row > start) & (examples.c.row <= start + 10 * _PART)
            with writing(self.engine) as connection:
                connection.execute(examples.delete().where(some))
        with writing(self.engine) as connection:
            connection.execute(datasets.delete().where(datasets.c.key == key))


def _known(connection: Connection, id_: str) -> Any:
    row = connection.execute(select(datasets).where(datasets.c.id == id_, ~_unfinished())).one_or_none()
    if row is None:
        raise NoDataSet(f"there is no data set {short(id_)}", "upload it: POST /v1/datasets")
    return row


def _unfinished() -> ColumnElement[bool]:
    return datasets.c.id.startswith(_UNDER_WAY)


def _data_set(row: Any) -> DataSet:
    columns = tuple(json.loads(row.columns))
    return DataSet(row.id, row.name, row.rows, row.pairs, row.labelled, columns, row.bytes, row.created)


def _stored(row: Any) -> Stored:
    return Stored(row.row, row.id, row.text, row.text_b, row.label, json.loads(row.meta) if row.meta else {})


def _parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    some = iter(items)
    while part := list(itertools.islice(some, size)):
        yield part


def _moment(when: datetime) -> str:
    return when.isoformat(timespec="microseconds")
