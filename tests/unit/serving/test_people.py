"""People who answer through a file: nothing they wrote is lost or misread."""

import csv
from pathlib import Path

import pytest
from pydantic import ValidationError

from agent.domain import Example, LabelCard, Task
from agent.errors import BadInput, Waiting
from serving.runs.people import FilePeople

TASK = Task(name="t", labels=(LabelCard(name="Fresh"), LabelCard(name="rotten")))
TEXTS = ("plain", 'with "quotes", commas', "two\nlines", "=1+1")
EXAMPLES = [Example(id=f"e{i}", text=text) for i, text in enumerate(TEXTS)]


def waiting(folder: Path, examples: list[Example] = EXAMPLES) -> Path:
    with pytest.raises(Waiting) as caught:
        FilePeople(folder, TASK).answers(examples, 2)
    path = folder / "round-2.csv"
    assert str(path) in caught.value.hint
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def fill(path: Path, *labels: str) -> None:
    found = rows(path)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, found[0].keys())
        writer.writeheader()
        writer.writerows({**row, "label": label} for row, label in zip(found, labels, strict=True))


def test_the_file_holds_the_texts_as_they_are_and_no_opinion(tmp_path: Path) -> None:
    found = rows(waiting(tmp_path))
    assert [(row["id"], row["text"], row["label"]) for row in found] == [(e.id, e.text, "") for e in EXAMPLES]
    assert found[0].keys() == {"id", "text", "label"}


def test_filled_labels_come_back_and_a_question_mark_is_no_label(tmp_path: Path) -> None:
    fill(waiting(tmp_path), "Fresh", " rotten ", "?", "FRESH")
    answers = FilePeople(tmp_path, TASK, "ann").answers(EXAMPLES, 2)
    assert [answers[e.id].label for e in EXAMPLES] == ["Fresh", "rotten", None, "Fresh"]
    assert {answer.name for answer in answers.values()} == {"ann"}


def test_a_half_filled_file_waits_for_the_rest_and_keeps_what_is_there(tmp_path: Path) -> None:
    path = waiting(tmp_path)
    fill(path, "Fresh", "", "?", "")
    with pytest.raises(Waiting, match="2 examples wait") as caught:
        FilePeople(tmp_path, TASK).answers(EXAMPLES, 2)
    assert caught.value.missing == ("e1", "e3")
    assert [row["label"] for row in rows(path)] == ["Fresh", "", "?", ""]


def test_a_wrong_label_is_named_with_file_and_id_and_the_file_is_left_alone(tmp_path: Path) -> None:
    path = waiting(tmp_path)
    fill(path, "Fresh", "stale", "?", "rotten")
    before = path.read_bytes()
    with pytest.raises(
        BadInput, match=r"round-2.csv: 'e1' is labelled 'stale', no label of the task; use one of Fresh, rotten, or \?"
    ):
        FilePeople(tmp_path, TASK).answers(EXAMPLES, 2)
    assert path.read_bytes() == before


def test_a_label_is_found_whatever_its_case_since_no_two_differ_in_case_only(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="two labels have the same name 'us' and 'US'"):
        Task(name="t", labels=(LabelCard(name="us", word="we"), LabelCard(name="US", word="country")))
    fill(waiting(tmp_path), "FRESH", "fresh", "Rotten", "?")
    answers = FilePeople(tmp_path, TASK).answers(EXAMPLES, 2)
    assert [answers[f"e{i}"].label for i in range(4)] == ["Fresh", "Fresh", "rotten", None]


def test_pairs_show_both_halves(tmp_path: Path) -> None:
    (row,) = rows(waiting(tmp_path, [Example(id="p", text="one", text_b="two")]))
    assert (row["text"], row["text_b"]) == ("one", "two")


def test_a_file_that_lost_its_columns_is_refused(tmp_path: Path) -> None:
    path = waiting(tmp_path)
    path.write_text("id;text;label\ne0;plain;Fresh\n", encoding="utf-8")
    with pytest.raises(BadInput, match="has lost its columns"):
        FilePeople(tmp_path, TASK).answers(EXAMPLES, 2)


def test_a_file_saved_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = waiting(tmp_path)
    path.write_bytes("id,text,label\ne0,café,Fresh\n".encode("latin-1"))
    with pytest.raises(BadInput, match="is not UTF-8"):
        FilePeople(tmp_path, TASK).answers(EXAMPLES, 2)


def test_nothing_to_ask_writes_nothing(tmp_path: Path) -> None:
    assert FilePeople(tmp_path, TASK).answers([], 0) == {}
    assert list(tmp_path.iterdir()) == []
