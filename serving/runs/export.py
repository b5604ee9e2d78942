"""Labels as JSONL, CSV or Parquet, written as they are read: any number of rows in flat memory.

JSONL and Parquet keep every value as it is. CSV is for spreadsheets, and those run a cell that begins with one of
`= + - @`, a tab or a carriage return as a formula, with whatever the writer of a text put there. Such a cell gets an
apostrophe in front, and so does one that has apostrophes before such a sign, so that `unguarded` undoes it exactly.
"""

import csv
import io
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

Kind = Literal["text", "number", "json"]
ExportFormat = Literal["jsonl", "csv", "parquet"]
LABELS: Mapping[str, Kind] = {
    "id": "text",
    "text": "text",
    "text_b": "text",
    "label": "text",
    "confidence": "number",
    "provenance": "text",
    "by": "text",
    "origin": "text",
    "history": "json",
}
"""Columns of an export of labels, as `labels.jsonl` names them."""
MEDIA: Mapping[ExportFormat, str] = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
_GROUP = 5000
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def write_jsonl(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """One JSON object a line, every value as it is."""
    for row in rows:
        # Half a character, which an LLM's answer can hold, becomes its JSON escape.
        yield (json.dumps(row, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def write_csv(
    rows: Iterable[Mapping[str, Any]], columns: Mapping[str, Kind] = LABELS, *, guard: bool = True
) -> Iterator[bytes]:
    """A header line and the named columns; nothing is an empty cell, lists and objects are JSON.

    Args:
        guard: whether cells that a spreadsheet would run get an apostrophe.
    """
    shown: dict[Kind, Callable[[Any], str]] = {"text": guarded if guard else str, "number": repr, "json": _json}
    yield _line(columns)
    for row in rows:
        values = ((row.get(name), shown[kind]) for name, kind in columns.items())
        yield _line("" if value is None else show(value) for value, show in values)


def write_parquet(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, Kind] = LABELS) -> Iterator[bytes]:
    """The named columns, a row group for some thousand rows; lists and objects are JSON texts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"text": pa.string(), "number": pa.float64(), "json": pa.string()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
    sink, some = _Sink(), iter(rows)
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        while group := list(itertools.islice(some, _GROUP)):
            cells = {name: [_cell(row.get(name), kind) for row in group] for name, kind in columns.items()}
            writer.write_table(pa.table(cells, schema))
            yield sink.taken()
    yield sink.taken()


def write(rows: Iterable[Mapping[str, Any]], format_: ExportFormat) -> Iterator[bytes]:
    """Rows in one of the formats, piece by piece."""
    match format_:
        case "jsonl":
            return write_jsonl(rows)
        case "csv":
            return write_csv(rows)
        case "parquet":
            return write_parquet(rows)


def guarded(text: str) -> str:
    """A cell that no spreadsheet runs."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(cell: str) -> str:
    """What `guarded` was given."""
    return cell[1:] if _GUARDED.match(cell) else cell


def _line(cells: Iterable[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(list(cells))
    return out.getvalue().encode(errors="replace")


def _cell(value: Any, kind: Kind) -> Any:
    if value is None:
        return None
    match kind:
        case "text":
            return str(value).encode(errors="replace").decode()
        case "number":
            return float(value)
        case "json":
            return _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace").decode()


class _Sink(io.RawIOBase):
    """A file whose content is taken away as it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._parts.append(bytes(data))
        self._at += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        return self._at

    def taken(self) -> bytes:
        """What came since the last time."""
        found = b"".join(self._parts)
        self._parts.clear()
        return found
