"""What an unfinished round has come to: people's answers in the queue, the LLM's in recorded steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Engine, func, select

from agent.exchange import Cost
from serving.database import reading
from serving.runs.review_tables import answers, reviews, rounds
from serving.runs.store import Store
from serving.shapes_runs import AskedNow


class Costed(BaseModel):
    """The part of a step that says what it cost."""

    cost: Cost = Cost()


@dataclass(frozen=True)
class People:
    """What people are asked, and what they have given to rounds that the run has not summed up."""

    labels: int
    asked: AskedNow | None


def people(engine: Engine, summed: Mapping[str, int]) -> dict[str, People]:
    """By run; runs that ask nobody through the queue are left out.

    Args:
        summed: index of the last round that is recorded in full, by run; -1 where there is none.
    """
    found: dict[str, list[Any]] = {}
    query = select(rounds).where(rounds.c.run.in_(summed)).order_by(rounds.c.round, rounds.c.kind.desc())
    with reading(engine) as connection:
        for row in connection.execute(query):
            found.setdefault(row.run, []).append(row)
    return {run: _people(rows, summed[run]) for run, rows in found.items()}


def cost(store: Store, run: str, cell: str, summed: int, *, queue: bool) -> Cost:
    """Of the round after `summed`, so far.

    Args:
        cell: key of the user's own cell.
        queue: whether people answer through the queue, whose times then count instead of those in the steps.
    """
    start = f"{cell}/{summed + 1}/"
    values = [store.recorded(run, start, name).values() for name in ("query", "annotate")]
    spent = sum((Costed.model_validate_json(value).cost for each in values for value in each), Cost())
    if not queue:
        return spent
    return spent.model_copy(update={"human_labels": 0, "human_seconds": _seconds(store.engine, run, summed)})


def _people(rows: Sequence[Any], summed: int) -> People:
    labels = sum(row.done for row in rows if row.kind == "labels" and row.round > summed)
    left = [row for row in rows if row.done < row.total and not row.closed]
    if not left:
        return People(labels, None)
    last = left[-1]
    return People(labels, AskedNow(kind=last.kind, round=last.round, done=last.done, total=last.total))


def _seconds(engine: Engine, run: str, summed: int) -> float:
    query = (
        select(func.coalesce(func.sum(answers.c.seconds), 0.0))
        .join(reviews, reviews.c.id == answers.c.review)
        .where(answers.c.run == run, answers.c.state == "stands", reviews.c.round > summed)
    )
    with reading(engine) as connection:
        return float(connection.execute(query).scalar_one())
