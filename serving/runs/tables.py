"""Reading the user's files: a task file, and texts as CSV, JSONL or Parquet. Everything wrong is said in one line."""

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from agent.domain import Task
from agent.errors import BadInput
from agent.protocols import Columns
from serving.runs.entries import Entries, Entry, Names
from serving.runs.formats import MOST_CHARACTERS, Row, decoded, file_bytes, file_rows, short, text_rows

__all__ = ["MOST_CHARACTERS", "Row", "Table", "check_labels", "read_cells", "read_table", "read_task", "table_of"]


@dataclass(frozen=True)
class Table:
    """Texts with what was known about them. `gold` holds a label for each row whose label cell is filled."""

    columns: Columns
    gold: dict[str, str]
    path: Path
    meta: dict[str, str] = field(default_factory=dict[str, str])
    """The other columns by id, each text's as one JSON object; only of texts that have some."""

    @property
    def digest(self) -> str:
        """SHA-256 over ids, texts and labels."""
        state = hashlib.sha256()
        for i, id_ in enumerate(self.columns.ids):
            b = self.columns.texts_b[i] if self.columns.texts_b else ""
            state.update(fingerprint(id_, self.columns.texts[i], b, self.gold.get(id_, "")))
        return state.hexdigest()


_SEPARATORS = str.maketrans({"\x10": "\x10\x10", "\x1e": "\x10r", "\x1f": "\x10c"})


def fingerprint(*cells: str) -> bytes:
    """What one row adds to a digest. No cell can pass for two."""
    if not "".join(cells).isprintable():  # most texts hold no separator, and are spared the search for it
        cells = tuple(cell.translate(_SEPARATORS) for cell in cells)
    return "\x1f".join([*cells, "\x1e"]).encode()


def read_task(path: Path) -> Task:
    """A task from a TOML file: `name`, `item`, `guidelines`, and a `[[labels]]` table for each label."""
    try:
        return Task.model_validate(tomllib.loads("".join(decoded(file_bytes(path), str(path)))))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path} is not valid TOML: {error}", "see the task file in the README") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the task"
        message = first["msg"].removeprefix("Value error, ")
        raise BadInput(f"{path}: {where}: {message}", "see the task file in the README") from error


def read_table(
    path: Path, task: Task, *, text: str = "text", text_b: str = "text_b", label: str = "label", id_: str = "id"
) -> Table:
    """Texts of a file, by its ending: .csv, .tsv, .jsonl, .ndjson or .parquet.

    Without an id column, ids are made from row numbers. Raises BadInput naming file, row and value for a missing
    column, an empty file or text, a repeated id, an unknown label, a text or line over MOST_CHARACTERS, or bytes that
    are not UTF-8.
    """
    names = Names(text, text_b, label, id_)
    entries = list(Entries(file_rows(path), str(path), path.stem, names, meta=True))
    _unique(path, [entry.id for entry in entries])
    table = table_of(entries, path)
    check_labels(table, task)
    return table


def table_of(entries: Sequence[Entry], path: Path) -> Table:
    """Checked rows as columns. `path` is what they are called in errors."""
    pairs = [entry.text_b or "" for entry in entries] if entries and entries[0].text_b is not None else None
    columns = Columns([entry.id for entry in entries], [entry.text for entry in entries], pairs)
    gold = {entry.id: entry.label for entry in entries if entry.label}
    return Table(columns, gold, path, {entry.id: entry.meta for entry in entries if entry.meta})


def read_cells(path: Path) -> list[dict[str, str]]:
    """A CSV file of ours as it stands, empty cells as empty strings."""
    rows = text_rows(file_bytes(path), "csv", str(path))
    return [{key: str(value or "") for key, value in row.items()} for row in rows]


def check_labels(table: Table, task: Task) -> None:
    """Raises BadInput, naming id and label, where a text has a label that the task does not have."""
    for id_, label in table.gold.items():
        if label not in task.names:
            what = f"{table.path}: {id_!r} is labelled {short(label)}, no label of the task"
            raise BadInput(what, f"use one of {', '.join(task.names)}")


def _unique(path: Path, ids: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for n, id_ in enumerate(ids, 1):
        if id_ in first:
            raise BadInput(
                f"{path}: id {id_!r} stands in rows {first[id_]} and {n}", "give every text an id of its own"
            )
        first[id_] = n
