"""What a study leaves can be drawn and counted again, and whatever was changed is found."""

import hashlib
import json
import re
import shutil
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import BadInput
from serving.cli import main
from serving.runs.store import NoRun
from serving.studies import manifest, pictures
from serving.studies.folders import load
from serving.studies.reports import find, replay, report
from serving.studies.tracking import log, metrics, params
from tests.support.toy_reports import picks_folder, readings_folder, study_folder
from tests.support.toy_studies import small, toy_study

MADE: dict[str, Callable[[Path], Path]] = {"study": study_folder, "readings": readings_folder, "picks": picks_folder}


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each made once; tests change copies."""
    return {name: make(tmp_path_factory.mktemp(name)) for name, make in MADE.items()}


@pytest.fixture(params=sorted(MADE))
def folder(request: pytest.FixtureRequest, left: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(left[request.param], tmp_path / "copy"))


@pytest.fixture
def study(left: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(left["study"], tmp_path / "copy"))


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def called(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["thresher", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_the_manifest_names_every_file_with_its_hash(folder: Path) -> None:
    known = manifest.read(folder / manifest.NAME)
    files = {name: data for name, data in contents(folder).items() if name != manifest.NAME}
    assert set(known.files) == set(files)
    for name, kept in known.files.items():
        assert (kept.sha256, kept.bytes) == (hashlib.sha256(files[name]).hexdigest(), len(files[name]))
    assert known.packages["numpy"]
    assert sum(each.part == "source" for each in known.files.values()) == 1, "the file that was run"


def test_every_number_is_made_anew_from_the_predictions(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.socket", None)  # whoever asks a model, or anybody, fails
    found = replay(folder / manifest.NAME)
    assert (found.differences, found.text[:6]) == (0, "equal:")
    assert replay(folder) == found, "the folder will do"


def test_a_report_drawn_again_is_the_same_to_the_byte(folder: Path) -> None:
    before = contents(folder)
    for name in ("tables.txt", "report.html", "cells.csv"):
        (folder / name).unlink()
    assert (folder / "tables.txt").exists() is False
    said = report(folder)
    assert contents(folder) == before
    assert before["tables.txt"].decode().rstrip("\n") in said


def change_a_prediction(folder: Path) -> None:
    """One answer of the first cell, at the end of its curve."""
    path = next(p for p in (folder / "ablation.json", folder / "weather.json") if p.is_file())
    record = json.loads(path.read_text(encoding="utf-8"))
    cell = record["runs"][0]["cell"] if "runs" in record else record["cells"][0]
    predictions = cell["curve"][-1]["predictions"]
    place = next(i for i, each in enumerate(predictions) if each >= 0)
    predictions[place] = 1 - predictions[place]
    path.write_text(json.dumps(record), encoding="utf-8")


def test_one_changed_prediction_changes_the_table(folder: Path) -> None:
    change_a_prediction(folder)
    with pytest.raises(BadInput, match=r"is not the file that the manifest names: SHA-256"):
        replay(folder)
    found = replay(folder, anyway=True)
    assert found.differences > 3
    assert re.search(r"^tables\.txt, line \d+: stored '.*%.*', rebuilt '.*%.*'$", found.text, re.MULTILINE)
    with pytest.raises(BadInput, match=r"is not the file that the manifest names"):
        report(folder)


def test_an_answer_that_came_or_went_is_refused_in_words(left: dict[str, Path], tmp_path: Path) -> None:
    """Which confidence is whose would then be a guess."""
    changed = Path(shutil.copytree(left["readings"], tmp_path / "copy"))
    path = changed / "ablation.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    predictions = record["runs"][0]["cell"]["curve"][-1]["predictions"]
    predictions[next(i for i, each in enumerate(predictions) if each >= 0)] = -2
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(BadInput, match=r"shuffle 0 has predictions for \d+ texts and confidences for \d+; put its"):
        replay(changed, anyway=True)


def test_a_table_with_a_cell_too_many_or_too_few_differs(folder: Path) -> None:
    path = folder / "cells.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[1:3] = f"{lines[1]},9", lines[2].rpartition(",")[0]
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    assert "cells.csv, row 1" in replay(folder, anyway=True).text


def test_calibration_error_hangs_on_the_predictions_too(left: dict[str, Path], tmp_path: Path) -> None:
    changed = Path(shutil.copytree(left["readings"], tmp_path / "copy"))
    change_a_prediction(changed)
    said = every_difference(changed)
    assert re.search(r"cells\.parquet, row \d+, accuracy", said)
    assert re.search(r"cells\.parquet, row \d+, ece", said)


def every_difference(folder: Path) -> str:
    """One by one, however many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serving.studies.reports.SHOWN", 10_000)
        return replay(folder, anyway=True).text


@pytest.mark.parametrize("name", ["tables.txt", "curves.csv", "curves.parquet", "report.html"])
def test_a_changed_table_is_told(study: Path, name: str) -> None:
    data = (study / name).read_bytes()
    (study / name).write_bytes(data.replace(b"6", b"7", 1) if name != "curves.parquet" else b"nothing")
    with pytest.raises(BadInput, match=rf"{name} is not the file that the manifest names"):
        replay(study)
    assert name in replay(study, anyway=True).text


@pytest.mark.parametrize("name", ["study.json", "weather.json", "cells.csv", "figures/contrasts.svg"])
def test_a_missing_file_is_one_line_and_exit_code_2(
    study: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (study / name).unlink()
    code, out, err = called(capsys, monkeypatch, "replay", str(study / "manifest.json"))
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {study / name} is missing, and the manifest names it; ")
    brings = "run it again: it does nothing twice" if name.endswith(".json") else f"`thresher report {study}` makes it"
    assert brings in err
    assert err.count("\n") == 1


def test_a_changed_file_is_one_line_and_exit_code_2(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    change_a_prediction(study)
    code, out, err = called(capsys, monkeypatch, "replay", str(study / "manifest.json"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "weather.json is not the file that the manifest names: SHA-256" in err
    code, out, err = called(capsys, monkeypatch, "replay", "--anyway", str(study))
    assert code == 2
    assert "tables.txt, line" in out
    assert re.match(r"error: \d+ values differ from what .* names", err)
    assert err.count("\n") == 1


def test_the_commands_say_what_they_found(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = called(capsys, monkeypatch, "replay", str(study / "manifest.json"))
    assert (code, err) == (0, "")
    assert out.startswith("equal: study small, made anew from its predictions: tables.txt, cells.csv")
    code, out, err = called(capsys, monkeypatch, "report", str(study))
    assert (code, err) == (0, "")
    assert "margin - random (svm), accuracy at the budget" in out
    code, _, err = called(capsys, monkeypatch, "report", str(study.parent / "nothing"))
    assert code == 2
    assert "is no folder, and no study or ablation of that name was run here" in err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "is no manifest of a study"),
        ("\xff", "is no manifest of a study"),
        (None, "cannot be read: No such file"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput, match=said):
        replay(tmp_path / "manifest.json")


def test_records_of_another_form_are_refused(study: Path) -> None:
    (study / "manifest.json").unlink()
    (study / "study.json").write_text('{"record": 1}', encoding="utf-8")
    with pytest.raises(BadInput, match="are of another form: study: Field required"):
        report(study)


def test_records_that_a_later_version_wrote_are_refused(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    (record,) = (path for path in (folder / "study.json", folder / "ablation.json") if path.is_file())
    left = json.loads(record.read_text(encoding="utf-8"))
    record.write_text(json.dumps({**left, "record": 9}), encoding="utf-8")
    with pytest.raises(BadInput, match="are of another form: record: Input should be"):
        report(folder)


def test_a_folder_without_a_manifest_gets_one(study: Path) -> None:
    (study / "manifest.json").unlink()
    report(study)
    assert replay(study).differences == 0


def test_a_study_is_found_by_its_name(tmp_path: Path, study: Path) -> None:
    work = toy_study(small(), tmp_path)
    assert find("small", lambda: work.store) == tmp_path / "out"
    assert find(str(study), lambda: work.store) == study
    assert find(str(study / "study.json"), lambda: work.store) == study
    with pytest.raises(NoRun):
        work.store.get("study-other", "study")
    with pytest.raises(BadInput, match="'other' is no folder"):
        find("other", lambda: work.store)


def test_pictures_for_papers_have_white_ground_and_letters(study: Path) -> None:
    data = (study / "figures" / "contrasts.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    drawn = (study / "figures" / "contrasts.svg").read_text(encoding="utf-8")
    wide = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawn)
    assert wide is not None
    assert (width, height) == (round(3 * float(wide[1])), round(3 * float(wide[2])))
    assert "var(" not in drawn
    blank = pictures.png(re.sub(r"<text.*?</text>", "", drawn))
    assert blank != data, "the library has fonts of its own"


def test_without_the_library_there_are_no_png_files_and_it_is_said(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    said = report(study)
    assert "no PNG files: pip install 'thresher[png]'" in said
    assert not list(study.rglob("*.png"))
    assert list(study.rglob("*.svg"))
    assert replay(study).differences == 0
    with pytest.raises(BadInput, match="PNG files need the library vl-convert"):
        pictures.png("<svg/>")


def test_mlflow_that_is_missing_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(BadInput, match=r"MLflow cannot be imported here; pip install 'thresher\[mlflow\]'"):
        log(folder, "sqlite:///nowhere.db")


def test_what_goes_to_mlflow_is_what_the_tables_say(left: dict[str, Path]) -> None:
    study = load(left["study"])
    said = (left["study"] / "tables.txt").read_text(encoding="utf-8")
    found = metrics(study)
    assert f"{100 * found['contrast/margin - random _svm__ accuracy at the budget/mean']:+.1f} points" in said
    assert f"{100 * found['accuracy/margin svm/mean']:.1f} %" in said
    assert params(study)["arms"] == "random, margin"
    reads = load(left["readings"])
    assert params(reads)["factor shots"] == "0, 4"
    assert "effect/shots_ 4 - 0/mean" in metrics(reads)
    assert all(value == value for value in (*found.values(), *metrics(reads).values())), "no nan"
