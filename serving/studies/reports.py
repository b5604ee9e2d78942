"""Reports of studies and ablations drawn again, and their numbers made anew, from what lies in the folder."""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import get_args

import pyarrow.parquet as pq
from pyarrow import ArrowInvalid

from agent.errors import BadInput
from evaluation.raw_rows import Row
from evaluation.rebuild import Made, made, remeasured, row_differences, text_differences
from evaluation.study_record import Left, StudyLeft
from serving.runs import outputs
from serving.runs.store import NoRun, Store
from serving.studies import folders, manifest
from serving.studies.manifest import Part

SHOWN = 10
"""Differences that are told one by one."""


def report(folder: Path) -> str:
    """Draws page, tables and pictures again, and returns the tables.

    Raises:
        BadInput: there is no study, or a record is not the one that the manifest names.
    """
    kept: dict[str, Part] = {}
    if (folder / manifest.NAME).is_file():
        known = manifest.read(folder / manifest.NAME)
        manifest.verify(known, folder, ("record", "source"))
        kept = {name: each.part for name, each in known.files.items() if each.part in ("record", "source")}
    left = folders.load(folder)
    return folders.draw(left, folder, kept or dict.fromkeys(_records(left), "record"))


def _records(left: Left) -> list[str]:
    """Of a folder whose manifest never came to be written."""
    return (
        [*(f"{name}.json" for name in left.sets), folders.STUDY] if isinstance(left, StudyLeft) else [folders.ABLATION]
    )


def find(name: str, store: Callable[[], Store]) -> Path:
    """The folder of that name, else the one in which the study or ablation of that name has left its results.

    Raises:
        BadInput: there is neither.
    """
    path = Path(name)
    if path.is_dir():
        return path
    if path.is_file() and path.name in (folders.STUDY, folders.ABLATION, manifest.NAME):
        return path.parent
    runs = store()
    for run in (f"study-{name}", f"ablation-{name}"):
        try:
            return Path(runs.get(run, "study").folder)
        except NoRun:
            continue
    what = f"{name!r} is no folder, and no study or ablation of that name was run here"
    raise BadInput(what, "name the folder of its results")


@dataclass(frozen=True)
class Replayed:
    """What came of making all numbers anew."""

    text: str
    differences: int


def replay(path: Path, *, anyway: bool = False) -> Replayed:
    """Makes every number anew from the stored predictions and holds it against what is stored.

    Args:
        path: a manifest, or its folder.
        anyway: also where files were changed; what the change does is then among the differences.

    Raises:
        BadInput: there is no manifest, or a file is missing or changed.
    """
    path = path / manifest.NAME if path.is_dir() else path
    known, folder = manifest.read(path), path.parent
    if not anyway:
        manifest.verify(known, folder, get_args(Part))
    again = made(remeasured(folders.load(folder)))
    found = list(_differences(again, folder))
    values = sum(len(rows) * len(rows[0]) for rows in again.rows.values() if rows)
    tables = ", ".join([folders.TABLES, *(f"{stem}.csv, {stem}.parquet" for stem in again.rows), folders.PAGE])
    if not found:
        text = f"equal: {known.kind} {known.name}, made anew from its predictions: {tables}; {values:,} raw values"
        return Replayed(text, 0)
    more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    now = outputs.thresher_version()
    other = [] if now == known.thresher else [f"stored by thresher {known.thresher}, rebuilt by {now}"]
    return Replayed("\n".join([*found[:SHOWN], *more, *other]), len(found))


def _differences(again: Made, folder: Path) -> Iterator[str]:
    """Where what is stored and what was made anew part, the numbers first."""
    yield from text_differences(folders.TABLES, _stored(folder / folders.TABLES), f"{again.text}\n")
    for stem, rows in again.rows.items():
        yield from row_differences(f"{stem}.parquet", _table(folder / f"{stem}.parquet"), rows)
        lines = csv.DictReader(StringIO(_stored(folder / f"{stem}.csv"), newline=""))
        written = csv.DictReader(StringIO(folders.csv_text(rows), newline=""))
        yield from row_differences(f"{stem}.csv", list(map(_numbers, lines)), list(map(_numbers, written)))
    if _stored(folder / folders.PAGE) != again.page:
        yield f"{folders.PAGE} is another page"


def _numbers(row: Mapping[str, object]) -> Row:
    """Of a CSV file, so that numbers are compared as numbers."""
    return {name: _number(value) for name, value in row.items()}


def _number(value: object) -> object:
    try:
        return float(value) if isinstance(value, str) else value  # a row too short or too long has others
    except ValueError:
        return value


def _stored(path: Path) -> str:
    """As it stands there, line ends and all; nothing where it is missing."""
    return path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""


def _table(path: Path) -> list[Row]:
    try:
        return pq.read_table(path).to_pylist() if path.is_file() else []
    except ArrowInvalid:
        return []
