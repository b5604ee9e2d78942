"""Writing an upload: in parts, each a short transaction, seen by nobody before the last one."""

import hashlib
import itertools
import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Engine, func, select
from sqlalchemy.exc import IntegrityError

from agent.errors import BadInput, StoreError
from serving.database import reading, writing
from serving.runs import tables
from serving.runs.data_tables import datasets, examples
from serving.runs.entries import Entry

T = TypeVar("T")
PART = 2000
ASKED = 500
ABANDONED = timedelta(hours=1)
"""An upload that has written nothing for so long is dead: its process was killed."""
_UNDER_WAY = "~"


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


class Upload:
    """An upload under a number of its own. It ends with `finish` or `remove`."""

    def __init__(self, engine: Engine, name: str, where: str) -> None:
        self._engine, self._where, self._tally = engine, where, _Tally()
        self._key = self._begin(name)

    def _begin(self, name: str) -> int:
        with writing(self._engine) as connection:
            row = {"id": f"{_UNDER_WAY}{uuid.uuid4().hex}", "name": name, "created": _moment(datetime.now(UTC))}
            key = connection.execute(datasets.insert().values(row)).inserted_primary_key
        assert key is not None
        return int(key[0])

    def write(self, part: Sequence[tuple[int, Entry]]) -> None:
        """Some rows with their numbers. Raises BadInput where an id stands in two rows."""
        rows = [{"dataset": self._key, "row": n, **entry._asdict()} for n, entry in part]
        try:
            with writing(self._engine) as connection:
                alive = datasets.update().where(datasets.c.key == self._key).values(created=_moment(datetime.now(UTC)))
                _seen(connection.execute(alive).rowcount)
                connection.execute(examples.insert(), rows)
        except IntegrityError as error:
            raise self._twice(part) from error
        for _, entry in part:
            self._tally.add(entry)

    def _twice(self, part: Sequence[tuple[int, Entry]]) -> BadInput:
        """Which id stands in two rows."""
        first: dict[str, int] = {}
        with reading(self._engine) as connection:
            for some in parts((entry.id for _, entry in part), ASKED):
                query = select(examples.c.id, examples.c.row).where(
                    examples.c.dataset == self._key, examples.c.id.in_(some)
                )
                first.update((row.id, row.row) for row in connection.execute(query))
        for n, entry in part:
            if first.setdefault(entry.id, n) != n:
                what = f"{self._where}: id {entry.id!r} stands in rows {first[entry.id]} and {n}"
                return BadInput(what, "give every text an id of its own")
        raise AssertionError("a row that cannot be stored, with an id of its own")

    def finish(self, columns: Sequence[str]) -> str:
        """Makes it a data set, unless there is an equal one; its id."""
        tally = self._tally
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
            with writing(self._engine) as connection:
                done = datasets.update().where(datasets.c.key == self._key).values(values)
                _seen(connection.execute(done).rowcount)
        except IntegrityError:  # it is there already
            self.remove()
        return id_

    def remove(self) -> None:
        """Takes away what is there of it."""
        _remove(self._engine, self._key)


def sweep(engine: Engine) -> None:
    """Takes away what uploads left whose process was killed."""
    dead = datasets.c.created < _moment(datetime.now(UTC) - ABANDONED)
    with reading(engine) as connection:
        keys = connection.execute(select(datasets.c.key).where(unfinished(), dead)).scalars().all()
    for key in keys:
        _remove(engine, key)


def unfinished() -> ColumnElement[bool]:
    return datasets.c.id.startswith(_UNDER_WAY)


def parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    some = iter(items)
    while part := list(itertools.islice(some, size)):
        yield part


def _remove(engine: Engine, key: int) -> None:
    last = select(func.max(examples.c.row)).where(examples.c.dataset == key)
    with reading(engine) as connection:
        rows = connection.execute(last).scalar_one() or 0
    for start in range(0, rows, 10 * PART):  # in parts, so that nobody waits long for the database
        some = (examples.c.dataset == key) & (examples.c.row > start) & (examples.c.row <= start + 10 * PART)
        with writing(engine) as connection:
            connection.execute(examples.delete().where(some))
    with writing(engine) as connection:
        connection.execute(datasets.delete().where(datasets.c.key == key))


def _seen(rows: int) -> None:
    if not rows:
        raise StoreError("this upload was given up: nothing had come for an hour", "send it again")


def _moment(when: datetime) -> str:
    return when.isoformat(timespec="microseconds")
