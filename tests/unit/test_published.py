"""The README's table and picture are those of the published record."""

from pathlib import Path

from evaluation.figures import learning_curves_svg
from evaluation.published import PICTURE, RECORD, block, shown
from evaluation.records import Comparison

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_shows_the_published_record() -> None:
    comparison = Comparison.model_validate_json(RECORD.read_bytes())
    assert shown(README.read_text(encoding="utf-8")) == block(comparison)
    assert PICTURE.read_text(encoding="utf-8") == learning_curves_svg(comparison)


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
