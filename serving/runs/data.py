"""Data sets: texts that were uploaded once, in the database, for any number of runs.

An upload is written in parts, each a short transaction, under a number of its own. It becomes a data set in the last
one; until then nobody sees it, and what a broken upload leaves is taken away.
"""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

from agent.errors import BadInput
from agent.protocols import Columns
from serving.database import reading
from serving.runs import tables, uploads
from serving.runs.data_tables import DataSet, Stored, data_set, datasets, examples, stored
from serving.runs.entries import Entries, Entry, Names
from serving.runs.formats import Row, short
from serving.runs.uploads import ASKED, PART, parts

_DIGEST = 64
"""Characters of an id."""


class NoDataSet(BadInput):
    """There is none of this id."""


class DataSets:
    """Data sets by id. Any number of processes may hold one."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

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
        uploads.sweep(self.engine)
        entries = Entries(rows, where, "row", names or Names(), meta=True)
        upload = uploads.Upload(self.engine, name.replace("\0", ""), where)
        try:
            for part in parts(enumerate(entries, 1), PART):
                if most and part[-1][0] > most:
                    what = f"{where} has more than {most:,} rows"
                    raise BadInput(what, "upload it in parts, or raise THRESHER_ITEMS")
                upload.write(part)
            id_ = upload.finish(tuple(entries.columns))
        except BaseException:
            upload.remove()
            raise
        return self.get(id_)

    def get(self, id_: str) -> DataSet:
        """Raises NoDataSet where there is none of this id."""
        with reading(self.engine) as connection:
            return data_set(_known(connection, id_))

    def list(self, limit: int = 50, after: str | None = None) -> list[DataSet]:
        """The newest first; `after` is the last id of the page before."""
        query = select(datasets).where(~uploads.unfinished()).order_by(datasets.c.key.desc()).limit(limit)
        with reading(self.engine) as connection:
            if after is not None:
                query = query.where(datasets.c.key < _known(connection, after).key)
            return [data_set(row) for row in connection.execute(query)]

    def table(self, id_: str) -> tables.Table:
        """All texts, as a run takes them. Raises NoDataSet."""
        with reading(self.engine) as connection:
            found = _known(connection, id_)
            c = examples.c
            query = select(c.id, c.text, c.text_b, c.label, c.meta).where(c.dataset == found.key).order_by(c.row)
            entries = [Entry(row.id, row.text, row.text_b, row.label, row.meta) for row in connection.execute(query)]
        return tables.table_of(entries, Path(f"data set {found.name or found.id[:12]}"))

    def examples(self, id_: str, offset: int = 0, limit: int = 50) -> Sequence[Stored]:
        """Texts in the order of the file, from row `offset + 1` on. Raises NoDataSet."""
        with reading(self.engine) as connection:
            key = _known(connection, id_).key
            within = (examples.c.dataset == key) & (examples.c.row > offset) & (examples.c.row <= offset + limit)
            return [stored(row) for row in connection.execute(select(examples).where(within).order_by(examples.c.row))]

    def texts(self, id_: str, ids: Iterable[str]) -> dict[str, Stored]:
        """Texts by their ids; ids that the data set does not have are left out. Raises NoDataSet."""
        found: dict[str, Stored] = {}
        with reading(self.engine) as connection:
            key = _known(connection, id_).key
            for some in parts((id_ for id_ in ids if "\0" not in id_), ASKED):
                query = select(examples).where(examples.c.dataset == key, examples.c.id.in_(some))
                found.update((row.id, stored(row)) for row in connection.execute(query))
        return found

    def sample(self, id_: str, n: int) -> Columns:
        """At most `n` random texts, the same ones each time, in the order of the file. Raises NoDataSet."""
        with reading(self.engine) as connection:
            found, some = _known(connection, id_), list[Stored]()
            drawn = random.Random(found.id).sample(range(1, found.rows + 1), min(n, found.rows))  # noqa: S311  no secret
            for part in parts(sorted(drawn), ASKED):
                query = select(examples).where(examples.c.dataset == found.key, examples.c.row.in_(part))
                some += [stored(row) for row in connection.execute(query.order_by(examples.c.row))]
        pairs = [each.text_b or "" for each in some] if found.pairs else None
        return Columns([each.id for each in some], [each.text for each in some], pairs)


def _known(connection: Connection, id_: str) -> Any:
    looks = len(id_) == _DIGEST and id_.isalnum()  # others never reach the database, which may not know their bytes
    row = connection.execute(select(datasets).where(datasets.c.id == id_)).one_or_none() if looks else None
    if row is None:
        raise NoDataSet(f"there is no data set {short(id_)}", "upload it: POST /v1/datasets")
    return row
