"""What a learning curve can run over: human labels, or what they and the LLM cost so far."""

import math
from typing import Literal

from evaluation.records import Cell, Point

Axis = Literal["labels", "minutes", "tokens", "seconds", "money"]
"""`labels`: human labels. `minutes`: of people's time. `tokens`: read and written by the LLM. `seconds`: that the LLM
took. `money`: in the unit of the prices that the run was given."""

WORDS: dict[Axis, str] = {
    "labels": "human labels",
    "minutes": "human minutes",
    "tokens": "LLM tokens",
    "seconds": "LLM seconds",
    "money": "units of money",
}


def spent(cell: Cell, point: Point, axis: Axis) -> float:
    """What the cell had spent when the point was measured; nan where its points do not say.

    A record that kept the cost of the whole run and none of its points is undefined, not free.
    """
    value = _spent(point, axis)
    if value == 0 and axis != "labels" and _unsaid(cell, axis):
        return math.nan
    return value


def _unsaid(cell: Cell, axis: Axis) -> bool:
    whole = Point(human_labels=0, cost=cell.cost)
    return _spent(whole, axis) > 0 and not any(_spent(point, axis) for point in cell.curve)


def _spent(point: Point, axis: Axis) -> float:
    cost = point.cost
    values: dict[Axis, float] = {
        "labels": point.human_labels,
        "minutes": cost.human_seconds / 60,
        "tokens": cost.tokens_in + cost.tokens_out,
        "seconds": cost.seconds,
        "money": cost.money,
    }
    return values[axis]
