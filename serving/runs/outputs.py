"""What a finished run leaves in the user's folder: labels, the student, the report, the record. Whole or not at all."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from agent.domain import Annotation
from agent.loop import Outcome
from agent.pool import Pool
from evaluation.records import Cell, LabelCount
from prompts.messages import Frozen
from serving.runs.job import Job
from serving.system import atomic


class Record(Frozen):
    """The run record: enough to see what was done, with what, and to do it again."""

    id: str
    thresher: str
    job: Job
    cells: tuple[Cell, ...]
    seconds: float
    """Of the process that finished it; a resumed run took longer."""
    machine: str = ""
    made: str = ""


def write_labels(path: Path, pool: Pool) -> None:
    """`labels.jsonl`: a line for each text with an answer."""
    atomic.write(path, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in label_rows(pool)))


def label_rows(pool: Pool) -> Iterator[dict[str, Any]]:
    """For each text with an answer the label that stands, and its whole history."""
    by_example: dict[str, list[Annotation]] = {}
    for a in pool.annotations:
        by_example.setdefault(a.example, []).append(a)
    standing = pool.standing()
    for id_, events in by_example.items():
        yield _row(pool, standing[id_], events)


def _row(pool: Pool, a: Annotation, events: Sequence[Annotation]) -> dict[str, Any]:
    row = pool.row[a.example]
    pair = {} if pool.columns.texts_b is None else {"text_b": pool.columns.texts_b[row]}
    return {
        "id": a.example,
        "text": pool.columns.texts[row],
        **pair,
        "label": a.answer.label,
        "confidence": a.confidence,
        "provenance": a.provenance,
        "by": a.by,
        "origin": "generated" if row >= pool.generated_from else "pool",
        "history": [e.model_dump(mode="json", exclude_defaults=True) for e in events],
    }


def write_student(folder: Path, outcome: Outcome) -> None:
    """`student/`: written beside and renamed."""
    beside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    outcome.student.save(beside)
    atomic.publish(beside, folder)


def write_record(path: Path, record: Record) -> None:
    atomic.write(path, record.model_dump_json(indent=1))


def label_counts(pool: Pool) -> tuple[LabelCount, ...]:
    """Labels of each class by who stands behind them, generated texts among them."""
    counted = Counter((a.answer.label, a.provenance) for a in pool.standing().values() if a.answer.label is not None)
    return tuple(
        LabelCount(
            label=name,
            human=counted[name, "human"],
            confirmed=counted[name, "confirmed"],
            machine=counted[name, "machine"],
        )
        for name in pool.task.names
    )


def thresher_version() -> str:
    return version("thresher")
