"""Everything that is made from the records of a study or an ablation: text, raw rows, page and pictures.

Nothing here asks a model: `remeasured` takes every score from the stored predictions anew, `made` all that is printed
from the scores, and `differences` says where two makings part.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agent.errors import BadInput
from evaluation import ablation_table, selecting, svg
from evaluation.ablation_view import ablation_document
from evaluation.ablation_watch import Labelled, Run
from evaluation.curves import measured
from evaluation.overall import aside, of_set, summary
from evaluation.raw_rows import Row, raw_rows
from evaluation.records import Cell, Point
from evaluation.report import drawn
from evaluation.study_record import AblationRecord, Left, SetUsed, StudyLeft, StudyRecord, shares
from evaluation.study_view import study_document

CLOSE = 1e-9
"""Relative; another processor may round the last bits otherwise."""


@dataclass(frozen=True)
class Made:
    """What is written beside the records."""

    text: str
    """The tables for a terminal."""
    rows: dict[str, list[Row]]
    """Raw tables by name."""
    page: str
    """HTML."""
    figures: dict[str, str]
    """SVG by name, each a picture of its own."""


def made(left: Left) -> Made:
    rows = raw_rows(left)
    document = study_document(left, rows["curves"]) if isinstance(left, StudyLeft) else ablation_document(left)
    figures = {each.name: svg.alone(each.svg) for each in document.figures}
    return Made(told(left), rows, drawn(document), figures)


def told(left: Left) -> str:
    """The tables for a terminal."""
    return _study(left) if isinstance(left, StudyLeft) else _ablation(left)


def _study(left: StudyLeft) -> str:
    record, overall, lines = left.record, left.overall, list[str]()
    for name, each in overall.sets.items():
        n = ", ".join(f"{student} {n}" for student, n in record.shuffles[name].items())
        lines += [f"{name}: whole shuffles: {n}", ""]
        if len(overall.sets) > 1:
            lines += [of_set(overall, name) if each.cells else "no whole shuffle", ""]
    if len(overall.sets) > 1:
        lines += ["all data sets", "", summary(overall), ""]
    else:
        lines += [summary(overall), *(line for name in overall.sets for line in aside(overall, name)), ""]
    lines += selecting.told(overall)
    lines.append(f"{record.done} of {record.planned} cells, {record.ended}; {record.worked.told('cell')}")
    if spent := shares(record.spent):
        parts = ", ".join(f"{what} {share:.1%}" for what, share in spent)
        lines.append(f"Time inside the cells, {sum(record.spent.values()):.0f} s: {parts}.")
    return "\n".join([*lines, *_models(record)])


def _ablation(left: AblationRecord) -> str:
    record = left.study
    end = f"{record.done} of {record.planned} runs, {record.ended}; {record.worked.told('run')}"
    return "\n".join([ablation_table.told(left.results), "", end, *_models(record)])


def _models(record: StudyRecord) -> list[str]:
    """A line each, with what the weights really are; before them, what seconds are where several machines did cells."""
    found = [f"{each.role}: {each.name}{f' ({each.variant})' if each.variant else ''}" for each in record.models]
    mixed = len(record.worked.machines) > 1 and record.llm is not None
    seconds = "Seconds of the LLM are those of the machine that did a cell; a mean may be over several machines."
    return [*([seconds] if mixed else []), *found]


def remeasured(left: Left) -> Left:
    """The same with every score taken anew from its predictions; one without predictions stays as it is."""
    if isinstance(left, AblationRecord):
        runs, rest = ([_run(run, left.study) for run in each] for each in (left.runs, left.unfinished))
        return left.model_copy(update={"runs": tuple(runs), "unfinished": tuple(rest), "study": _full(left.study)})
    record, sets = _full(left.record), dict(left.sets)
    for name, each in sets.items():
        cells = tuple(_cell(cell, record.sets[name]) for cell in each.cells)
        sets[name] = each.model_copy(update={"cells": cells})
    rest = [raw.model_copy(update={"cell": _cell(raw.cell, record.sets[raw.plan.data])}) for raw in record.unfinished]
    return replace(left, record=record.model_copy(update={"unfinished": tuple(rest)}), sets=sets)


def _full(record: StudyRecord) -> StudyRecord:
    full = {name: tuple(_cell(cell, record.sets[name]) for cell in cells) for name, cells in record.full.items()}
    return record.model_copy(update={"full": full})


def _cell(cell: Cell, used: SetUsed) -> Cell:
    return cell.model_copy(update={"curve": tuple(_point(point, used) for point in cell.curve)})


def _point(point: Point, used: SetUsed) -> Point:
    if point.predictions is None:
        return point
    return measured(np.array(used.gold), np.array(point.predictions), len(used.card.labels), point)


def _run(run: Run, record: StudyRecord) -> Run:
    """Also which of the labels that were given are right: calibration error hangs on that."""
    used = record.sets[run.plan.data]
    cell, watched = _cell(run.cell, used), run.watched
    predictions = cell.curve[-1].predictions
    if isinstance(watched, Labelled) and predictions is not None:
        given = [(gold, said) for gold, said in zip(used.gold, predictions, strict=True) if said >= 0]
        if len(given) != len(watched.confidence):
            where = f"{run.plan.arm!r}, {run.plan.data}, shuffle {run.plan.shuffle}"
            what = f"{where} has predictions for {len(given)} texts and confidences for {len(watched.confidence)}"
            raise BadInput(what, "put its record back")
        watched = watched.model_copy(update={"correct": tuple(gold == said for gold, said in given)})
    return run.model_copy(update={"cell": cell, "watched": watched})


def text_differences(name: str, stored: str, again: str) -> Iterator[str]:
    """The lines that are not the same."""
    old, new = stored.splitlines(), again.splitlines()
    for number, (a, b) in enumerate(zip(old, new, strict=False), 1):
        if a != b:
            yield f"{name}, line {number}: stored {a.strip()!r}, rebuilt {b.strip()!r}"
    if len(old) != len(new):
        yield f"{name}: {len(old)} lines are stored, {len(new)} rebuilt"


def row_differences(name: str, stored: Sequence[Mapping[str, object]], again: Sequence[Row]) -> Iterator[str]:
    """The values that are not the same; numbers may part in their last bits."""
    if len(stored) != len(again):
        yield f"{name}: {len(stored)} rows are stored, {len(again)} rebuilt"
    for number, (a, b) in enumerate(zip(stored, again, strict=False), 1):
        for key in dict.fromkeys((*a, *b)):
            if not _same(a.get(key), b.get(key)):
                yield f"{name}, row {number}, {key}: stored {a.get(key)!r}, rebuilt {b.get(key)!r}"


def _same(a: object, b: object) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=CLOSE, abs_tol=CLOSE) or (math.isnan(a) and math.isnan(b))
    return a == b
