"""Data cards, and reading the rows that a card describes. Tables come through a fetcher that the caller hands in."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from pydantic import Field, field_validator, model_validator

from agent.domain import LabelCard, Task
from agent.errors import BadInput
from evaluation.sources import Fields, HubSet, LocalCopy, Origin, PackagedArchive, Side, Source
from prompts.messages import Frozen

__all__ = ["DataCard", "Fetched", "Fetcher", "Fields", "PackagedArchive", "Reading", "Record", "Row", "load", "read"]

NEAR = 0.8
"""Jaccard similarity of two texts' word sets from which they count as copies of one another."""

_SPACES = re.compile(r"\s+")

Record = Mapping[str, object]
"""One row as a source gives it: values by column."""


class DataCard(Frozen):
    """What has to be known about a data set before numbers on it mean anything."""

    name: str
    title: str
    source: str
    """Who collected it, and what is taken from it here."""
    licence: str
    citation: str
    labels: tuple[LabelCard, ...]
    item: str
    """What one text is called."""
    guidelines: str
    splits: str
    """How training and test parts come about."""
    sources: tuple[Source, ...] = Field(min_length=1)
    """Where the rows can be had; the first that is there is taken."""
    near: float | None = Field(default=NEAR, gt=0.0, le=1.0)
    """Jaccard similarity of word sets from which two texts are copies of one another.

    None where a comma, a word more or the order of words is what the label is about: copies are then the texts that
    are equal but for case and white space.
    """
    language: str = "en"
    caveats: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, given: Any) -> Any:
        """Cards in records of version 0.1.0 had one archive with one member, and its fields beside it."""
        if not isinstance(given, dict) or "archive" not in given:
            return given
        card = dict(cast("dict[str, Any]", given))
        archive, fields = dict(card.pop("archive")), card.pop("fields", {})
        archive["members"] = {"all": archive.pop("member")}
        return {**card, "sources": [{"kind": "packaged", **archive, "fields": fields}]}

    @field_validator("sources")
    @classmethod
    def _one_of_each(cls, sources: tuple[Source, ...]) -> tuple[Source, ...]:
        kinds = [source.kind for source in sources]
        if len(set(kinds)) < len(kinds):
            raise ValueError(f"a card has one source of each kind at most, found {', '.join(kinds)}")
        return sources

    def task(self) -> Task:
        """The card as the task that people and the LLM are given."""
        return Task(
            name=self.name, labels=self.labels, guidelines=self.guidelines, item=self.item, language=self.language
        )


class Row(Frozen):
    """One labelled text, or pair of texts, of a data set."""

    id: str
    text: str
    label: str
    group: str = ""
    text_b: str | None = None
    side: Side = "all"
    """The official part that it belongs to."""


@dataclass(frozen=True)
class Fetched:
    """What a source gave: a table for each official part."""

    source: Source
    tables: Mapping[Side, Sequence[Record]]
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    """SHA-256 of each file, by its name."""
    notes: Mapping[str, int] = field(default_factory=dict[str, int])


class Fetcher(Protocol):
    """Brings data sets from outside."""

    def fetch(self, card: DataCard) -> Fetched:
        """The tables of the first of the card's sources that is there.

        Raises:
            BadInput: none of them is, or what is there is damaged.
        """
        ...


@dataclass(frozen=True)
class Reading:
    """The rows of a data set, and where they came from."""

    rows: tuple[Row, ...]
    origin: Origin


def read(card: DataCard, fetcher: Fetcher) -> tuple[Row, ...]:
    """The rows alone; see `load`."""
    return load(card, fetcher).rows


def load(card: DataCard, fetcher: Fetcher) -> Reading:
    """All rows of the data set in the order of its files, white space normalised, rows without text left out.

    Where the source gives no ids, they number the rows of the file, so that they stay the same when cleaning changes.

    Raises:
        BadInput: nothing can be fetched, a table is empty, a column is missing, a text or label is none, a label is not
            on the card, or an id stands twice.
    """
    fetched = fetcher.fetch(card)
    notes = Counter[str](fetched.notes)
    tables = fetched.tables.items()
    rows = tuple(row for side, table in tables for row in _rows(card, fetched.source, side, table, notes))
    twice = [id_ for id_, count in Counter(row.id for row in rows).items() if count > 1]
    if twice:
        raise BadInput(f"{card.name}: id {twice[0]!r} stands in more than one row", "use the data set as published")
    digest = digest_of(rows)
    counts = Counter(row.side for row in rows)
    origin = Origin(
        card=card.name,
        source=fetched.source,
        files=dict(fetched.files),
        rows={side: counts[side] for side in fetched.tables},
        sha256=digest,
        verified=_verified(fetched.source, digest),
        notes=dict(notes),
    )
    return Reading(rows, origin)


def digest_of(rows: Iterable[Row]) -> str:
    """SHA-256 over ids, texts, labels, groups and parts, in order."""
    state = hashlib.sha256()
    for row in rows:
        cells = [row.id, row.text, row.text_b, row.label, row.group, row.side]
        state.update(json.dumps(cells, separators=(",", ":")).encode() + b"\n")
    return state.hexdigest()


def _verified(source: Source, digest: str) -> bool:
    match source:
        case PackagedArchive():
            return True  # its bytes were held against the card before they were unpacked
        case LocalCopy():
            return source.sha256 == digest
        case HubSet():
            return source.verified


def _rows(card: DataCard, source: Source, side: Side, table: Sequence[Record], notes: Counter[str]) -> Iterator[Row]:
    fields, known = source.fields, {label.name for label in card.labels}
    place = f"{card.name} ({source.kind}, {side})"
    stem = card.name if side == "all" else f"{card.name}-{side}"
    if not table:
        raise BadInput(f"{place} holds no rows", "the copy is not complete: get it anew")
    for number, record in enumerate(table):
        where = f"{place}, row {number}"
        _check_columns(where, fields, record)
        given = _label(where, fields, record)
        text = _text(where, fields.text, record)
        pair = _text(where, fields.text_b, record) if fields.text_b else None
        if given in fields.drop:
            notes["rows of labels that are no part of the task"] += 1
        elif not text or pair == "":
            notes["rows without text"] += 1
        else:
            label = fields.names.get(given, given)
            if label not in known:
                what = f"{where}: label {given!r} is not on the card {card.name!r}"
                raise BadInput(what, f"the card knows {', '.join(sorted(known))}")
            id_ = str(record[fields.id]) if fields.id else f"{stem}-{number:05d}"
            group = str(record[fields.group]) if fields.group else ""
            _demand_whole(where, (id_, text, pair or "", group))
            yield Row(id=id_, text=text, label=label, group=group, text_b=pair, side=side)


def _check_columns(where: str, fields: Fields, record: Record) -> None:
    missing = [column for column in fields.needed if column not in record]
    if missing:
        raise BadInput(f"{where} has no column {missing[0]!r}", f"its columns are {', '.join(record) or 'none'}")


def _demand_whole(where: str, cells: Sequence[str]) -> None:
    """Half of a surrogate pair, which JSON can spell, and a zero byte cannot be written everywhere."""
    for cell in cells:
        if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in cell):
            raise BadInput(f"{where}: {_short(cell)} holds what is no character", "the copy is damaged: get it anew")


def _text(where: str, column: str, record: Record) -> str:
    value = record[column]
    if not isinstance(value, str):
        raise BadInput(f"{where}: column {column!r} is {_short(value)}, no text", "the copy is damaged: get it anew")
    return _SPACES.sub(" ", value).strip()


def _label(where: str, fields: Fields, record: Record) -> str:
    """Words, or a whole number that `names` of the source turns into one."""
    value = record[fields.label]
    if isinstance(value, bool) or not isinstance(value, str | int):
        what = f"{where}: column {fields.label!r} is {_short(value)}, no label"
        raise BadInput(what, "labels are words or whole numbers")
    return str(value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
