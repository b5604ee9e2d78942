"""One row of the user's as one text: what must be there, what may be, and every refusal in one line."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from agent.errors import BadInput
from serving.runs.formats import MOST_CHARACTERS, Row, bounded, short

MOST_OF_AN_ID = 400
"""Characters. Longer ones fit no index of a database."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=str)


class Entry(NamedTuple):
    """A text with what was known about it."""

    id: str
    text: str
    text_b: str | None
    label: str
    """Empty where there is none."""
    meta: str
    """The other columns as a JSON object; empty where there are none or nobody asked for them."""


@dataclass(frozen=True)
class Names:
    """Which columns are meant."""

    text: str = "text"
    text_b: str = "text_b"
    label: str = "label"
    id: str = "id"
    how: str = "--text"
    """How the user names another text column."""


class Entries:
    """Rows checked one by one; uniqueness of ids is left to whoever keeps them.

    Args:
        where: names the rows in errors.
        stem: without an id column, ids are made from it and row numbers.
        meta: whether the other columns are kept.

    Iterating raises BadInput naming row, column and value. `columns` is what was found so far.
    """

    def __init__(self, rows: Iterable[Row], where: str, stem: str, names: Names, *, meta: bool = False) -> None:
        self._rows, self._where, self._stem, self._names, self._meta = rows, where, stem, names, meta
        self.columns: dict[str, None] = {}
        self._without: dict[str, int] = {}  # the first row that lacks a column which all rows have or none

    def __iter__(self) -> Iterator[Entry]:
        names, n = self._names, 0
        for n, row in enumerate(self._rows, 1):
            self.columns.update(dict.fromkeys(row))
            if n == 1 and names.text not in row:
                hint = f"it has {', '.join(sorted(row))}; name one with {names.how}"
                raise BadInput(f"{self._where} has no column {names.text!r}", hint)
            id_ = self._id(n, row) if self._has(n, row, names.id) else f"{self._stem}-{n}"
            text = self._cell(n, row, names.text)
            pair = self._cell(n, row, names.text_b) if self._has(n, row, names.text_b) else None
            yield Entry(id_, text, pair, self._label(n, row), self._others(n, row) if self._meta else "")
        if not n:
            raise BadInput(f"{self._where} holds no texts", "give a file with at least one row")

    def _has(self, n: int, row: Row, column: str) -> bool:
        """Whether a column that all rows have, or none, is there; a row that lacked it before is the culprit."""
        if column not in row:
            self._without.setdefault(column, n)
            return column in self.columns
        if column in self._without:
            check = self._id if column == self._names.id else self._cell
            check(self._without[column], {}, column)
        return True

    def _id(self, n: int, row: Row, column: str = "") -> str:
        column = column or self._names.id
        value = row.get(column)
        text = "" if value is None else str(value)
        if not text.strip():
            raise BadInput(self._at(n, column, "is empty"), "give every text an id, or leave the column out")
        if len(text) > MOST_OF_AN_ID:
            what = self._at(n, column, f"is {len(text):,} characters long")
            raise BadInput(what, f"keep ids under {MOST_OF_AN_ID}")
        return self._writable(n, column, text)

    def _cell(self, n: int, row: Row, column: str) -> str:
        value = row.get(column)
        if not isinstance(value, str) or not value.strip():
            what = self._at(n, column, f"is {short(value)}, no text")
            raise BadInput(what, "fill it or take the row out")
        if len(value) > MOST_CHARACTERS:
            bounded(f"{self._where} row {n}", value)
        return self._writable(n, column, value)

    def _label(self, n: int, row: Row) -> str:
        value = row.get(self._names.label)
        return "" if value is None else self._writable(n, self._names.label, str(value).strip())

    def _others(self, n: int, row: Row) -> str:
        names = self._names
        known = (names.id, names.text, names.text_b, names.label)
        others = {key: value for key, value in row.items() if key not in known}
        return self._writable(n, "other columns", _json(others)) if others else ""

    def _writable(self, n: int, column: str, text: str) -> str:
        """Half of a surrogate pair, which JSON can spell, and a zero byte cannot be written everywhere."""
        if "\0" in text:
            raise BadInput(self._at(n, column, "holds '\\x00', no character of a text"), "take it out")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            what = self._at(n, column, f"holds {text[error.start]!r}, half a character")
            raise BadInput(what, "save the file as UTF-8 again from its source") from error
        return text

    def _at(self, n: int, column: str, what: str) -> str:
        return f"{self._where} row {n}: column {column!r} {what}"


def _json(values: Mapping[str, object]) -> str:
    """As JSON that every reader takes: NaN and infinity become null, what JSON does not know becomes a string."""
    try:
        return _ENCODER.encode(values)
    except ValueError:
        plain = json.loads(json.dumps(values, default=str), parse_constant=lambda _name: None)
        return json.dumps(plain, ensure_ascii=False)
