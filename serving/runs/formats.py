"""Rows out of CSV, TSV, JSONL and Parquet as their bytes arrive: a file or an upload of any length, in flat memory."""

import codecs
import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from agent.errors import BadInput
from serving.runs.parquet import parquet_rows, spooled

MOST_CHARACTERS = 100_000
"""Of one line or one text. A longer one is a sign of a broken file, and no student reads it whole."""
MOST_OF_A_ROW = 10 * MOST_CHARACTERS
"""Characters of a row that spans several lines."""
_PIECE = 1 << 16

Row = dict[str, object]
Format = Literal["csv", "tsv", "jsonl", "parquet"]
ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


def file_rows(path: Path) -> Iterator[Row]:
    """The rows of a file, by its ending. Raises BadInput naming file, place and value."""
    kind = ENDINGS.get(path.suffix.lower())
    if kind is None:
        what = f"{path} ends in {path.suffix.lower()!r}, no known table format"
        raise BadInput(what, "give .csv, .tsv, .jsonl or .parquet")
    if not path.is_file():
        raise BadInput(f"there is no file {path}", "check the path")
    if kind == "parquet":
        yield from parquet_rows(path, str(path), MOST_OF_A_ROW)
    else:
        yield from text_rows(file_bytes(path), kind, str(path))


def stream_rows(chunks: Iterable[bytes], kind: Format, where: str) -> Iterator[Row]:
    """The rows of what arrives in pieces; `where` names it in errors.

    Parquet has its directory at the end: it is kept in an unnamed temporary file first.
    """
    if kind == "parquet":
        with spooled(chunks) as file:
            yield from parquet_rows(file, where, MOST_OF_A_ROW)
    else:
        yield from text_rows(chunks, kind, where)


def text_rows(chunks: Iterable[bytes], kind: Literal["csv", "tsv", "jsonl"], where: str) -> Iterator[Row]:
    """CSV and TSV with a header line, or one JSON object a line."""
    if kind == "jsonl":
        return _jsonl(chunks, where)
    return _delimited(chunks, "\t" if kind == "tsv" else ",", where)


def file_bytes(path: Path) -> Iterator[bytes]:
    """The bytes of a file. Raises BadInput where it is not there or cannot be read."""
    if not path.is_file():
        raise BadInput(f"there is no file {path}", "check the path")
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", "check its permissions") from error


def decoded(chunks: Iterable[bytes], where: str) -> Iterator[str]:
    """Bytes as text, a byte-order mark left out. Raises BadInput with line and byte where they are not UTF-8."""
    decoder, line = codecs.getincrementaldecoder("utf-8-sig")(), 1
    try:
        for chunk in chunks:
            for start in range(0, len(chunk), _PIECE):
                piece = chunk[start : start + _PIECE]
                yield decoder.decode(piece)
                line += piece.count(b"\n")
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        line += error.object[: error.start].count(b"\n")
        what = f"{where} line {line} is not UTF-8 (byte 0x{error.object[error.start]:02x})"
        raise BadInput(what, "save the file as UTF-8") from error


def _lines(chunks: Iterable[bytes], where: str, newline: Literal["", "\n"]) -> Iterator[str]:
    """Lines with their ends, none longer than MOST_CHARACTERS; with newline "" a `\\r` ends one too."""
    n, rest, pieces = 1, "", decoded(chunks, where)
    for piece in pieces:
        found = io.StringIO(rest + piece, newline=newline).readlines()
        # What follows a "\r" at the end of a piece may be its "\n".
        rest = found.pop() if found and not found[-1].endswith("\n") else ""
        for n, line in enumerate(found, n):  # noqa: B020 - it counts on from where it was
            bounded(f"{where} line {n}", line.rstrip("\r\n") if len(line) > MOST_CHARACTERS else "")
            yield line
        n += bool(found)
        if len(rest) > MOST_CHARACTERS:
            bounded(f"{where} line {n}", rest, _length_of_rest(pieces))
    if rest:
        bounded(f"{where} line {n}", rest)
        yield rest


def _length_of_rest(pieces: Iterator[str]) -> int:
    """How far a line goes on whose beginning was seen, without keeping it."""
    length = 0
    for piece in pieces:
        head, end, _ = piece.partition("\n")
        length += len(head)
        if end:
            break
    return length


def bounded(where: str, text: str, more: int = 0) -> None:
    """Raises BadInput where a text, with `more` characters that follow it, is too long."""
    if len(text) + more > MOST_CHARACTERS:
        what = f"{where} is {len(text) + more:,} characters long"
        raise BadInput(what, f"keep texts under {MOST_CHARACTERS:,}")


class _Fed:
    """Lines for a CSV reader, which may take any number of them for one row: here they are bounded."""

    def __init__(self, lines: Iterator[str], where: str) -> None:
        self._lines, self._where, self.taken = lines, where, 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.taken += len(line)
        if self.taken > MOST_OF_A_ROW:
            what = f"{self._where} has a row of more than {MOST_OF_A_ROW:,} characters"
            raise BadInput(what, "close the quotes, or keep rows short")
        return line


def _delimited(chunks: Iterable[bytes], delimiter: str, where: str) -> Iterator[Row]:
    fed = _Fed(_lines(chunks, where, ""), where)
    reader, begun = csv.DictReader(fed, delimiter=delimiter, strict=True), 1
    try:
        _header(where, reader.fieldnames or ())
        begun = reader.line_num + 1
        for n, row in enumerate(reader, 1):
            if None in row:
                raise BadInput(f"{where} row {n} has more cells than the header", "quote texts that hold the delimiter")
            if None in row.values():
                raise BadInput(f"{where} row {n} has fewer cells than the header", "leave cells empty, not out")
            fed.taken, begun = 0, reader.line_num + 1
            yield dict(row)
    except csv.Error as error:
        row = f"{where}: the row that begins in line {begun}"
        if "field limit" in str(error):  # the reader's own bound lies a little above ours
            what = f"{row} has a cell of more than {csv.field_size_limit():,} characters"
            raise BadInput(what, f"close its quotes, or keep texts under {MOST_CHARACTERS:,}") from error
        what = f"{row} is not valid CSV: {error}"
        raise BadInput(what, "close its quotes, and double quotes that belong to a text") from error


def _header(where: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(f"{where} has two columns {twice[0]!r}", "give every column a name of its own")


def _jsonl(chunks: Iterable[bytes], where: str) -> Iterator[Row]:
    for n, line in enumerate(_lines(chunks, where, "\n"), 1):
        if not line.strip():
            continue
        line = line.rstrip("\n")
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:  # also numbers and nestings beyond what Python reads
            raise BadInput(f"{where} line {n} is not valid JSON: {error}", "write one JSON object a line") from error
        if not isinstance(row, dict):
            raise BadInput(f"{where} line {n} is not a JSON object: {short(line)}", "write one JSON object a line")
        yield {str(key): value for key, value in row.items()}


def short(value: object) -> str:
    """A value as it is shown in an error."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
