"""Labels go out to other tools and come back: ids, texts, other columns, every label event; and what was said since."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import Annotation, ClassAnswer, Cost
from agent.errors import BadInput
from serving.exchange import argilla, label_studio
from serving.exchange.arrays import array, objects
from serving.exchange.files import ToolFormat, labels_as, tool_rows
from serving.exchange.label_config import Controls, config_of, controls_of
from tests.support.questions import TASK

FORMATS: tuple[ToolFormat, ...] = ("label-studio", "argilla")
PLAIN = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
SHARE = st.none() | st.floats(0, 1)
RESERVED = ("id", "text", "text_b", "label", "thresher")
META = st.dictionaries(
    PLAIN.filter(lambda key: key not in RESERVED),
    st.none() | st.booleans() | st.integers(-9, 9) | PLAIN | st.lists(PLAIN, max_size=2),
    max_size=3,
)


@st.composite
def histories(draw: st.DrawFn, example: str) -> list[Annotation]:
    """What a machine and some people said of a text, each superseding what was said before."""
    found: list[Annotation] = []
    for n in range(draw(st.integers(1, 4))):
        by = draw(st.sampled_from(["llm:qwen@annotate/label@1#ab", "human:ann", "human:label-studio:3", "human:é\x00"]))
        label = draw(st.none() | st.sampled_from(TASK.names))
        machine = by.startswith("llm")
        share = draw(st.floats(0, 1))
        raw = {TASK.names[0]: share, TASK.names[1]: 1 - share} if machine and label else None
        found.append(
            Annotation(
                id=f"{n}/human/{example}",
                example=example,
                answer=ClassAnswer(label=label, raw=raw, calibrated=raw, label_mass=share if raw else None),
                confidence=draw(SHARE) if machine else None,
                by=by,
                provenance="machine" if machine else draw(st.sampled_from(["human", "confirmed"])),
                use="discard" if label is None and not machine and draw(st.booleans()) else "train",
                why=draw(st.sampled_from(["", "cannot decide"])),
                cost=Cost(human_labels=0 if machine else 1, human_seconds=0 if machine else draw(st.floats(0, 1e4))),
                supersedes=found[-1].id if found else None,
            )
        )
    return found


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    """A row as `labels.jsonl` holds it, with the other columns of its upload."""
    id_ = draw(PLAIN)
    events = draw(histories(id_))
    pair = draw(st.none() | PLAIN)
    return {
        "id": id_,
        "text": draw(PLAIN),
        **({} if pair is None else {"text_b": pair}),
        "label": events[-1].answer.label,
        "confidence": events[-1].confidence,
        "provenance": events[-1].provenance,
        "by": events[-1].by,
        "origin": draw(st.sampled_from(["pool", "generated"])),
        "history": [e.model_dump(mode="json", exclude_defaults=True) for e in events],
        "meta": draw(META),
    }


def back(found: list[dict[str, Any]], format_: ToolFormat, size: int = 13) -> list[dict[str, Any]]:
    """Rows that were written as a file, and read from it a few bytes at a time."""
    content = b"".join(labels_as(found, format_))
    return list(tool_rows((content[i : i + size] for i in range(0, len(content), size)), format_, "the file"))


@pytest.mark.parametrize("format_", FORMATS)
@settings(deadline=None)
@given(found=st.lists(rows(), max_size=3))
def test_nothing_is_lost_on_the_way_out_and_back(format_: ToolFormat, found: list[dict[str, Any]]) -> None:
    read = back(found, format_)
    assert len(read) == len(found)
    for row, was in zip(read, found, strict=True):
        record = row.pop("thresher")
        assert record == {name: was[name] for name in ("label", "confidence", "provenance", "by", "origin", "history")}
        assert row.pop("label") == (None if was["provenance"] == "machine" else was["label"])
        assert row == {"id": was["id"], "text": was["text"], **was["meta"]} | (
            {"text_b": was["text_b"]} if "text_b" in was else {}
        )


@pytest.mark.parametrize("format_", FORMATS)
@settings(deadline=None)
@given(was=rows())
def test_a_second_run_keeps_what_the_first_recorded(format_: ToolFormat, was: dict[str, Any]) -> None:
    """The uploaded row's other columns are those of the next run, which records something else."""
    (row,) = back([was], format_)
    meta = {key: value for key, value in row.items() if key not in ("id", "text", "text_b", "label")}
    (again,) = back([{**was, "history": was["history"][:1], "meta": meta}], format_)
    assert again["thresher"]["before"] == row["thresher"]
    assert again["thresher"]["history"] == was["history"][:1]


def test_label_studio_sees_newest_labels_and_their_cost() -> None:
    machine = event("m", "sunny", "llm:x", "machine", confidence=0.7)
    first = event("h1", "sunny", "human:ann", "confirmed", seconds=2.0)
    second = event("h2", "rainy", "human:ann", "human", seconds=5.0)
    bad = event("h3", None, "human:bob", "human", use="discard")
    task = label_studio.task_of(row_with(machine, first, second, bad))
    assert [(p["model_version"], p["score"], chosen(p)) for p in task["predictions"]] == [("llm:x", 0.7, "sunny")]
    assert [(chosen(a), a["lead_time"]) for a in task["annotations"]] == [("rainy", 5.0), ("bad text", 0.0)]
    assert task["annotations"][1]["result"][0]["from_name"] == "verdict"


def test_argilla_sees_a_suggestion_and_responses() -> None:
    machine = event("m", "sunny", "llm:x", "machine", confidence=0.7)
    person = event("h", "rainy", "human:ann", "human")
    unsure = event("u", None, "human:bob", "human")
    record = argilla.record_as(row_with(machine, person, unsure))
    assert record["suggestions"] == [
        {"question_name": "label", "value": "sunny", "score": 0.7, "agent": "llm:x", "type": "model"}
    ]
    assert [(r["value"], r["status"]) for r in record["responses"]] == [("rainy", "submitted")]
    assert record["status"] == "completed"
    assert isinstance(record["metadata"]["thresher"], str), "its metadata are flat"


def test_what_people_did_in_label_studio_since_is_news_and_nothing_else_is() -> None:
    """Label Studio gives its own numbers, keeps regions and meta, and says who annotated."""
    task = label_studio.task_of(
        row_with(event("m", "sunny", "llm:x", "machine"), event("h", "sunny", "human:ann", "human"))
    )
    exported = json.loads(json.dumps(task))
    (known,) = exported["annotations"]
    known |= {"id": 91, "import_id": known["id"], "completed_by": 1}
    assert label_studio.row_of(exported, "x")["thresher"] == task["meta"]["thresher"]
    changed = json.loads(json.dumps(exported))
    changed["annotations"][0]["result"][0]["value"]["choices"] = ["rainy"]
    record = label_studio.row_of(changed, "x")["thresher"]
    assert (record["label"], record["by"], len(record["history"])) == ("rainy", "human:label-studio:1", 3)
    assert record["history"][-1]["supersedes"] == "h"
    exported["annotations"] += [
        annotation("rainy", 2),
        annotation("rainy", 3),
        {**annotation("x", 4), "was_cancelled": True},
    ]
    row = label_studio.row_of(exported, "x")
    record = row["thresher"]
    assert (row["label"], record["by"]) == ("rainy", "human:majority of 3")
    assert [e["by"] for e in record["history"]][2:] == [
        "human:label-studio:2",
        "human:label-studio:3",
        "human:majority of 3",
    ]


def test_files_that_label_studio_and_argilla_wrote_themselves() -> None:
    plain = {
        "id": 5,
        "data": {"text": "warm", "source": "mail"},
        "annotations": [annotation("sunny", 1)],
        "meta": {},
        "predictions": [7],
    }
    row = label_studio.row_of(plain, "x")
    assert (row["id"], row["label"], row["source"]) == (5, "sunny", "mail")
    assert row["thresher"]["history"][0]["cost"] == {"human_labels": 1, "human_seconds": 3.0}
    guessed = {"data": {"text": "warm"}, "predictions": [{"result": annotation("sunny", 1)["result"], "score": 12.5}]}
    row = label_studio.row_of(guessed, "x")
    assert row["label"] is None, "what a machine says is no truth"
    assert (row["thresher"]["label"], row["thresher"]["history"][0]["why"]) == ("sunny", "score 12.5")
    record = {
        "id": "a",
        "fields": {"text": "warm"},
        "suggestions": {"label": {"value": "rainy", "score": 0.6, "agent": "m"}},
        "responses": {"label": [{"value": "sunny", "user_id": "u1"}, {"value": "sunny", "status": "draft"}]},
    }
    row = argilla.row_as(record, "x")
    assert (row["id"], row["label"], len(row["thresher"]["history"])) == ("a", "sunny", 2)
    assert (
        argilla.row_as({"fields": {"text": "x"}, "responses": [{"status": "discarded"}]}, "x")["thresher"]["history"][
            0
        ]["use"]
        == "discard"
    )


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"data": {}}, "'data' is {}"),
        ({"data": {"text": "a"}, "meta": ["x"]}, "'meta' is ['x']"),
        ({"data": {"text": "a", "n": 1}, "meta": {"n": 2}}, "'n' stands twice"),
        ({"data": {"text": "a", "thresher": 1}}, "column 'thresher'"),
        ({"data": {"text": "a"}, "meta": {"thresher": {"history": [{"id": 1}]}}}, "cannot be read"),
        ({"data": {"text": "a"}, "meta": {"thresher": "{"}}, "cannot be read"),
        ({"data": {"text": "a"}, "meta": {"thresher": [1]}}, "no object"),
        ({"data": {"text": "a"}, "annotations": [3]}, "holds 3, no object"),
        ({"data": {"text": "a"}, "annotations": 3}, "'annotations' is 3"),
        (
            {"data": {"text": "a"}, "annotations": [{"result": [{"type": "labels", "value": {}}]}]},
            "no choice of a label",
        ),
        ({"data": {"text": "a"}, "annotations": [{"result": [{"value": {"choices": ["a", "b"]}}]}]}, "chosen at once"),
        ({"data": {"text": "a"}, "annotations": [{"result": [{"value": {"choices": [c]}} for c in "ab"]}]}, "2 labels"),
        (
            {"data": {"text": "a", "label": "x"}, "annotations": [{"result": [{"value": {"choices": ["b"]}}]}]},
            "people say 'b', and its column 'label' says 'x'",
        ),
    ],
)
def test_tasks_that_are_none_are_refused_by_name(task: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput) as refusal:
        list(tool_rows([json.dumps([{"data": {"text": "fine"}}, task]).encode()], "label-studio", "the file"))
    assert said in refusal.value.what
    assert refusal.value.what.startswith("the file item 2")


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"fields": {}}, "'fields' is {}"),
        ({"fields": {"text": "a"}, "responses": [{"value": 3, "status": "submitted"}]}, "is 3, no label"),
        (
            {"fields": {"text": "a"}, "responses": {"a": [{"value": "x"}], "b": [{"value": "y"}]}},
            "several questions: a, b",
        ),
        ({"fields": {"text": "a"}, "suggestions": "x"}, "'suggestions' is 'x'"),
    ],
)
def test_records_that_are_none_are_refused_by_name(record: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput) as refusal:
        list(tool_rows([json.dumps(record).encode()], "argilla", "the file"))
    assert said in refusal.value.what


@settings(deadline=None)
@given(items=st.lists(st.dictionaries(PLAIN, PLAIN | st.floats(allow_nan=False)), max_size=4), size=st.integers(1, 9))
def test_arrays_and_lines_are_read_as_they_arrive(items: list[dict[str, Any]], size: int) -> None:
    lines = "\n".join(json.dumps(item) for item in items).encode()
    for content in (b"".join(array(items)), json.dumps(items, ensure_ascii=False).encode(), lines):
        assert list(objects((content[i : i + size] for i in range(0, len(content), size)), "x")) == items


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[{"a": 1}', "breaks off behind item 1"),
        ('[{"a": 1} {"b": 2}]', "breaks off behind item 1"),
        ('[{"a": 1}] {}', "goes on behind its array"),
        ('[{"a": 1}, 3]', "item 2 is not a JSON object: '3]'"),
        ('{"a": 1', "item 1 is not valid JSON"),
        ('{"a": ' + '"x' * 600_000, "longer than 1,000,000 characters"),
        ('{"a":' + "[" * 200_000, "item 1 is not valid JSON"),
    ],
)
def test_what_is_no_array_of_objects_is_refused(content: str, said: str) -> None:
    with pytest.raises(BadInput, match=said.replace("[", r"\[")):
        list(objects([content.encode()], "x"))


@settings(deadline=None)
@given(guidelines=st.text(max_size=40), pairs=st.booleans())
def test_our_configuration_is_understood(guidelines: str, pairs: bool) -> None:
    config = config_of(TASK.model_copy(update={"guidelines": guidelines}), pairs=pairs)
    assert controls_of(config, TASK.names) == Controls()
    assert ("$text_b" in config) == pairs


CONFIG = '<View><Text name="t" value="$text"/><Choices name="mood" toName="t"{more}>{choices}</Choices></View>'


def test_a_configuration_of_ones_own_may_call_things_as_it_likes() -> None:
    choices = '<Choice value="sunny"/><Choice alias="rainy" value="Wet"/>'
    assert controls_of(CONFIG.format(more="", choices=choices), TASK.names) == Controls("mood", "t", "")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("<View>", "is no XML"),
        ("<View/>", "has 0 controls"),
        (CONFIG.format(more="", choices='<Choice value="hail"/>'), "the choice 'hail', no label of the task"),
        (CONFIG.format(more="", choices='<Choice value="sunny"/>'), "lacks the choice 'rainy'"),
        (CONFIG.format(more=' choice="multiple"', choices='<Choice value="sunny"/><Choice value="rainy"/>'), "several"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><View/>', "declares a document type"),
        ("\ud800", "is no XML"),
    ],
)
def test_a_configuration_for_another_task_is_refused(config: str, said: str) -> None:
    with pytest.raises(BadInput) as refusal:
        controls_of(config, TASK.names)
    assert said in refusal.value.what


def event(
    id_: str,
    label: str | None,
    by: str,
    provenance: Any,
    *,
    seconds: float = 0.0,
    confidence: float | None = None,
    use: Any = "train",
) -> Annotation:
    answer, cost = ClassAnswer(label=label), Cost(human_seconds=seconds)
    return Annotation(
        id=id_, example="a", answer=answer, by=by, provenance=provenance, cost=cost, confidence=confidence, use=use
    )


def row_with(*events: Annotation) -> dict[str, Any]:
    last = events[-1]
    stands = {"label": last.answer.label, "confidence": None, "provenance": last.provenance, "by": last.by}
    history = [e.model_dump(mode="json", exclude_defaults=True) for e in events]
    return {"id": "a", "text": "warm", **stands, "origin": "pool", "history": history}


def annotation(label: str, who: int) -> dict[str, Any]:
    region = {
        "id": f"r{who}",
        "from_name": "label",
        "to_name": "text",
        "type": "choices",
        "value": {"choices": [label]},
    }
    return {"id": who, "completed_by": who, "result": [region], "was_cancelled": False, "lead_time": 3.0}


def chosen(said: dict[str, Any]) -> str:
    return said["result"][0]["value"]["choices"][0]
