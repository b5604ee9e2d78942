"""A text's label events, as other tools hold them: what has a field there, and a record of all of it beside."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from agent.annotate.human import annotations
from agent.annotate.votes import settled
from agent.domain import Annotation, ClassAnswer
from agent.errors import BadInput
from agent.protocols import Response
from serving.runs.formats import Row, short

RECORD = "thresher"
"""The key of another tool's metadata under which a text's events are written down in full."""
KEPT = ("label", "confidence", "provenance", "by", "origin", "history")
"""What the record holds of a row of `labels.jsonl`."""
MAJORITY = "human:majority of "
"""How the event begins its `by` that sums several people up: no person's own answer."""
CANNOT, BAD = "cannot decide", "bad text"
"""What a person may say instead of a label."""
_EVENTS = TypeAdapter(tuple[Annotation, ...])


@dataclass(frozen=True)
class Said:
    """A label as another tool holds it."""

    label: str | None
    by: str
    """As in `Annotation.by`."""
    mark: str = ""
    """Tells which of the events it is, where it is one that the record knows."""
    human: bool = True
    seconds: float = 0.0
    confidence: float | None = None
    discard: bool = False
    confirmed: bool = False
    why: str = ""


def events_of(row: Mapping[str, Any]) -> tuple[Annotation, ...]:
    """The label events of a row of `labels.jsonl`, oldest first."""
    return _EVENTS.validate_python(row.get("history") or ())


def latest(events: Iterable[Annotation]) -> list[Annotation]:
    """The newest event of each person and each machine; older ones are superseded, and stand in the record only."""
    return list({e.by: e for e in events if not e.by.startswith(MAJORITY)}.values())


def record_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """All of a row that no other tool has a field for. What an earlier run recorded of the text is its `before`."""
    earlier = (row.get("meta") or {}).get(RECORD)
    return {name: row.get(name) for name in KEPT} | ({} if earlier is None else {"before": earlier})


def others_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The user's own columns."""
    return {key: value for key, value in (row.get("meta") or {}).items() if key != RECORD}


def read_record(value: object, where: str) -> dict[str, Any]:
    """What `record_of` wrote, or its JSON text; empty where there is none."""
    if value is None:
        return {}
    try:
        record = json.loads(value) if isinstance(value, str) else value
        if not isinstance(record, dict):
            raise BadInput(
                f"{where}: the record {RECORD!r} is {short(record)}, no object", "leave it as it was, or out"
            )
        found = cast("dict[str, Any]", record)
        _EVENTS.validate_python(found.get("history") or ())
    except (ValueError, RecursionError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise BadInput(
            f"{where}: the record {RECORD!r} cannot be read: {reason}", "leave it as it was, or out"
        ) from error
    return found


def brought_up(
    record: Mapping[str, Any], example: str, said: Sequence[Said], mark: Callable[[Annotation], str], tool: str
) -> dict[str, Any]:
    """The record, with an event for each thing said that it does not know, and with what stands after it.

    Args:
        mark: tells which event a thing said can be; it is known where the newest event of that mark says the same.
        tool: begins the ids of new events.
    """
    history = events_of(record)
    last = {mark(e): e for e in history}
    news = [each for each in said if not _known(last.get(each.mark), each)]
    if not news:
        return {"origin": "pool", "history": [], **record}
    made = [_machine(f"{tool}/{len(history) + n}/{example}", example, s) for n, s in enumerate(news) if not s.human]
    people = [each for each in news if each.human]
    if people:
        name = f"{tool}/{len(history) + len(news)}/{example}"
        made += annotations(name, example, _voted(history, people, last))
    every = list(history)
    for event in made:
        every.append(event.model_copy(update={"supersedes": every[-1].id if every else None}))
    stands = every[-1] if people or all(e.provenance == "machine" for e in history) else None
    return {
        **record,
        **({} if stands is None else _standing(stands)),
        "origin": record.get("origin") or "pool",
        "history": [e.model_dump(mode="json", exclude_defaults=True) for e in every],
    }


def upload_row(data: Mapping[str, Any], meta: Mapping[str, Any], record: Mapping[str, Any], where: str) -> Row:
    """One row of an upload: the columns of both, the record, and people's label where no column holds one.

    Machines' labels stay in the record: what is uploaded as a label is taken for the truth.

    Raises:
        BadInput: a name stands in both with different values, or is that of the record.
    """
    for key, value in meta.items():
        if key in data and data[key] != value:
            raise BadInput(f"{where}: {key!r} stands twice, with different values", "rename one of them")
    if RECORD in data or RECORD in meta:
        raise BadInput(f"{where} has a column {RECORD!r}, the name of its record", "rename it")
    label = record.get("label") if record.get("provenance") in ("human", "confirmed") else None
    column = {**data, **meta}.get("label")
    if label is not None and column not in (None, "", label):
        what = f"{where}: people say {short(label)}, and its column 'label' says {short(column)}"
        raise BadInput(what, "rename that column")
    return {**data, **meta, "label": column or label, **({RECORD: dict(record)} if record.get("history") else {})}


def _standing(event: Annotation) -> dict[str, Any]:
    return {
        "label": event.answer.label,
        "confidence": event.confidence,
        "provenance": event.provenance,
        "by": event.by,
    }


def _known(event: Annotation | None, said: Said) -> bool:
    if event is None or (event.provenance != "machine") != said.human:
        return False
    return event.answer.label == said.label and (event.use == "discard") == said.discard


def _machine(name: str, example: str, said: Said) -> Annotation:
    return Annotation(
        id=name,
        example=example,
        answer=ClassAnswer(label=said.label),
        confidence=said.confidence,
        by=said.by,
        provenance="machine",
        why=said.why,
    )


def _voted(history: Sequence[Annotation], news: Sequence[Said], last: Mapping[str, Annotation]) -> Response:
    """What all people come to; an answer that changed takes the place of the one that it was."""
    people = {e.by: (_again(e), False) for e in latest(history) if e.provenance != "machine"}
    for said in news:
        known = last.get(said.mark)
        if known is not None and known.provenance != "machine":
            people.pop(known.by, None)
        paid = 0 if known is not None or said.by in people else 1
        people[said.by] = (_response(said, paid), True)
    return settled([each for each, _ in people.values()], [fresh for _, fresh in people.values()])


def _again(event: Annotation) -> Response:
    name = event.by.removeprefix("human:")
    return Response(
        event.answer.label, 0.0, name, event.provenance == "confirmed", 0, event.use == "discard", event.why
    )


def _response(said: Said, labels: int) -> Response:
    name = said.by.removeprefix("human:")
    return Response(said.label, said.seconds, name, said.confirmed, labels, said.discard, said.why)
