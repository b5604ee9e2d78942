"""The result that the README shows: kept as a record, so that its table and picture are made from it, never typed.

`python -m evaluation.published demo/results/report.json` after `make demo` renews all three; a test compares them.
"""

import re
import sys
from pathlib import Path

from evaluation.asides import asides
from evaluation.figures import learning_curves_svg
from evaluation.records import Comparison
from evaluation.table import table

FOLDER = Path(__file__).parent / "results"
RECORD, PICTURE = FOLDER / "demo.json", FOLDER / "demo.svg"
_BLOCK = re.compile(r"(<!-- demo -->\n)(.*?)(<!-- /demo -->)", re.DOTALL)


def without_texts(comparison: Comparison) -> Comparison:
    """The record without the data set's sentences, which are not ours to publish."""
    if comparison.labels is None:
        return comparison
    return comparison.model_copy(update={"labels": comparison.labels.model_copy(update={"mistakes": ()})})


def block(comparison: Comparison) -> str:
    """What stands in the README between its two markers."""
    minutes = "" if comparison.seconds is None else f"; the run took {comparison.seconds / 60:.0f} minutes"
    parts = [table(comparison), asides(comparison), f"Machine: {comparison.machine}{minutes}"]
    return "```text\n" + "\n\n".join(part for part in parts if part) + "\n```\n"


def shown(readme: str) -> str:
    """The block as it stands in a README. Raises ValueError where the markers are missing."""
    found = _BLOCK.search(readme)
    if found is None:
        raise ValueError("the README has lost its markers <!-- demo --> and <!-- /demo -->")
    return found[2]


def publish(source: Path, readme: Path) -> None:
    """Takes over a comparison: record, picture and README block."""
    comparison = without_texts(Comparison.model_validate_json(source.read_bytes()))
    FOLDER.mkdir(exist_ok=True)
    RECORD.write_text(comparison.model_dump_json() + "\n", encoding="utf-8")
    PICTURE.write_text(learning_curves_svg(comparison), encoding="utf-8")
    text = readme.read_text(encoding="utf-8")
    shown(text)
    renewed = _BLOCK.sub(lambda found: f"{found[1]}{block(comparison)}{found[3]}", text)
    readme.write_text(renewed, encoding="utf-8")


if __name__ == "__main__":
    publish(Path(sys.argv[1]), FOLDER.parents[1] / "README.md")
