"""Files of other tools by the name of their format: labels out, texts in."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from serving.exchange import argilla, label_studio
from serving.exchange.arrays import array, objects
from serving.runs.export import MEDIA, ExportFormat, write
from serving.runs.formats import Row
from serving.runs.late import with_late
from serving.runs.reviews import Reviews
from serving.runs.so_far import Rows

ToolFormat = Literal["label-studio", "argilla"]
LabelFormat = Literal[ExportFormat, ToolFormat]
TOOLS: tuple[ToolFormat, ...] = ("label-studio", "argilla")
LABEL_MEDIA: Mapping[LabelFormat, str] = {**MEDIA, "label-studio": "application/json", "argilla": "application/json"}


def labels_as(rows: Iterable[Mapping[str, Any]], format_: LabelFormat) -> Iterator[bytes]:
    """Rows of `labels.jsonl` in one of the formats, piece by piece. A row's `meta` goes into tools' formats only."""
    match format_:
        case "label-studio":
            return array(label_studio.task_of(row) for row in rows)
        case "argilla":
            return array(argilla.record_as(row) for row in rows)
        case _:
            return write(rows, format_)


def file_name(format_: LabelFormat) -> str:
    """What the file is called that holds the labels."""
    return f"labels.{format_}.json" if format_ in TOOLS else f"labels.{format_}"


def tool_rows(chunks: Iterable[bytes], format_: ToolFormat, where: str) -> Iterator[Row]:
    """The rows of a tool's file, as an upload takes them. Raises BadInput, naming the item."""
    read = label_studio.row_of if format_ == "label-studio" else argilla.row_as
    for n, item in enumerate(objects(chunks, where), 1):
        yield read(item, f"{where} item {n}")


def exported(rows: Rows, reviews: Reviews, run: str, pool: Path, format_: LabelFormat) -> Iterator[dict[str, Any]]:
    """The labels of a run, with what people changed since and, for tools, other columns.

    Args:
        rows: gives them as the run has recorded them, as often as it is called.
        pool: the run's copy of its texts, which holds the other columns.
    """
    found: dict[str, dict[str, Any]] = {}
    if format_ in TOOLS:
        late = (given.example for given in reviews.late(run))
        found = metas(pool, {*(row["id"] for row in rows()), *late})
    for row in with_late(rows(), reviews, run):
        yield {**row, "meta": found[row["id"]]} if row["id"] in found else row


def metas(pool: Path, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The user's other columns of texts, by id; those without any are left out."""
    import pyarrow.parquet as pq

    wanted = list(ids)
    if not wanted or not pool.exists() or "meta" not in pq.read_schema(pool).names:
        return {}
    found = pq.read_table(pool, columns=["id", "meta"], filters=[("id", "in", wanted)]).to_pydict()
    return {id_: json.loads(meta) for id_, meta in zip(found["id"], found["meta"], strict=True) if meta}
