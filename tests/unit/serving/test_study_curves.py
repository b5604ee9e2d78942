"""Which points the learning curves of a study have where a scout serves the rounds."""

import json
from pathlib import Path

import pytest

from evaluation.records import Comparison
from evaluation.study import Study, parse
from serving.studies.results import leave
from tests.support.toy_studies import SMALL, done, toy_study

SCOUTED = """
[[arms]]
name = "scouted"
scout = { kind = "linear" }
steps = [
  { query = { kind = "random" }, size = 8 },
  { query = { kind = "margin" }, size = 4 },
  { query = { kind = "margin" }, size = 4 },
]
"""


def labels_seen(folder: Path, student: str) -> set[tuple[int, ...]]:
    record = Comparison.model_validate_json((folder / "weather.json").read_text())
    found = record.of("scouted", student)
    assert found
    for cell in found:
        assert [point.cost.human_labels for point in cell.curve] == [point.human_labels for point in cell.curve]
        assert all(point.predictions and len(point.predictions) == 30 for point in cell.curve)
    return {tuple(point.human_labels for point in cell.curve) for cell in found}


def scouted(**changes: object) -> Study:
    return parse(SMALL + SCOUTED).model_copy(update={"sets": ("weather",), "full": False, **changes})


def test_a_scout_that_is_the_students_own_model_gives_its_curve_the_points_of_all_rounds(tmp_path: Path) -> None:
    work = toy_study(scouted(), tmp_path)
    ended = done(work)
    leave(work, ended, tmp_path / "out")
    assert labels_seen(tmp_path / "out", "linear") == {(8, 12, 16)}
    assert labels_seen(tmp_path / "out", "svm") == {(16,)}, "another model: it is trained at the end alone"
    for item in work.items:
        if item.plan and item.plan.arm == "scouted" and item.plan.student == "linear":
            record = ended.done[item.key].record
            assert record.scouts[-1].predictions == record.curve[-1].predictions, "the last scout is the student"


def test_an_area_is_named_of_such_an_arm_and_of_no_other() -> None:
    contrast = {"a": "scouted", "b": "random", "measure": {"kind": "area"}}
    given = json.loads(scouted().model_dump_json()) | {"contrasts": [{**contrast, "student": "linear"}]}
    assert Study.model_validate(given).contrasts[0].student == "linear"
    alone = "'scouted' is measured at its end alone, and an area needs a curve"
    with pytest.raises(ValueError, match=alone):
        Study.model_validate(given | {"contrasts": [{**contrast, "student": "svm"}]})
    with pytest.raises(ValueError, match=alone):
        Study.model_validate(given | {"points": [8, 16]})
