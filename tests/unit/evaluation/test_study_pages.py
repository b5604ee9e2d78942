"""The page of a study and of an ablation: whole, escaped, self-contained, with every part that a reader may ask for."""

import json
import math
import re
from dataclasses import replace

import pytest

from evaluation import ablation_view, figures, svg
from evaluation.ablation_effects import effects
from evaluation.ablation_view import ablation_document
from evaluation.document import Document
from evaluation.overall import curve_rows, sheet
from evaluation.rebuild import made, remeasured, row_differences, text_differences, told
from evaluation.report import drawn
from evaluation.shuffles import Effect
from evaluation.study_record import AblationRecord, Left, StudyLeft, StudyRecord
from evaluation.study_view import study_document
from prompts.template import load as load_prompt
from serving.studies.folders import load
from tests.support.toy_reports import picks_folder, readings_folder, study_folder
from tests.unit.evaluation.made_up import HOSTILE
from tests.unit.evaluation.test_report_pages import Outline


@pytest.fixture(scope="module")
def lefts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Left]:
    many = ["weather", "storms", "tides", "clouds", "winds"]
    arms = [{"strategy": {"kind": kind}} for kind in ("random", "margin", "entropy")]
    five = {"sets": many, "shuffles": 1, "students": ["svm"], "arms": arms, "targets": [0.6], "full": True}
    made_ = {
        "study": lambda home: study_folder(home, targets=[0.6], full=True, trainings=2),
        "one set": lambda home: study_folder(home, sets=["weather"], contrasts=[]),
        "five sets": lambda home: study_folder(home, **five),
        "readings": readings_folder,
        "picks": picks_folder,
    }
    return {name: load(make(tmp_path_factory.mktemp(name.replace(" ", "-")))) for name, make in made_.items()}


def document(left: Left) -> Document:
    if isinstance(left, StudyLeft):
        return study_document(left, curve_rows(left.overall))
    return ablation_document(left)


def outline(page: str) -> Outline:
    parsed = Outline()
    parsed.feed(page)
    parsed.close()
    assert parsed.open == []
    return parsed


NAMES = ("study", "one set", "five sets", "readings", "picks")


@pytest.mark.parametrize("name", NAMES)
def test_every_page_is_well_formed_and_needs_nothing_else(lefts: dict[str, Left], name: str) -> None:
    page = drawn(document(lefts[name]))
    found = outline(page)
    assert not {"script", "link", "img", "iframe"} & set(found.tags)
    anchors = {value for key, value in found.attributes if key == "id"}
    targets = {value for key, value in found.attributes if key == "href"}
    assert {f"#{anchor}" for anchor in anchors} == targets
    assert not [key for key, _ in found.attributes if key == "src" or key.startswith("on")]
    assert not re.search(r"url\(|@import", page)
    shown = re.sub(r"\bcriterion: none|\bnone\b", "", found.text)
    assert not re.search(r"\bnan\b|\bNone\b|Markup\(|object at", shown)
    assert {"costs", "data", "settings", "caveats", "files"} <= anchors


@pytest.mark.parametrize("name", NAMES)
def test_the_page_has_every_number_of_the_tables(lefts: dict[str, Left], name: str) -> None:
    again = made(lefts[name])
    text = " ".join(outline(again.page).text.split()).replace(" points", "")
    for number in set(re.findall(r"[+-]?\d+\.\d %? ?\[[^\]]+\]", again.text.replace(" points", ""))):
        assert number in text, number


@pytest.mark.parametrize("name", NAMES)
def test_scores_taken_anew_from_predictions_are_the_same(lefts: dict[str, Left], name: str) -> None:
    again, stored = made(remeasured(lefts[name])), made(lefts[name])
    assert (again.text, again.page, again.figures) == (stored.text, stored.page, stored.figures)
    for table, rows in stored.rows.items():
        assert list(row_differences(table, rows, again.rows[table])) == []


def test_the_page_of_an_ablation_counts_effects_by_their_p(
    lefts: dict[str, Left], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those on which the sets disagree, and apart from those that nothing can be said of."""
    left = lefts["readings"]
    assert isinstance(left, AblationRecord)
    tested = [each for each in effects(left.results) if each.tested]

    def finding(*ps: float) -> tuple[str, str]:
        found = tuple(replace(each, p=p) for each, p in zip(tested, ps, strict=True))
        monkeypatch.setattr(ablation_view, "effects", lambda results: found)
        page = document(left)
        return page.tone, page.finding.removeprefix("3 effects were named before the run: ")

    assert finding(0.01, 0.2, 0.03) == ("mixed", "there is evidence of 2.")
    assert finding(0.01, 0.01, 0.01) == ("gain", "there is evidence of 3.")
    assert finding(0.2, 0.2, 0.2) == ("none", "there is evidence of none.")
    assert finding(0.01, 0.2, math.nan) == (
        "mixed",
        "there is evidence of 1, and 1 cannot be told: too few shuffles, or a value is missing.",
    )
    assert finding(*[math.nan] * 3)[0] == "unknown"


def test_the_page_of_a_study_says_what_was_used(lefts: dict[str, Left]) -> None:
    left = lefts["study"]
    assert isinstance(left, StudyLeft)
    text = outline(drawn(document(left))).text
    card = left.record.sets["weather"].card
    for words in (card.licence, card.citation, left.record.thresher, *card.caveats):
        assert words in text
    for words in ("People are simulated from gold labels", "Labels of people to reach a target", "margin - random"):
        assert words in text
    for words in ("mean height [95 %]", "Mean height of curve is", "Labels of people saved on the way to a target"):
        assert words in text
    assert "intervals are Student's (t)" in text
    assert left.record.sets["weather"].pool in text
    names = [each.name for each in document(left).figures]
    assert len(names) == len(set(names))
    assert {"budget-svm", "contrasts", "curve-weather-svm-labels", "curve-storms-linear-minutes"} <= set(names)


@pytest.mark.parametrize(("name", "what"), [("study", "cell"), ("readings", "run")])
def test_page_and_tables_say_the_same_of_time_and_machines(lefts: dict[str, Left], name: str, what: str) -> None:
    left = lefts[name]
    record = left.record if isinstance(left, StudyLeft) else left.study
    work, text = record.worked, "".join(outline(drawn(document(left))).text.split())
    assert sum(work.machines.values()) == record.done + work.references
    assert work.references == (4 if name == "study" else 0)
    assert f"wall time {work.took}".replace(" ", "") in text
    assert f"machines {work.where(what)}".replace(" ", "") in text
    assert f"{record.done} of {record.planned} {what}s, whole; {what}s took {work.took} of wall time; on " in told(left)
    assert work.where(what) in told(left)


def test_a_record_of_the_second_form_says_that_time_and_machines_are_not_recorded(lefts: dict[str, Left]) -> None:
    left = lefts["study"]
    assert isinstance(left, StudyLeft)
    old = left.record.model_dump(mode="json", exclude={"worked"}) | {"record": 2, "machine": "8 cores", "seconds": 0.2}
    again = replace(left, record=StudyRecord.model_validate_json(json.dumps(old)))
    n = again.record.done
    assert f"whole; wall time not recorded; machine not recorded: {n} cells\n" in told(again)
    assert "8 cores" not in drawn(document(again))


def test_the_page_of_an_ablation_has_effects_beside_what_they_cost(lefts: dict[str, Left]) -> None:
    for name, words in (("readings", "no answer"), ("picks", "overlap (chance)")):
        left = lefts[name]
        assert isinstance(left, AblationRecord)
        page = drawn(document(left))
        text = outline(page).text
        assert words in text
        assert {"main-effects", "interactions-effects"} == {each.name for each in document(left).figures}
        (fingerprint, *_) = left.study.prompts
        assert fingerprint in text
        assert left.study.wordings[fingerprint].splitlines()[1] in text


def test_a_prompt_is_written_with_its_parts_in_their_places() -> None:
    prompt = load_prompt("annotate/label")
    text = prompt.written({"guidelines": "task"})
    assert "{% include" not in text
    assert "{{ text | fence(text_b) }}" in text
    assert prompt.parts["guidelines"]["task"].text.strip() in text
    assert prompt.parts["guidelines"]["task"].text.strip() not in prompt.written({})


def test_a_choice_that_changes_no_word_of_a_prompt_is_told_above_it() -> None:
    prompt = load_prompt("annotate/label")
    above, below = (prompt.written({"placement": each}).split("\n\n", 1) for each in ("system", "user"))
    assert above[1] == below[1]
    assert "placement = system" in above[0]
    assert "placement = user" in below[0]


def test_a_script_in_a_record_stays_text(lefts: dict[str, Left]) -> None:
    left = lefts["one set"]
    assert isinstance(left, StudyLeft)
    study = left.record.study.model_copy(update={"about": HOSTILE})
    used = left.record.sets["weather"]
    card = used.card.model_copy(update={"licence": HOSTILE})
    sets = {"weather": used.model_copy(update={"card": card})}
    update = {"study": study, "machine": HOSTILE, "wordings": {"a": HOSTILE}, "prompts": ("a",), "sets": sets}
    page = drawn(document(replace(left, record=left.record.model_copy(update=update))))
    assert HOSTILE not in page
    assert outline(page).text.count(HOSTILE) >= 4


def test_a_set_without_a_whole_shuffle_says_so(lefts: dict[str, Left]) -> None:
    left = lefts["study"]
    assert isinstance(left, StudyLeft)
    empty = left.sets["storms"].model_copy(update={"cells": ()})
    page = drawn(document(replace(left, sets={**left.sets, "storms": empty})))
    assert "No shuffle is whole." in page
    assert "1 contrast was named before the run: undefined." in page


def test_the_forest_leaves_out_what_is_undefined_and_tells_tested_from_descriptive() -> None:
    known, unknown = Effect(0.1, -0.02, 0.22, 6, 1), Effect(*[float("nan")] * 3, 0, 0)
    picture = figures.forest("t", "label", [("a", known, True), ("b", known, False), ("c", unknown, True)])
    assert picture.count("<circle") == 2
    assert "fill:var(--ground,#fff)" in picture
    assert "a: +10.0 points [-2.0, +22.0]" in picture
    assert figures.forest("t", "label", [("c", unknown, True)]) == ""


def test_a_picture_alone_has_its_colours_written_out() -> None:
    plain = svg.picture(10, 10, "p", [svg.line(0, 0, 1, 1, "stroke:var(--arm0,#c2410c)")])
    alone = svg.alone(plain)
    assert "stroke:#c2410c" in alone
    assert "var(" not in alone
    assert '<rect width="100%" height="100%" style="fill:#fff"/>' in alone
    assert "color:#1c1f24" in alone


def test_differences_are_told_by_their_place() -> None:
    assert list(text_differences("t", "a\nb", "a\nc\nd")) == [
        "t, line 2: stored 'b', rebuilt 'c'",
        "t: 2 lines are stored, 3 rebuilt",
    ]
    nan = float("nan")
    assert list(row_differences("r", [{"x": 1.0, "y": nan}], [{"x": 1.0 + 1e-13, "y": nan}])) == []
    assert list(row_differences("r", [{"x": 1.0}], [{"x": 1.1}])) == ["r, row 1, x: stored 1.0, rebuilt 1.1"]
    assert list(row_differences("r", [], [{"x": 1.1}])) == ["r: 0 rows are stored, 1 rebuilt"]


def test_the_sheet_is_what_the_terminal_prints(lefts: dict[str, Left]) -> None:
    left = lefts["one set"]
    assert isinstance(left, StudyLeft)
    table = sheet(left.overall)
    assert "\n".join(table.lines) in made(left).text
    assert table.lines[0].split()[:2] == list(table.head[:2])
