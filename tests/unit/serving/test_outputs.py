"""What a run leaves: labels with their history, a student, a record. Each is whole or absent."""

import json
from pathlib import Path

import pytest

from agent.domain import Annotation, ClassAnswer, Cost, Example
from agent.loop import Outcome
from agent.pool import Pool
from agent.protocols import Columns
from serving.runs.outputs import Record, label_counts, write_labels, write_record, write_student
from serving.system import atomic
from tests.support.questions import TASK
from tests.support.toy_jobs import toy_job, toy_worker


def pool() -> Pool:
    columns = Columns(["a", "b", "c", "d"], ["eins", "zwei \u2028 – é", "drei", "vier"])
    answer = ClassAnswer(
        label="sunny", raw={"sunny": 0.7, "rainy": 0.3}, calibrated={"sunny": 0.6, "rainy": 0.4}, label_mass=0.9
    )
    machine = Annotation(id="m", example="a", answer=answer, confidence=0.6, by="llm:x@p@1#0", provenance="machine")
    other = machine.model_copy(update={"id": "m2", "example": "g"})
    person = Annotation(
        id="h",
        example="a",
        answer=ClassAnswer(label="rainy"),
        by="human:ann",
        provenance="human",
        cost=Cost(human_labels=1),
        supersedes="m",
    )
    undecided = person.model_copy(update={"id": "h2", "example": "b", "answer": ClassAnswer(label=None)})
    grown = Pool.of(TASK, columns).admit([Example(id="g", text="neu", origin="generated")])
    return grown.label([machine, person, undecided, other])


def test_labels_come_with_their_provenance_and_whole_history(tmp_path: Path) -> None:
    write_labels(tmp_path / "labels.jsonl", pool())
    lines = (tmp_path / "labels.jsonl").read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    a, b, g = (json.loads(line) for line in lines)
    assert (a["id"], a["text"], a["label"], a["provenance"], a["by"]) == ("a", "eins", "rainy", "human", "human:ann")
    assert [e["id"] for e in a["history"]] == ["m", "h"]
    assert a["history"][0]["answer"]["calibrated"] == {"sunny": 0.6, "rainy": 0.4}
    assert a["history"][1]["supersedes"] == "m"
    assert (b["label"], b["provenance"]) == (None, "human")
    assert (g["origin"], g["label"], g["confidence"]) == ("generated", "sunny", 0.6)
    assert "drei" not in "".join(lines), "a text without an answer has no label line"


def test_counts_are_of_standing_labels(tmp_path: Path) -> None:
    found = {count.label: (count.human, count.machine) for count in label_counts(pool())}
    assert found == {"sunny": (0, 1), "rainy": (1, 0)}


class Halting:
    """A student whose saving fails half way."""

    def save(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "half").write_text("x", encoding="utf-8")
        raise OSError("no space left on device")


def outcome(student: object) -> Outcome:
    return Outcome(student, pool(), None, (), ())


def test_a_student_that_cannot_be_saved_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "old").write_text("x", encoding="utf-8")
    with pytest.raises(OSError, match="no space"):
        write_student(tmp_path / "student", outcome(Halting()))
    assert [path.name for path in (tmp_path / "student").iterdir()] == ["old"]


def test_a_student_replaces_the_old_one_whole(tmp_path: Path) -> None:
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "old").write_text("x", encoding="utf-8")
    (tmp_path / ".student.part").mkdir()
    (tmp_path / ".student.part" / "rubbish").write_text("of a killed run", encoding="utf-8")
    worker = toy_worker(toy_job("random"), tmp_path / "work")
    write_student(tmp_path / "student", worker.outcome(worker.job.main))
    assert sorted(path.name for path in (tmp_path / "student").iterdir()) == ["arrays.npz", "student.json"]
    assert not (tmp_path / ".student.part").exists()


def test_files_appear_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_disk(_: Path) -> None:
        raise OSError("no space left on device")

    (tmp_path / "labels.jsonl").write_text("old", encoding="utf-8")
    monkeypatch.setattr(atomic, "sync", no_disk)
    with pytest.raises(OSError, match="no space"):
        write_labels(tmp_path / "labels.jsonl", pool())
    assert (tmp_path / "labels.jsonl").read_text(encoding="utf-8") == "old"


def test_a_record_reads_back_equal(tmp_path: Path) -> None:
    worker = toy_worker(toy_job("agent", "random", tested=False), tmp_path)
    record = Record(id=worker.job.id, thresher="0", job=worker.job, cells=worker.run(), seconds=1.5)
    write_record(tmp_path / "run.json", record)
    assert Record.model_validate_json((tmp_path / "run.json").read_bytes()) == record
