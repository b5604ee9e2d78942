"""Tables and pictures that READMEs show are those of the published records."""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluation.figures import learning_curves_svg
from evaluation.published import FOLDER, PACKED, PICTURE, RECORD, block, glance, pictured, publish_study, shown
from evaluation.rebuild import made, remeasured
from evaluation.records import Comparison
from evaluation.study_record import StudyLeft
from serving.studies import folders, manifest

README = Path(__file__).parents[2] / "README.md"
RECORDS: tuple[manifest.Part, ...] = ("record", "source")
STUDIES = sorted(path.name.removesuffix(PACKED) for path in FOLDER.glob(f"*{PACKED}"))


def unpacked(packed: Path, to: Path) -> Path:
    with tarfile.open(packed) as archive:
        archive.extractall(to, filter="data")
    return to / packed.name.removesuffix(PACKED)


def texts(part: object, where: str = "") -> Iterator[object]:
    """What stands under `text`, where an example has its own; a data card names columns under `fields`."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "text" and where != "fields":
                yield value
            yield from texts(value, key)
    elif isinstance(part, list):
        for value in part:
            yield from texts(value, where)


def test_the_readme_shows_the_published_record() -> None:
    comparison = Comparison.model_validate_json(RECORD.read_bytes())
    assert shown(README.read_text(encoding="utf-8")) == block(comparison)
    assert PICTURE.read_text(encoding="utf-8") == learning_curves_svg(comparison)


@pytest.mark.parametrize("name", ["headline", "headline-large"])
def test_the_readme_shows_the_first_student_of_a_published_table(name: str) -> None:
    tables = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    seen = shown((FOLDER.parent / "README.md").read_text(encoding="utf-8"), name)
    assert seen == glance(tables)
    (agent,) = (line for line in seen.splitlines() if line.startswith("agent  "))
    assert sum(line.startswith(agent) for line in tables.splitlines()) == 1, "of all sets together"
    assert len(seen.splitlines()) == 2 + 2 + 18


def test_the_published_record_is_of_the_demonstration_as_it_is() -> None:
    comparison = Comparison.model_validate_json(RECORD.read_bytes())
    assert comparison.split is not None
    assert comparison.split.part == "release"
    assert {cell.seed for cell in comparison.cells} == {0, 1, 2}
    assert any(cell.notes.get("rejected") for cell in comparison.cells if cell.arm == "agent")


def test_the_published_record_holds_no_sentence_of_the_data_set() -> None:
    comparison = Comparison.model_validate_json(RECORD.read_bytes())
    assert comparison.labels is not None
    assert comparison.labels.mistakes == ()


@pytest.mark.parametrize("name", STUDIES)
def test_the_tables_and_pictures_of_a_study_are_made_from_its_published_records(name: str, tmp_path: Path) -> None:
    folder = unpacked(FOLDER / f"{name}{PACKED}", tmp_path)
    manifest.verify(manifest.read(folder / manifest.NAME), folder, RECORDS)
    again = made(remeasured(folders.load(folder)))
    assert (FOLDER / f"{name}.txt").read_text(encoding="utf-8") == f"{again.text}\n"
    shown_as = {file: svg for stem, svg in again.figures.items() if (file := pictured(name, stem))}
    assert shown_as
    for file, svg in shown_as.items():
        assert (FOLDER / file).read_text(encoding="utf-8") == svg


@pytest.mark.parametrize("name", ["headline", "shots"])
def test_publishing_takes_tables_pictures_and_records(name: str, tmp_path: Path) -> None:
    folder = unpacked(FOLDER / f"{name}{PACKED}", tmp_path)
    left, known = folders.load(folder), manifest.read(folder / manifest.NAME)
    records: dict[str, manifest.Part] = {file: x.part for file, x in known.files.items() if x.part in RECORDS}
    again = made(left)
    manifest.write(left, folder, {**records, **folders.write_made(again, folder, with_png=False)})
    to = tmp_path / "to"
    to.mkdir()
    packed = publish_study(folder, to)
    pictures = {file for stem in again.figures if (file := pictured(name, stem))}
    assert {path.name for path in to.iterdir()} == {packed.name, f"{name}.txt", *pictures}
    for path in to.iterdir():
        assert path == packed or path.read_bytes() == (FOLDER / path.name).read_bytes()
    taken = unpacked(packed, tmp_path / "taken")
    assert {path.name for path in taken.iterdir()} == {*records, manifest.NAME}
    assert all((taken / file).read_bytes() == (folder / file).read_bytes() for file in records)


@pytest.mark.parametrize("name", STUDIES)
def test_published_records_hold_no_text_of_a_data_set(name: str, tmp_path: Path) -> None:
    folder = unpacked(FOLDER / f"{name}{PACKED}", tmp_path)
    for record in folder.glob("*.json"):
        assert not list(texts(json.loads(record.read_text(encoding="utf-8"))))
    left = folders.load(folder)
    if isinstance(left, StudyLeft):
        assert all(each.labels is None or each.labels.mistakes == () for each in left.sets.values())
