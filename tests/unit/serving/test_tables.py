"""Every broken input is one line that names the file, the place, the value and what to do."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from agent.domain import LabelCard, Task
from agent.errors import BadInput
from serving.runs.tables import MOST_CHARACTERS, read_cells, read_table, read_task

TASK = Task(name="t", labels=(LabelCard(name="pos"), LabelCard(name="neg")))
Put = Callable[[str, str | bytes], Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_a_csv_file(put: Put) -> None:
    table = read_table(
        put("pool.csv", '\ufeffid,text,label\na,"one, two",pos\nb,"zwei\nZeilen", \n'.replace(" \n", "\n")), TASK
    )
    assert table.columns.ids == ["a", "b"]
    assert table.columns.texts == ["one, two", "zwei\nZeilen"]
    assert table.columns.texts_b is None
    assert table.gold == {"a": "pos"}


def test_the_other_formats_say_the_same(put: Put, tmp_path: Path) -> None:
    rows = [
        {"id": "a", "text": "one", "text_b": "uno", "label": "pos"},
        {"id": "b", "text": "two", "text_b": "due", "label": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "pool.parquet")
    lines = "\n".join(json.dumps(row) for row in rows)
    found = [
        read_table(tmp_path / "pool.parquet", TASK),
        read_table(put("pool.jsonl", f"{lines}\n\n"), TASK),
        read_table(put("pool.tsv", "id\ttext\ttext_b\tlabel\na\tone\tuno\tpos\nb\ttwo\tdue\t\n"), TASK),
    ]
    assert [(t.columns, t.gold) for t in found] == [(found[0].columns, {"a": "pos"})] * 3
    assert len({table.digest for table in found}) == 1


def test_columns_can_have_other_names_and_ids_are_made_where_there_are_none(put: Put) -> None:
    table = read_table(put("reviews.csv", "body,verdict\nfine,pos\nbad,neg\n"), TASK, text="body", label="verdict")
    assert table.columns.ids == ["reviews-1", "reviews-2"]
    assert table.gold == {"reviews-1": "pos", "reviews-2": "neg"}


def test_the_digest_depends_on_ids_texts_and_labels(put: Put) -> None:
    same = [read_table(put(name, "id,text,label\na,one,pos\n"), TASK).digest for name in ("a.csv", "b.csv")]
    assert same[0] == same[1]
    others = [
        read_table(put("c.csv", f"id,text,label\n{row}\n"), TASK).digest
        for row in ("b,one,pos", "a,two,pos", "a,one,neg", "a,one,")
    ]
    assert len({same[0], *others}) == 5


LONG = "x" * (MOST_CHARACTERS + 1)
MEGABYTE = "x" * 1_000_000
BAD: dict[str, tuple[str, str | bytes, str]] = {
    "empty": ("p.csv", "", "p.csv holds no texts; give a file"),
    "header only": ("p.csv", "id,text\n", "p.csv holds no texts; give a file"),
    "empty jsonl": ("p.jsonl", "\n\n", "p.jsonl holds no texts; give a file"),
    "missing column": ("p.csv", "id,body\na,b\n", "p.csv has no column 'text'; it has body, id; name one with --text"),
    "duplicate ids": ("p.csv", "id,text\na,1\nb,2\na,3\n", "p.csv: id 'a' stands in rows 1 and 3; give every text"),
    "empty id": ("p.csv", "id,text\na,1\n,2\n", "p.csv row 2: column 'id' is empty; give every text an id"),
    "null id": ("p.jsonl", '{"id": null, "text": "a"}', "p.jsonl row 1: column 'id' is empty"),
    "unknown label": (
        "p.csv",
        "id,text,label\na,1,positive\n",
        "p.csv: 'a' is labelled 'positive', no label of the task; use one of pos, neg",
    ),
    "long unknown label": ("p.csv", f"id,text,label\na,1,{'y' * 5000}\n", "is labelled 'yyyyy"),
    "blank text": ("p.csv", "id,text\na,1\nb, \n", "p.csv row 2: column 'text' is ' ', no text; fill it"),
    "number for a text": ("p.jsonl", '{"text": 5}', "p.jsonl row 1: column 'text' is 5, no text"),
    "list for a text": ("p.jsonl", f'{{"text": {list(range(500))}}}', "column 'text' is [0, 1, 2, 3"),
    "text missing in one row": ("p.jsonl", '{"text": "a"}\n{"id": "b"}', "row 1: column 'id' is empty"),
    "latin-1": (
        "p.csv",
        "id,text\na,fine\nb,caf\xe9\n".encode("latin-1"),
        "p.csv line 3 is not UTF-8 (byte 0xe9); save the file as UTF-8",
    ),
    "utf-16": ("p.csv", "id,text\n".encode("utf-16"), "p.csv line 1 is not UTF-8 (byte 0xff)"),
    "a line of 1 MB": (
        "p.csv",
        f"id,text\na,{MEGABYTE}\n",
        "p.csv line 2 is 1,000,002 characters long; keep texts under 100,000",
    ),
    "a JSON line of 1 MB": ("p.jsonl", f'{{"text": "{MEGABYTE}"}}', "p.jsonl line 1 is 1,000,012 characters long"),
    "a long text of short lines": ("p.csv", 'id,text\na,"' + "word\n" * 30_000 + '"\n', "p.csv"),
    "bad JSON": ("p.jsonl", '{"text": "a"}\n{"text": \n', "p.jsonl line 2 is not valid JSON: Expecting value"),
    "JSON that is no object": ("p.jsonl", '["a"]', """p.jsonl line 1 is not a JSON object: '["a"]'; write one"""),
    "JSON too deep": ("p.jsonl", "[" * 50_000, "p.jsonl line 1 is not valid JSON: maximum recursion"),
    "a number too long": (
        "p.jsonl",
        '{"text": "a", "n": ' + "9" * 5000 + "}",
        "p.jsonl line 1 is not valid JSON: Exceeds the limit",
    ),
    "half a character": (
        "p.jsonl",
        '{"text": "a \\ud800 b"}',
        r"p.jsonl row 1: column 'text' holds '\ud800', half a character",
    ),
    "too many cells": ("p.csv", "id,text\na,one, two\n", "p.csv row 1 has more cells than the header; quote texts"),
    "too few cells": (
        "p.csv",
        "id,text,label\na,1,pos\nb,2\n",
        "p.csv row 2 has fewer cells than the header; leave cells empty",
    ),
    "a column twice": ("p.csv", "id,text,text\na,1,2\n", "p.csv has two columns 'text'; give every column a name"),
    "an open quote": ("p.csv", 'id,text\na,"one\n', "is not valid CSV: unexpected end of data"),
    "text after a quote": ("p.csv", 'id,text\na,"one" two\n', "is not valid CSV"),
    "not Parquet": ("p.parquet", "id,text\n", "p.parquet is not a readable Parquet file"),
    "another ending": ("p.xlsx", "x", "p.xlsx ends in '.xlsx', no known table format; give .csv"),
    "no ending": ("p", "x", "p ends in '', no known table format"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tables(case: str, put: Put) -> None:
    name, content, expected = BAD[case]
    with pytest.raises(BadInput) as caught:
        read_table(put(name, content), TASK)
    said = str(caught.value)
    assert expected in said
    assert "\n" not in said
    assert len(said) < 500
    assert caught.value.hint


def test_a_file_that_is_not_there_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path / "none.parquet", tmp_path):
        with pytest.raises(BadInput, match=r"there is no file|no known table format"):
            read_table(path, TASK)


def test_parquet_with_bytes_that_are_no_text(tmp_path: Path) -> None:
    broken = pa.array([b"caf\xe9"])
    pq.write_table(pa.table({"text": broken}), tmp_path / "p.parquet")
    with pytest.raises(BadInput, match="row 1: column 'text' is b'caf"):
        read_table(tmp_path / "p.parquet", TASK)


LABELS = '[[labels]]\nname = "pos"\n[[labels]]\nname = "neg"\n'
BAD_TASKS = {
    "one label": ('name = "t"\n[[labels]]\nname = "pos"\n', "labels: a task needs at least two labels, found 1"),
    "no labels": ('name = "t"\n', "labels: Field required"),
    "equal labels": ('name = "t"\n' + '[[labels]]\nname = "pos"\n' * 2, "labels: two labels have the same name 'pos'"),
    "equal words": (
        'name = "t"\n' + LABELS.replace('"neg"', '"neg"\nword = "POS"'),
        "two labels have the same word 'pos'",
    ),
    "no name": (LABELS, "name: Field required"),
    "unknown field": ('name = "t"\nguideline = "x"\n' + LABELS, "guideline: Extra inputs are not permitted"),
    "no TOML": ('name = "t\n', "is not valid TOML"),
    "empty": ("", "name: Field required"),
    "not UTF-8": (b'name = "caf\xe9"', "line 1 is not UTF-8"),
}


@pytest.mark.parametrize("case", BAD_TASKS)
def test_bad_tasks(case: str, put: Put) -> None:
    content, expected = BAD_TASKS[case]
    with pytest.raises(BadInput) as caught:
        read_task(put("task.toml", content))
    assert expected in str(caught.value)
    assert "task.toml" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_a_task_file(put: Put) -> None:
    task = read_task(put("task.toml", f'name = "t"\nguidelines = "Be kind."\n{LABELS}word = "bad"\n'))
    assert (task.names, task.words, task.guidelines) == (("pos", "neg"), ("pos", "bad"), "Be kind.")


def test_cells_of_our_own_files(put: Put) -> None:
    assert read_cells(put("round-0.csv", "id,text,label\na,one,\n")) == [{"id": "a", "text": "one", "label": ""}]
