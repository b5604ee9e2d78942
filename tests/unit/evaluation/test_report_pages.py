import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import evaluation
from evaluation.records import Arm, Cell, Comparison, Point, RunSummary
from evaluation.report import page, write_report
from tests.unit.evaluation.made_up import HOSTILE, comparison, summary

VOID = {"meta", "br", "link", "img", "hr", "input"}


class Outline(HTMLParser):
    """Checks nesting and collects tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def outline(record: Comparison | RunSummary) -> Outline:
    parsed = Outline()
    parsed.feed(page(record))
    parsed.close()
    assert parsed.open == []
    return parsed


def bare() -> Comparison:
    cells = (Cell(arm="a", seed=0, student="svm", curve=(Point(human_labels=8, accuracy=0.7),)),)
    return Comparison(name="n", task="t", classes=("x", "y"), budget=8, arms=(Arm(name="a"),), cells=cells)


RECORDS = {
    "whole": comparison(test=60),
    "bare": bare(),
    "run": summary(),
    "empty run": RunSummary(run="r", task="t"),
    "run with a test set": summary().model_copy(
        update={"curve": (Point(human_labels=8, accuracy=0.6), Point(human_labels=16, accuracy=0.7))}
    ),
    "run with an audit": summary().model_copy(update={"audit": comparison(test=60).labels, "classes": ("x", "y")}),
}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS.keys())
def test_every_page_is_well_formed_and_needs_nothing_else(record: Comparison | RunSummary):
    found = outline(record)
    assert not {"script", "link", "img", "iframe"} & set(found.tags)
    assert not [value for name, value in found.attributes if name in {"src", "href"} or name.startswith("on")]
    assert not re.search(r"url\(|@import", page(record))
    assert not re.search(r"\bnan\b|\bNone\b|undefined|Markup\(", found.text)


@pytest.mark.parametrize("record", [RECORDS["whole"], RECORDS["run"]], ids=["comparison", "run"])
def test_a_script_in_a_text_stays_text(record: Comparison | RunSummary):
    assert HOSTILE in outline(record).text
    assert HOSTILE not in page(record)


def test_the_page_of_a_comparison_has_every_part():
    found = outline(RECORDS["whole"])
    anchors = {value for name, value in found.attributes if name == "id"}
    expected = {"curves", "budget", "arms", "spend", "provenance", "labels", "selector", "settings", "caveats"}
    assert anchors == expected
    for words in ("Qwen2.5-0.5B-Instruct", "Coder, Q4_K_M", "1d96", "scattertext", "annotate/label@1#abcdef012345"):
        assert words in found.text
    assert found.tags.count("svg") == 2 + 2 + 2 + 2


def test_what_a_run_noted_is_a_column_of_its_spend():
    noted = bare()
    cell = noted.cells[0].model_copy(update={"notes": {"training seconds": 61.25}})
    text = outline(noted.model_copy(update={"cells": (cell,)})).text
    assert "training seconds" in text
    assert "61.25" in text


def test_the_manual_names_every_module():
    folder = Path(evaluation.__file__).parent
    manual = (folder / "README.md").read_text(encoding="utf-8")
    assert not [
        each.name for each in folder.glob("*.py") if each.name != "__init__.py" and f"`{each.name}`" not in manual
    ]


def test_what_is_not_known_is_not_on_the_page():
    anchors = {value for name, value in outline(RECORDS["bare"]).attributes if name == "id"}
    assert not anchors & {"labels", "selector", "caveats"}
    assert "No arm is under test here" in outline(RECORDS["bare"]).text


def test_a_run_without_gold_labels_claims_no_accuracy():
    text = outline(RECORDS["run"]).text
    assert "124 mails labelled: 32 by people, 92 by the LLM." in text
    assert "Nothing here says how accurate the labels are" in text
    assert "Nothing here says" not in outline(RECORDS["run with a test set"]).text


def test_both_schemes_are_served():
    whole = page(RECORDS["whole"])
    assert "prefers-color-scheme: dark" in whole
    assert "@media print" in whole
    assert "--arm0: #c2410c" in whole


def test_the_same_record_makes_the_same_page():
    assert page(RECORDS["whole"]) == page(Comparison.model_validate_json(RECORDS["whole"].model_dump_json()))


def test_a_report_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path):
    path = write_report(bare(), tmp_path / "new" / "report.html")
    assert path.read_text(encoding="utf-8") == page(bare())
    assert [each.name for each in path.parent.iterdir()] == ["report.html"]
