"""Argilla's records: a row of `labels.jsonl` as one of them, and back.

The machine's newest label is a suggestion, people's newest answers are responses. Argilla's metadata are flat: other
columns that are not, and the record of all label events, stand in it as one JSON text under `thresher`.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, cast

from agent.domain import Annotation
from agent.errors import BadInput
from serving.exchange.history import (
    RECORD,
    Said,
    brought_up,
    events_of,
    latest,
    others_of,
    read_record,
    record_of,
    upload_row,
)
from serving.runs.formats import Row, short

TOOL = "argilla"
QUESTION = "label"


def record_as(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `labels.jsonl`, with the user's other columns as its `meta`."""
    others, events = others_of(row), latest(events_of(row))
    flat = {key: value for key, value in others.items() if isinstance(value, str | int | float)}
    nested = {key: value for key, value in others.items() if key not in flat}
    text = json.dumps({**record_of(row), "meta": nested})
    machine = [e for e in events if e.provenance == "machine" and e.answer.label is not None]
    people = [_response(e) for e in events if e.provenance != "machine"]
    pair = {} if row.get("text_b") is None else {"text_b": row["text_b"]}
    return {
        "id": row["id"],
        "fields": {"text": row["text"], **pair},
        "metadata": {**flat, RECORD: text},
        "vectors": {},
        "suggestions": [_suggestion(e) for e in machine[-1:]],
        "responses": [each for each in people if each is not None],
        "status": "completed" if people else "pending",
    }


def row_as(record: Mapping[str, Any], where: str) -> Row:
    """A record as a row of an upload. A draft is no answer yet; a discarded record is a bad text.

    Raises:
        BadInput: naming what in it cannot be one label of a text.
    """
    fields, meta = (_object(record, key, where) for key in ("fields", "metadata"))
    meta = dict(meta)
    known = read_record(meta.pop(RECORD, None), where)
    nested = known.pop("meta", None) or {}
    data = {**({"id": record["id"]} if record.get("id") is not None else {}), **fields}
    suggestions = _answers(record, "suggestions", where)
    said = [_suggested(each, where) for each in suggestions if each.get("value") is not None]
    said += [_responded(each, where) for each in _answers(record, "responses", where) if each.get("status") != "draft"]
    example = str(record.get("id") or where)
    found = brought_up(known, example, said, mark_of, TOOL) if said else known
    return upload_row(data, {**meta, **nested}, found, where)


def mark_of(event: Annotation) -> str:
    """Who is behind an event, as Argilla names them: the agent of a suggestion, the id of a user."""
    return event.by if event.provenance == "machine" else user_of(event.by)


def user_of(by: str) -> str:
    """A person's id, a UUID for Argilla: one that it gave is kept, else always the same for the same name."""
    given = by.removeprefix(f"human:{TOOL}:")
    return given if given != by else str(uuid.uuid5(uuid.NAMESPACE_URL, f"thresher:{by.encode('utf-8', 'replace')!r}"))


def _suggestion(event: Annotation) -> dict[str, Any]:
    return {
        "question_name": QUESTION,
        "value": event.answer.label,
        "score": event.confidence,
        "agent": event.by,
        "type": "model",
    }


def _response(event: Annotation) -> dict[str, Any] | None:
    """None for who could not decide: Argilla has no such answer; the record holds it."""
    if event.answer.label is None and event.use != "discard":
        return None
    status = "discarded" if event.use == "discard" else "submitted"
    return {"question_name": QUESTION, "value": event.answer.label, "user_id": user_of(event.by), "status": status}


def _suggested(one: Mapping[str, Any], where: str) -> Said:
    score, by = one.get("score"), str(one.get("agent") or TOOL)
    usable = isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= 1
    why = "" if usable or score is None else f"score {short(score)}"
    return Said(_value(one, where), by, by, human=False, confidence=score if usable else None, why=why)


def _responded(one: Mapping[str, Any], where: str) -> Said:
    user = str(one.get("user_id") or "unknown")
    if one.get("status") == "discarded":
        return Said(None, f"human:{TOOL}:{user}", user, discard=True, why="bad text")
    return Said(_value(one, where), f"human:{TOOL}:{user}", user)


def _value(one: Mapping[str, Any], where: str) -> str:
    value = one.get("value")
    if not isinstance(value, str):
        raise BadInput(f"{where}: an answer is {short(value)}, no label", "export a label question")
    return value


def _answers(record: Mapping[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    """Suggestions or responses, as lists (one object each) or by question, as Argilla's own files have them."""
    value = record.get(key) or []
    if isinstance(value, dict):
        by_question = cast("dict[str, Any]", value)
        value = [
            {"question_name": question, **each}
            for question, given in by_question.items()
            for each in (cast("list[Any]", given) if isinstance(given, list) else [given])
            if isinstance(each, dict)
        ]
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in cast("Sequence[object]", value)):
        raise BadInput(f"{where}: {key!r} is {short(value)}", "give a list of objects")
    found = cast("list[dict[str, Any]]", value)
    names = sorted({str(each.get("question_name", QUESTION)) for each in found})
    if len(names) > 1:
        raise BadInput(f"{where} answers several questions: {', '.join(names)[:80]}", "export one label question")
    return found


def _object(record: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = record.get(key) or {}
    if not isinstance(value, dict) or (key == "fields" and not value):
        raise BadInput(f"{where}: {key!r} is {short(value)}", f"give the record an object {key!r}")
    return cast("dict[str, Any]", value)
