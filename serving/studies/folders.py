"""The folder of a study or an ablation: records in, and all that is made from them beside them."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from agent.errors import BadInput
from evaluation.rebuild import Made, made
from evaluation.records import Comparison
from evaluation.study_record import AblationRecord, Left, StudyLeft, StudyRecord
from serving.studies import manifest, pictures
from serving.studies.manifest import Part
from serving.system import atomic

STUDY, ABLATION, TABLES, PAGE, FIGURES = "study.json", "ablation.json", "tables.txt", "report.html", "figures"
NO_PNG = "no PNG files: pip install 'thresher[png]', then thresher report"


def keep(left: Left, folder: Path, source: str = "") -> str:
    """Writes records, all that is made from them, and the manifest at last; returns what to tell the user.

    Args:
        source: the TOML file that was run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Part] = {}
    for name, text in _records(left).items():
        atomic.write(folder / name, text)
        parts[name] = "record"
    if source:
        name = "study.toml" if isinstance(left, StudyLeft) else "ablation.toml"
        atomic.write(folder / name, source)
        parts[name] = "source"
    return draw(left, folder, parts)


def draw(left: Left, folder: Path, parts: Mapping[str, Part]) -> str:
    """Writes what is made from the records, and the manifest of it all with these `parts`."""
    again = made(left)
    with_png = pictures.can_draw()
    parts = {**parts, **write_made(again, folder, with_png)}
    manifest.write(left, folder, parts)
    tables = ", ".join(f"{stem}.csv, {stem}.parquet" for stem in again.rows)
    drawn = f"{FIGURES}/ ({len(again.figures)} as SVG{' and PNG' if with_png else ''})"
    records = ", ".join(name for name, part in parts.items() if part == "record")
    files = f"{folder}: {PAGE}, {TABLES}, {tables}, {drawn}; {records}; {manifest.NAME}"
    return "\n".join([again.text, "", files, *([] if with_png or not again.figures else [NO_PNG])])


def write_made(again: Made, folder: Path, with_png: bool) -> dict[str, Part]:
    """Writes text, tables, page and pictures; pictures of an earlier time go."""
    atomic.write(folder / TABLES, f"{again.text}\n")
    atomic.write(folder / PAGE, again.page)
    parts: dict[str, Part] = {TABLES: "table", PAGE: "page"}
    for stem, rows in again.rows.items():
        write_rows(folder, stem, rows)
        parts |= {f"{stem}.csv": "table", f"{stem}.parquet": "table"}
    where = folder / FIGURES
    where.mkdir(exist_ok=True)
    for old in (*where.glob("*.svg"), *where.glob("*.png")):
        old.unlink()
    for name, svg in again.figures.items():
        atomic.write(where / f"{name}.svg", svg)
        parts[f"{FIGURES}/{name}.svg"] = "picture"
        if with_png:
            (where / f"{name}.png").write_bytes(pictures.png(svg))
            parts[f"{FIGURES}/{name}.png"] = "picture"
    return parts


def load(folder: Path) -> Left:
    """The records of a folder.

    Raises:
        BadInput: there are none, or they are of another form.
    """
    try:
        if (folder / ABLATION).is_file():
            return AblationRecord.model_validate_json(_text(folder / ABLATION))
        record = StudyRecord.model_validate_json(_text(folder / STUDY))
        sets = {name: Comparison.model_validate_json(_text(folder / f"{name}.json")) for name in record.study.sets}
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        what = f"the records in {folder} are of another form: {place}: {first['msg']}"
        raise BadInput(what, "run the study again: what is recorded is not done twice") from error
    return StudyLeft(record, sets)


def csv_text(rows: Sequence[Mapping[str, object]]) -> str:
    """All rows have the same keys."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(rows[0] if rows else ())
    writer.writerows(row.values() for row in rows)
    return text.getvalue()


def write_rows(out: Path, stem: str, rows: Sequence[Mapping[str, object]]) -> None:
    """As CSV and as Parquet; all rows have the same keys."""
    columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else {})}
    beside = out / f".{stem}.parquet.part"
    pq.write_table(pa.table(columns), beside)
    beside.replace(out / f"{stem}.parquet")
    atomic.write(out / f"{stem}.csv", csv_text(rows))


def _records(left: Left) -> dict[str, str]:
    if isinstance(left, AblationRecord):
        return {ABLATION: left.model_dump_json(indent=1)}
    sets = {f"{name}.json": each.model_dump_json() for name, each in left.sets.items()}
    return {**sets, STUDY: left.record.model_dump_json(indent=1)}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        hint = "name the folder that thresher study or thresher ablate has left"
        raise BadInput(f"{path} cannot be read: {error}", hint) from error
