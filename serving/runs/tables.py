"""Reading the user's files: a task file, and texts as CSV, JSONL or Parquet. Everything wrong is said in one line."""

import csv
import hashlib
import io
import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from agent.domain import Task
from agent.errors import BadInput
from agent.protocols import Columns

MOST_CHARACTERS = 100_000
"""Of one line or one text. A longer one is a sign of a broken file, and no student reads it whole."""

Row = dict[str, object]


@dataclass(frozen=True)
class Table:
    """Texts with what was known about them. `gold` holds a label for each row whose label cell is filled."""

    columns: Columns
    gold: dict[str, str]
    path: Path

    @property
    def digest(self) -> str:
        """SHA-256 over ids, texts and labels."""
        state = hashlib.sha256()
        for i, id_ in enumerate(self.columns.ids):
            b = self.columns.texts_b[i] if self.columns.texts_b else ""
            state.update("\x1f".join([id_, self.columns.texts[i], b, self.gold.get(id_, ""), "\x1e"]).encode())
        return state.hexdigest()


def read_task(path: Path) -> Task:
    """A task from a TOML file: `name`, `item`, `guidelines`, and a `[[labels]]` table for each label."""
    try:
        return Task.model_validate(tomllib.loads(_text(path)))
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
    rows = list(_rows(path))
    if not rows:
        raise BadInput(f"{path} holds no texts", "give a file with at least one row")
    found = set[str]().union(*(row.keys() for row in rows))
    if text not in found:
        raise BadInput(f"{path} has no column {text!r}", f"it has {', '.join(sorted(found))}; name one with --text")
    ids = [_id(path, n, row, id_) if id_ in found else f"{path.stem}-{n}" for n, row in enumerate(rows, 1)]
    _unique(path, ids)
    texts = [_cell(path, n, row, text) for n, row in enumerate(rows, 1)]
    pairs = [_cell(path, n, row, text_b) for n, row in enumerate(rows, 1)] if text_b in found else None
    gold = {i: str(row[label]).strip() for i, row in zip(ids, rows, strict=True) if row.get(label) not in (None, "")}
    _known(path, gold, task)
    return Table(Columns(ids, texts, pairs), gold, path)


def read_cells(path: Path) -> list[dict[str, str]]:
    """A CSV file of ours as it stands, empty cells as empty strings."""
    return [{key: str(value or "") for key, value in row.items()} for row in _delimited(path, ",")]


def _rows(path: Path) -> Iterator[Row]:
    match path.suffix.lower():
        case ".csv" | ".tsv":
            yield from _delimited(path, "\t" if path.suffix.lower() == ".tsv" else ",")
        case ".jsonl" | ".ndjson":
            yield from _jsonl(path)
        case ".parquet":
            yield from _parquet(path)
        case other:
            raise BadInput(f"{path} ends in {other!r}, no known table format", "give .csv, .tsv, .jsonl or .parquet")


def _delimited(path: Path, delimiter: str) -> Iterator[Row]:
    content = _text(path)
    for n, line in enumerate(content.splitlines(), 1):
        _bounded(path, n, line)
    reader = csv.DictReader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    try:
        _header(path, reader.fieldnames or ())
        for n, row in enumerate(reader, 1):
            if None in row:
                raise BadInput(f"{path} row {n} has more cells than the header", "quote texts that hold the delimiter")
            if None in row.values():
                raise BadInput(f"{path} row {n} has fewer cells than the header", "leave cells empty, not out")
            yield dict(row)
    except csv.Error as error:
        raise BadInput(
            f"{path} line {reader.line_num} is not valid CSV: {error}", "quote texts that hold quotes"
        ) from error


def _jsonl(path: Path) -> Iterator[Row]:
    for n, line in enumerate(_text(path).split("\n"), 1):
        if not line.strip():
            continue
        _bounded(path, n, line)
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:  # also numbers and nestings beyond what Python reads
            raise BadInput(f"{path} line {n} is not valid JSON: {error}", "write one JSON object a line") from error
        if not isinstance(row, dict):
            raise BadInput(f"{path} line {n} is not a JSON object: {_short(line)}", "write one JSON object a line")
        yield {str(key): value for key, value in row.items()}


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    _exists(path)
    try:
        rows = pq.read_table(path).to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = next(iter(str(error).splitlines()), "")
        raise BadInput(f"{path} is not a readable Parquet file: {reason}", "write it again") from error
    yield from ({str(key): value for key, value in row.items()} for row in rows)


def _text(path: Path) -> str:
    _exists(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", "check its permissions") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        bad = error.object[error.start]
        raise BadInput(f"{path} line {line} is not UTF-8 (byte 0x{bad:02x})", "save the file as UTF-8") from error


def _exists(path: Path) -> None:
    if not path.is_file():
        raise BadInput(f"there is no file {path}", "check the path")


def _bounded(path: Path, n: int, text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise BadInput(f"{path} line {n} is {len(text):,} characters long", f"keep texts under {MOST_CHARACTERS:,}")


def _header(path: Path, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(f"{path} has two columns {twice[0]!r}", "give every column a name of its own")


def _id(path: Path, n: int, row: Row, column: str) -> str:
    value = row.get(column)
    text = "" if value is None else str(value)
    if not text.strip():
        raise BadInput(f"{path} row {n}: column {column!r} is empty", "give every text an id, or leave the column out")
    return _encodable(path, n, column, text)


def _cell(path: Path, n: int, row: Row, column: str) -> str:
    value = row.get(column)
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"{path} row {n}: column {column!r} is {_short(value)}, no text", "fill it or take the row out")
    _bounded(path, n, value)
    return _encodable(path, n, column, value)


def _encodable(path: Path, n: int, column: str, text: str) -> str:
    """Half of a surrogate pair, which JSON can spell, is no character and cannot be written anywhere."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        what = f"{path} row {n}: column {column!r} holds {text[error.start]!r}, half a character"
        raise BadInput(what, "save the file as UTF-8 again from its source") from error
    return text


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _unique(path: Path, ids: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for n, id_ in enumerate(ids, 1):
        if id_ in first:
            raise BadInput(
                f"{path}: id {id_!r} stands in rows {first[id_]} and {n}", "give every text an id of its own"
            )
        first[id_] = n


def _known(path: Path, gold: dict[str, str], task: Task) -> None:
    for id_, label in gold.items():
        if label not in task.names:
            raise BadInput(
                f"{path}: {id_!r} is labelled {_short(label)}, no label of the task",
                f"use one of {', '.join(task.names)}",
            )
