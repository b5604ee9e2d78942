"""Labels that people gave after their run had read them last: they stand in every export, whenever it is made."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import case, func, select

from agent.annotate.human import annotations
from agent.domain import Annotation
from agent.protocols import Response
from serving.database import reading
from serving.runs.review_tables import answers
from serving.runs.reviews import Reviews
from serving.runs.reviews_people import by_example


def with_late(rows: Iterable[dict[str, Any]], reviews: Reviews, run: str) -> Iterator[dict[str, Any]]:
    """The rows of `labels.jsonl`, with changed answers in the place of those that they supersede.

    Answers to texts that stand in no row, since their round was never finished, follow as rows of their own.
    """
    said = by_example(reviews.late(run))
    for row in rows:
        answer = said.pop(row["id"], None)
        yield row if answer is None else _changed(row, answer)
    asks = reviews.asked(run, said.keys())
    for id_, answer in said.items():
        ask = asks[id_]
        pair = {} if ask.text_b is None else {"text_b": ask.text_b}
        row: dict[str, Any] = {"id": id_, "text": ask.text, **pair, "origin": "pool", "history": []}
        yield _changed(row, answer)


def said_so_far(reviews: Reviews, run: str) -> tuple[int, ...]:
    """Numbers that are others as soon as people's labels are.

    Answers are only added, and what becomes of one is that it no longer stands, or that its run has read it.
    """
    stand = func.count(case((answers.c.state == "stands", 1)))
    query = select(func.coalesce(func.max(answers.c.id), 0), stand, func.count(answers.c.entered))
    with reading(reviews.engine) as connection:
        return tuple(connection.execute(query.where(answers.c.run == run)).one())


def _changed(row: Mapping[str, Any], answer: Response) -> dict[str, Any]:
    history: list[dict[str, Any]] = list(row["history"])
    for event in annotations(f"late/{row['id']}", row["id"], answer):
        before = history[-1]["id"] if history else None
        named = event.model_copy(update={"supersedes": before})
        history.append(named.model_dump(mode="json", exclude_defaults=True))
    last = Annotation.model_validate(history[-1])
    stands = {"label": last.answer.label, "confidence": None, "provenance": last.provenance, "by": last.by}
    return {**row, **stands, "history": history}
