"""The demonstration: film sentences from a packaged data set, a pool, a test part, 32 simulated human labels."""

import csv
from collections.abc import Sequence
from pathlib import Path

from evaluation.cards import ROTTEN_TOMATOES
from evaluation.datasets import DataCard, Row
from evaluation.split import Split, prepare
from serving.connect import Setting
from serving.data.fetch import DataFetcher
from serving.runs.tables import read_table, read_task
from serving.runs.wishes import Wish

POOL, TEST, BUDGET, READS, TEST_READS = 1000, 1000, 32, 600, 300


def wish(setting: Setting, folder: Path, seeds: int) -> Wish:
    """The demo's data as files that a user could have brought, and what is asked of them."""
    card = ROTTEN_TOMATOES
    parts = prepare(card, DataFetcher.of(setting), pool=POOL, test=TEST, part="release")
    task, pool, test = write(card, parts, folder)
    named = read_task(task)
    return Wish(
        task=named,
        table=read_table(pool, named),
        test=read_table(test, named),
        budget=BUDGET,
        compare=True,
        seeds=seeds,
        students=("bert", "svm"),
        simulate=True,
        reads=READS,
        test_reads=TEST_READS,
        data_card=card.name,
        split=parts.report,
    )


def write(card: DataCard, parts: Split, folder: Path) -> tuple[Path, Path, Path]:
    """`task.toml`, `pool.csv` and `test.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    task = folder / "task.toml"
    task.write_text(_toml(card), encoding="utf-8")
    return task, _csv(folder / "pool.csv", parts.pool), _csv(folder / "test.csv", parts.test)


def _csv(path: Path, rows: Sequence[Row]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        pairs = any(row.text_b is not None for row in rows)
        writer.writerow(["id", "text", *(["text_b"] if pairs else []), "label"])
        writer.writerows([row.id, row.text, *([row.text_b] if pairs else []), row.label] for row in rows)
    return path


def _toml(card: DataCard) -> str:
    lines = [f"name = {_quoted(card.name)}", f"item = {_quoted(card.item)}", f"guidelines = {_quoted(card.guidelines)}"]
    for label in card.labels:
        fields = (("name", label.name), ("word", label.word), ("description", label.description))
        lines += ["", "[[labels]]", *(f"{key} = {_quoted(value)}" for key, value in fields)]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
