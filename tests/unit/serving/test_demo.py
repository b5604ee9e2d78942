"""The demonstration's data are files that a user could have brought."""

from pathlib import Path

from evaluation.cards import ROTTEN_TOMATOES
from evaluation.datasets import Row
from evaluation.split import Split, SplitReport
from serving.runs.demo import write
from serving.runs.tables import read_table, read_task


def test_files_hold_the_card_and_the_rows_as_they_are(tmp_path: Path) -> None:
    rows = tuple(
        Row(id=f"r{i}", text=text, label="fresh" if i % 2 else "rotten")
        for i, text in enumerate(['He said "no", twice', "plain", "two\nlines", "tab\there", "=sum"])
    )
    parts = Split(pool=rows[:3], test=rows[3:], report=SplitReport(source=5))
    task_file, pool_file, test_file = write(ROTTEN_TOMATOES, parts, tmp_path / "demo")
    task = read_task(task_file)
    assert task.model_copy(update={"language": "en"}) == ROTTEN_TOMATOES.task()
    pool, test = read_table(pool_file, task), read_table(test_file, task)
    assert [*pool.columns.texts, *test.columns.texts] == [row.text for row in rows]
    assert [*pool.columns.ids, *test.columns.ids] == [row.id for row in rows]
    assert pool.gold | test.gold == {row.id: row.label for row in rows}


def test_quotes_and_backslashes_of_a_card_survive_the_task_file(tmp_path: Path) -> None:
    card = ROTTEN_TOMATOES.model_copy(update={"guidelines": 'Say "yes" or \\no\nalways'})
    task_file, _, _ = write(card, Split(pool=(), test=(), report=SplitReport(source=0)), tmp_path)
    assert read_task(task_file).guidelines == 'Say "yes" or \\no always'
