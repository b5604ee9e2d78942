"""Results that READMEs show: kept as records, so that tables and pictures are made from them, never typed.

`python -m evaluation.published demo/results/report.json` after `make demo` renews what the front page shows;
`python -m evaluation.published studies/NAME` takes over the folder of a study or an ablation, and renews what is shown
of it in the README beside this module. A test compares them.
"""

import json
import lzma
import re
import shutil
import sys
import tarfile
from pathlib import Path

from evaluation.asides import asides
from evaluation.figures import learning_curves_svg
from evaluation.records import Comparison
from evaluation.table import table

FOLDER = Path(__file__).parent / "results"
RECORD, PICTURE = FOLDER / "demo.json", FOLDER / "demo.svg"
PACKED = ".tar.xz"


def _marked(name: str) -> re.Pattern[str]:
    return re.compile(f"(<!-- {name} -->\\n)(.*?)(<!-- /{name} -->)", re.DOTALL)


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


def glance(tables: str) -> str:
    """What our README shows of a study's tables: all data sets, the first student, up to the share of full."""
    head, dashes, *rows = tables.split("\nall data sets\n\n")[1].split("\n\n")[0].splitlines()
    student, end = head.index("student"), head.index("macro-F1")
    first = rows[0][student:].split()[0]
    same = [row for row in rows if row[student:].split()[:1] == [first]]
    return "```text\n" + "".join(f"{line[:end].rstrip()}\n" for line in (head, dashes, *same)) + "```\n"


def shown(readme: str, name: str = "demo") -> str:
    """The block as it stands in a README. Raises ValueError where the markers are missing."""
    found = _marked(name).search(readme)
    if found is None:
        raise ValueError(f"the README has lost its markers <!-- {name} --> and <!-- /{name} -->")
    return found[2]


def renew(readme: Path, name: str, content: str) -> None:
    """Puts the block between its markers. Raises ValueError where they are missing."""
    text = readme.read_text(encoding="utf-8")
    shown(text, name)
    renewed = _marked(name).sub(lambda found: f"{found[1]}{content}{found[3]}", text)
    readme.write_text(renewed, encoding="utf-8")


def publish(source: Path, readme: Path) -> None:
    """Takes over a comparison: record, picture and README block."""
    comparison = without_texts(Comparison.model_validate_json(source.read_bytes()))
    FOLDER.mkdir(exist_ok=True)
    RECORD.write_text(comparison.model_dump_json() + "\n", encoding="utf-8")
    PICTURE.write_text(learning_curves_svg(comparison), encoding="utf-8")
    renew(readme, "demo", block(comparison))


def pictured(name: str, stem: str) -> str:
    """The file in which a figure of study or ablation `name` is published; empty for one that is not.

    Means at the budget, a picture a student, and the main effects of an ablation; the page has the others.
    """
    if stem == "main-effects":
        return f"{name}.svg"
    return f"{name}-{stem.removeprefix('budget-')}.svg" if stem.startswith("budget-") else ""


def publish_study(source: Path, to: Path = FOLDER) -> Path:
    """Takes over a study or an ablation: its tables, the pictures that READMEs show and, packed, the records of both.

    Unpacked, `thresher report NAME` makes the rest from them: page, raw rows, all pictures. They hold predictions and
    gold labels by number, and no text of a data set.

    Args:
        source: the folder that `thresher study` or `thresher ablate` left.

    Returns:
        The packed records.
    """
    manifest = json.loads((source / "manifest.json").read_text(encoding="utf-8"))
    name = manifest["name"]
    records = sorted(file for file, kept in manifest["files"].items() if kept["part"] in ("record", "source"))
    shutil.copyfile(source / "tables.txt", to / f"{name}.txt")
    for picture in sorted((source / "figures").glob("*.svg")):
        if shown_as := pictured(name, picture.stem):
            shutil.copyfile(picture, to / shown_as)
    packed = to / f"{name}{PACKED}"
    with lzma.open(packed, "wb", preset=9) as whole, tarfile.open(fileobj=whole, mode="w") as archive:
        for file in (*records, "manifest.json"):
            member = tarfile.TarInfo(f"{name}/{file}")  # nothing of this machine: the same records, the same archive
            member.size = (source / file).stat().st_size
            with (source / file).open("rb") as content:
                archive.addfile(member, content)
    return packed


if __name__ == "__main__":
    given, own = Path(sys.argv[1]), FOLDER.parent / "README.md"
    if given.is_dir():
        named = publish_study(given).name.removesuffix(PACKED)
        if f"<!-- {named} -->" in own.read_text(encoding="utf-8"):
            renew(own, named, glance((FOLDER / f"{named}.txt").read_text(encoding="utf-8")))
    else:
        publish(given, FOLDER.parents[1] / "README.md")
