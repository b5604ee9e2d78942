"""Several trainings of one shuffle as the one observation that they are."""

import math
from collections.abc import Sequence
from itertools import groupby

import numpy as np

from agent.domain import Cost
from evaluation.curves import at, grid
from evaluation.records import Cell, Choosing, Comparison, Point


def averaged(comparison: Comparison) -> Comparison:
    """The comparison with one cell for each arm, student and shuffle: the mean over its trainings.

    Trainings of one shuffle share pool, order and seed batch. Counted as so many observations they would make every
    interval too narrow. Where there is one training, nothing changes; a mean has no predictions, so that its intervals
    cover shuffles only. Shares are means and counts of lists are sums; the LLM's own picks are of the first training.
    """
    if len({cell.training for cell in comparison.cells}) < 2:
        return comparison
    key = _of_shuffle
    found = [list(cells) for _, cells in groupby(sorted(comparison.cells, key=key), key=key)]
    merged = {key(cells[0]): _mean(cells) for cells in found}
    order = dict.fromkeys(key(cell) for cell in comparison.cells)
    return comparison.model_copy(update={"cells": tuple(merged[each] for each in order)})


def _of_shuffle(cell: Cell) -> tuple[str, str, int]:
    return cell.arm, cell.student, cell.seed


def _mean(cells: Sequence[Cell]) -> Cell:
    if len(cells) == 1:
        return cells[0].model_copy(update={"training": 0})
    curve = tuple(_point([at(cell, labels) for cell in cells], labels) for labels in grid(cells))
    cost = _cost([cell.cost for cell in cells])
    shares = [cell.filled_share for cell in cells if cell.filled_share is not None]
    quartiles = [cell.quartiles for cell in cells if cell.quartiles is not None]
    update = {
        "training": 0,
        "curve": curve,
        "cost": cost,
        "filled_share": float(np.mean(shares)) if shares else None,
        "quartiles": tuple(np.mean(quartiles, axis=0).tolist()) if quartiles else None,
        "renamed": next((cell.renamed for cell in cells if cell.renamed), None),
        "choosing": _choosing([cell.choosing for cell in cells if cell.choosing is not None]),
        "notes": {name: sum(cell.notes.get(name, 0.0) for cell in cells) for cell in cells for name in cell.notes},
    }
    return cells[0].model_copy(update=update)


def _choosing(found: Sequence[Choosing]) -> Choosing | None:
    """Means over those trainings in which each is defined; the picks themselves are those of the first one."""
    if not found:
        return None
    first = found[0]
    means = {name: _known([getattr(each, name) for each in found]) for name, value in first if isinstance(value, float)}
    classes = {name: _known([each.classes.get(name, math.nan) for each in found]) for name in first.classes}
    return first.model_copy(update={**means, "classes": classes})


def _known(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def _point(points: Sequence[Point | None], labels: float) -> Point:
    there = [point for point in points if point is not None]
    whole = len(there) == len(points)
    return Point(
        human_labels=round(labels),
        machine_labels=round(float(np.mean([point.machine_labels for point in there]))),
        generated=round(float(np.mean([point.generated for point in there]))),
        accuracy=float(np.mean([point.accuracy for point in there])) if whole else math.nan,
        macro_f1=float(np.mean([point.macro_f1 for point in there])) if whole else math.nan,
        cost=_cost([point.cost for point in there]),
    )


def _cost(costs: Sequence[Cost]) -> Cost:
    """The mean, counts rounded to whole ones."""
    total, n = sum(costs, Cost()).model_dump(), len(costs)
    return Cost.model_validate({k: round(v / n) if isinstance(v, int) else v / n for k, v in total.items()})
