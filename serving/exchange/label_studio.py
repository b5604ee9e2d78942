"""Label Studio's tasks: a row of `labels.jsonl` as one of them, and back.

`data` holds id and texts, `predictions` the machine's labels, `annotations` those of people. `meta` holds the user's
other columns and, under `thresher`, the record of all label events: Label Studio keeps and returns it. What people did
there since is told apart by the ids of regions, which it keeps too.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, cast

from agent.domain import Annotation
from agent.errors import BadInput
from serving.exchange.history import (
    BAD,
    CANNOT,
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
from serving.exchange.label_config import Controls
from serving.runs.formats import Row, short

TOOL = "label-studio"
STANDARD = Controls()


def task_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `labels.jsonl`, with the user's other columns as its `meta`, for the configuration of `config_of`."""
    events = latest(events_of(row))
    return {
        "data": data_of(row["id"], row["text"], row.get("text_b")),
        "meta": {**others_of(row), RECORD: record_of(row)},
        "predictions": [_prediction(e) for e in events if e.provenance == "machine" and e.answer.label is not None],
        "annotations": [_annotation(e, n) for n, e in enumerate(events, 1) if e.provenance != "machine"],
    }


def data_of(id_: str, text: str, text_b: str | None) -> dict[str, str]:
    """The data of a task, by the names in our configuration."""
    return {"id": id_, "text": text} | ({} if text_b is None else {"text_b": text_b})


def region(mark: str, label: str, controls: Controls = STANDARD, *, verdict: bool = False) -> dict[str, Any]:
    """One choice in Label Studio's words."""
    return {
        "id": mark,
        "from_name": controls.verdict if verdict else controls.label,
        "to_name": controls.text,
        "type": "choices",
        "value": {"choices": [label]},
    }


def row_of(task: Mapping[str, Any], where: str) -> Row:
    """A task, as it was imported or exported, as a row of an upload.

    A skipped annotation says nothing, and leaves nothing. A prediction's score is a confidence where it can be one.

    Raises:
        BadInput: naming what in it is none of a task for one label of a text.
    """
    data, meta = (dict(_object(task, key, where)) for key in ("data", "meta"))
    record = read_record(meta.pop(RECORD, None), where)
    data.setdefault("id", task.get("id"))
    if data["id"] is None:
        del data["id"]
    said = [_predicted(each, where) for each in _objects(task, "predictions", where) if each.get("result")]
    annotated = _objects(task, "annotations", where)
    said += [_annotated(each, where) for each in annotated if not each.get("was_cancelled")]
    example = str(data.get("id") or where)
    return upload_row(data, meta, brought_up(record, example, said, mark_of, TOOL) if said else record, where)


def mark_of(event: Annotation) -> str:
    """The id of the region that stands for an event."""
    return hashlib.sha256(event.id.encode(errors="backslashreplace")).hexdigest()[:10]


def answer_of(result: object, where: str) -> tuple[str | None, str]:
    """Label and verdict that an annotation's regions come to: `label`, `undecided` (nothing is chosen) or `bad_text`.

    Raises:
        BadInput: a region is no choice, or several labels are chosen.
    """
    chosen = [_choice(each, where) for each in _list(result, "result", where)]
    if BAD in chosen:
        return None, "bad_text"
    labels = [each for each in chosen if each != CANNOT]
    if len(labels) > 1:
        raise BadInput(f"{where}: {len(labels)} labels are chosen, {short(labels[:3])}", "choose one")
    return (labels[0], "label") if labels and len(labels) == len(chosen) else (None, "undecided")


def _prediction(event: Annotation) -> dict[str, Any]:
    label = cast(str, event.answer.label)
    one = region(mark_of(event), label) | ({} if event.confidence is None else {"score": event.confidence})
    return {"model_version": event.by, "score": event.confidence, "result": [one]}


def _annotation(event: Annotation, n: int) -> dict[str, Any]:
    """Without `completed_by`: Label Studio refuses people whom it does not know, and takes whoever imports."""
    label = event.answer.label
    said = label if label is not None else BAD if event.use == "discard" else CANNOT
    return {
        "id": n,
        "result": [region(mark_of(event), said, verdict=label is None)],
        "was_cancelled": False,
        "ground_truth": False,
        "lead_time": event.cost.human_seconds,
    }


def _predicted(prediction: Mapping[str, Any], where: str) -> Said:
    label, _ = answer_of(prediction["result"], f"{where}: a prediction")
    score = prediction.get("score")
    number = score if isinstance(score, int | float) and not isinstance(score, bool) else None
    usable = number is not None and 0 <= number <= 1
    return Said(
        label=label,
        by=str(prediction.get("model_version") or TOOL),
        mark=_mark(prediction),
        human=False,
        confidence=number if usable else None,
        why="" if usable or number is None else f"score {number:g}",
    )


def _annotated(annotation: Mapping[str, Any], where: str) -> Said:
    label, verdict = answer_of(annotation.get("result"), f"{where}: an annotation")
    seconds = annotation.get("lead_time")
    return Said(
        label=label,
        by=f"human:{person_of(annotation.get('completed_by'))}",
        mark=_mark(annotation),
        seconds=float(seconds) if isinstance(seconds, int | float) and seconds >= 0 else 0.0,
        discard=verdict == "bad_text",
        why={"undecided": "cannot decide", "bad_text": "bad text"}.get(verdict, ""),
    )


def person_of(completed_by: object) -> str:
    """Who annotated, by Label Studio's number: exports hold it, or an object with it."""
    who = cast("dict[str, object]", completed_by).get("id") if isinstance(completed_by, dict) else completed_by
    return f"{TOOL}:{who if isinstance(who, int) else 'unknown'}"


def _mark(said: Mapping[str, Any]) -> str:
    return str(said["result"][0].get("id", "")) if said.get("result") else ""


def _choice(one: object, where: str) -> str:
    found = cast("dict[str, Any]", one) if isinstance(one, dict) else {}
    value = found.get("value")
    choices = cast("dict[str, Any]", value).get("choices") if isinstance(value, dict) else None
    if not isinstance(choices, list) or not choices:
        kind = short(found.get("type", one))
        raise BadInput(f"{where} has a region of type {kind}, no choice of a label", "leave it out")
    several = cast("list[object]", choices)
    if len(several) != 1 or not isinstance(several[0], str):
        raise BadInput(f"{where}: {short(several)} are chosen at once", "choose one label")
    return several[0]


def _object(task: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = task.get(key) or {}
    if not isinstance(value, dict) or (key == "data" and not value):
        raise BadInput(f"{where}: {key!r} is {short(value)}", f"give the task an object {key!r}")
    return cast("dict[str, Any]", value)


def _objects(task: Mapping[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    # An export names predictions by their numbers where it does not hold them.
    found = [each for each in _list(task.get(key), key, where) if not (key == "predictions" and isinstance(each, int))]
    if wrong := [each for each in found if not isinstance(each, dict)]:
        raise BadInput(f"{where}: {key!r} holds {short(wrong[0])}, no object", "leave it out")
    return cast("list[dict[str, Any]]", found)


def _list(value: object, key: str, where: str) -> list[object]:
    if not isinstance(value or [], list):
        raise BadInput(f"{where}: {key!r} is {short(value)}, no list", "give a list")
    return cast("list[object]", value or [])
