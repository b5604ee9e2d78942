"""What a study says of the LLM as selector, from the records of its cells."""

import csv
import io
import math
from pathlib import Path

import pytest

from evaluation import selecting
from evaluation.rebuild import made
from evaluation.records import Cell, Choosing
from evaluation.study_record import StudyLeft
from serving.studies import folders
from serving.studies.results import leave
from tests.support.toy_runs import Remembering
from tests.support.toy_studies import done, small, toy_study


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> StudyLeft:
    """One arm chooses by the LLM, which takes the last texts of each list."""
    llm = {"kind": "llm", "list_size": 6, "per_list": 3}
    arms = [
        {"name": "LLM selects", "first": llm, "strategy": llm},
        {"strategy": {"kind": "random"}},
    ]
    home: Path = tmp_path_factory.mktemp("selecting")
    work = toy_study(small(arms=arms, contrasts=[], students=["svm"], shuffles=2), home, Remembering())
    leave(work, done(work), work_out := home / "out")
    found = folders.load(work_out)
    assert isinstance(found, StudyLeft)
    return found


def test_arms_whose_texts_the_llm_chose_have_a_row_and_no_others(left: StudyLeft) -> None:
    sheet = selecting.sheet(left.overall)
    assert [row[:2] for row in sheet.rows] == [("LLM selects", "svm")]
    said = dict(zip(sheet.head, sheet.rows[0], strict=True))
    assert said["no answer"] == "0 %"
    wrong = [cell.choosing.miscounted for cell in left.overall.cells("LLM selects", "svm") if cell.choosing]
    assert said["wrong number"] == f"{100 * sum(wrong) / len(wrong):.0f} %"
    rows, chance = said["in rows (chance)"].split()
    assert float(rows) == 1.0, "the last three of each list stand side by side"
    first, second, third, last = map(int, said["by quarter"].split(" / "))
    assert first == second == 0
    assert third > last > 0
    assert third + last == 100
    assert 0.0 < float(chance.strip("()")) < 1.0


def test_picks_are_counted_by_gold_label_beside_the_pool(left: StudyLeft) -> None:
    for name, each in left.overall.sets.items():
        cells = each.of("LLM selects", "svm")
        assert all(cell.choosing is not None and cell.choosing.own for cell in cells)
        table = selecting.classes(left.overall, name)
        assert [row[0] for row in table.rows] == ["pool", "LLM selects"]
        assert sum(float(share.removesuffix(" %")) for share in table.rows[1][2:]) == pytest.approx(100, abs=2)


def test_overlap_is_that_of_pairs_of_shuffles(left: StudyLeft) -> None:
    jaccard, chance = selecting.overlaps(left.overall, "LLM selects", "svm")
    own = [
        [set(cell.choosing.own) for cell in each.of("LLM selects", "svm") if cell.choosing]
        for each in left.overall.comparisons
    ]
    assert jaccard == pytest.approx(sum(len(a & b) / len(a | b) for a, b in own) / len(own))
    assert 0.0 < chance < 1.0


def test_terminal_page_and_raw_rows_say_it(left: StudyLeft) -> None:
    again = made(left)
    head = "arm          student  filled       by quarter  in rows (chance)"
    assert head in again.text
    assert selecting.LEGEND in again.text
    assert "own picks by gold label" in again.page
    rows = list(csv.DictReader(io.StringIO(folders.csv_text(again.rows["cells"]))))
    picked = {row["arm"]: row["own_picks"] for row in rows}
    assert picked["random"] == ""
    assert len(picked["LLM selects"].split()) > 3


def test_records_made_before_this_was_kept_can_be_read(left: StudyLeft) -> None:
    (name, one), *_ = left.overall.sets.items()
    cell = one.of("LLM selects", "svm")[0]
    old = cell.model_dump(mode="json", exclude={"choosing"})
    assert Cell.model_validate(old).choosing is None
    assert Cell.model_validate(cell.model_dump(mode="json")) == cell
    bare = StudyLeft(left.record, {name: one.model_copy(update={"cells": (Cell.model_validate(old),)})})
    assert not selecting.told(bare.overall)


def test_what_is_undefined_is_a_dash_and_null() -> None:
    by = Choosing(classes={"sunny": math.nan})
    assert by.model_dump(mode="json")["classes"] == {"sunny": None}
    assert Choosing.model_validate_json(by.model_dump_json()) == by
