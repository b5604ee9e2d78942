"""Data sets: whole or not at all, one for equal content, the same rows out as in, in flat memory."""

import io
import json
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from agent.domain import LabelCard, Task
from agent.errors import BadInput, StoreError
from serving.database import open_database, reading
from serving.runs import parquet, uploads
from serving.runs.data import DataSets, NoDataSet
from serving.runs.data_tables import datasets, examples
from serving.runs.entries import MOST_OF_AN_ID, Entries, Names
from serving.runs.formats import MOST_CHARACTERS, MOST_OF_A_ROW, Format, Row, stream_rows
from serving.runs.tables import check_labels, read_table

TASK = Task(name="t", labels=(LabelCard(name="pos"), LabelCard(name="neg")))
CSV = "id,text,label,stars\na,one,pos,5\nb,two,,1\n"


@pytest.fixture
def data(database: str) -> Iterator[DataSets]:
    engine = open_database(database)
    yield DataSets(engine)
    engine.dispose()


def rows(content: str | bytes, kind: Format = "csv", size: int = 7) -> Iterator[Row]:
    """The rows of an upload that arrives a few bytes at a time."""
    raw = content.encode() if isinstance(content, str) else content
    return stream_rows((raw[i : i + size] for i in range(0, len(raw), size)), kind, "the upload")


def numbered(n: int) -> Iterator[Row]:
    return ({"id": f"r{i}", "text": f"sentence {i}"} for i in range(n))


def left(data: DataSets) -> tuple[int, int]:
    """Rows in both tables."""
    with reading(data.engine) as connection:
        return tuple(connection.execute(select(func.count()).select_from(t)).scalar_one() for t in (datasets, examples))


def test_what_goes_in_comes_out(data: DataSets) -> None:
    found = data.add(rows(CSV), "films")
    assert (found.name, found.rows, found.pairs, found.labelled) == ("films", 2, False, 1)
    assert found.columns == ("id", "text", "label", "stars")
    assert found.bytes == 6
    assert data.get(found.id) == found
    first, second = data.examples(found.id)
    assert (first.row, first.id, first.text, first.text_b, first.label, first.meta) == (
        *(1, "a", "one", None, "pos"),
        {"stars": "5"},
    )
    assert data.examples(found.id, offset=1, limit=5) == [second]
    assert data.texts(found.id, ["b", "zz", "a\0"]) == {"b": second}
    table = data.table(found.id)
    assert (table.columns.ids, table.columns.texts, table.columns.texts_b) == (["a", "b"], ["one", "two"], None)
    assert table.gold == {"a": "pos"}


def test_a_data_set_without_other_columns_has_the_digest_of_its_table(data: DataSets) -> None:
    found = data.add(rows("id,text,text_b,label\na,one,uno,pos\nb,two,due,\n"), "pairs")
    assert found.pairs
    assert data.table(found.id).digest == found.id
    assert data.table(found.id).columns.texts_b == ["uno", "due"]


def test_equal_content_is_one_data_set_whatever_its_format_and_name(data: DataSets) -> None:
    first = data.add(rows(CSV), "films")
    lines = "".join(
        json.dumps(row) + "\n"
        for row in (
            {"id": "a", "text": "one", "label": "pos", "stars": "5"},
            {"id": "b", "text": "two", "label": None, "stars": "1"},
        )
    )
    assert data.add(rows(lines, "jsonl"), "other") == first
    assert left(data) == (1, 2)
    assert data.add(rows(CSV.replace("5", "4")), "films").id != first.id, "other columns count"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"text": "a\x1fb", "text_b": "c"}, {"text": "a", "text_b": "b\x1fc"}),
        ({"text": "a", "label": "x\x1f{}"}, {"text": "a\x1f", "label": "x"}),
    ],
)
def test_no_separator_in_a_cell_makes_two_data_sets_one(data: DataSets, one: Row, other: Row) -> None:
    assert data.add([one], "one").id != data.add([other], "other").id


def test_ids_are_made_where_there_are_none(data: DataSets) -> None:
    found = data.add(rows("text\none\ntwo\n"), "films")
    assert data.table(found.id).columns.ids == ["row-1", "row-2"]


def test_columns_by_other_names(data: DataSets) -> None:
    found = data.add(rows("body,mark\none,pos\n"), "x", names=Names(text="body", label="mark"))
    assert data.table(found.id).gold == {"row-1": "pos"}


def late(bad: str) -> str:
    """A CSV file whose fault comes long after the first rows are stored."""
    return "id,text\n" + "".join(f"r{i},sentence {i}\n" for i in range(uploads.PART + 10)) + bad


REFUSED: dict[str, tuple[str, str]] = {
    "an id of an earlier part": (late("r3,again\n"), "the upload: id 'r3' stands in rows 4 and 2011; give every text"),
    "an id of the same part": ("id,text\na,x\nb,y\na,z\n", "the upload: id 'a' stands in rows 1 and 3"),
    "an empty text": (late("z, \n"), "the upload row 2011: column 'text' is ' ', no text"),
    "too few cells": (late("z\n"), "the upload row 2011 has fewer cells"),
    "a long line": (late("z," + "x" * MOST_CHARACTERS + "\n"), "the upload line 2012 is 100,002 characters long"),
    "a long last line": (late("z," + "x" * 3 * MOST_CHARACTERS), "the upload line 2012 is 300,002 characters long"),
    "a long id": (f"id,text\n{'i' * (MOST_OF_AN_ID + 1)},x\n", "row 1: column 'id' is 401 characters long"),
    "a zero byte": ("id,text\na,x\0y\n", r"column 'text' holds '\x00', no character"),
    "an endless row": ("id,text\n" + '"\n",' * MOST_OF_A_ROW, "the upload has a row of more than 1,000,000 char"),
    "no texts": ("id,text\n", "the upload holds no texts"),
    "no column": ("id,body\na,x\n", "no column 'text'; it has body, id; name one with ?text="),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_upload_leaves_nothing(data: DataSets, case: str) -> None:
    content, expected = REFUSED[case]
    with pytest.raises(BadInput) as caught:
        data.add(rows(content, size=4096), "x", names=Names(how="?text="), where="the upload")
    assert expected in str(caught.value)
    assert caught.value.hint
    assert left(data) == (0, 0)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"text": "a"}\n{"text": "b", "id": "x"}', "row 1: column 'id' is empty"),
        ('{"text": "a", "id": "x"}\n{"text": "b"}', "row 2: column 'id' is empty"),
        ('{"text": "a"}\n{"text": "b", "text_b": "c"}', "row 1: column 'text_b' is None, no text"),
        ('{"text": "a", "label": "\\ud800"}', "column 'label' holds '\\ud800', half a character"),
        ('{"text": "a", "note": "\\ud800"}', "column 'other columns' holds '\\ud800', half a character"),
    ],
)
def test_rows_that_disagree(data: DataSets, content: str, expected: str) -> None:
    with pytest.raises(BadInput) as caught:
        data.add(rows(content, "jsonl"), "x")
    assert expected in str(caught.value)
    assert left(data) == (0, 0)


def test_an_upload_that_breaks_off_leaves_nothing(data: DataSets) -> None:
    def broken() -> Iterator[Row]:
        yield from numbered(uploads.PART + 1)
        assert left(data) == (1, uploads.PART), "the first part is stored"
        assert data.list() == [], "and nobody sees it"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        data.add(broken(), "x")
    assert left(data) == (0, 0)


def test_too_many_rows(data: DataSets) -> None:
    with pytest.raises(BadInput, match="has more than 9 rows"):
        data.add(numbered(10), "x", most=9)
    assert left(data) == (0, 0)
    assert data.add(numbered(9), "x", most=9).rows == 9


def test_what_a_killed_upload_left_is_swept_away(data: DataSets, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = uploads.Upload(data.engine, "dead", "x")
    dead.write(list(enumerate(Entries(numbered(3), "x", "row", Names()), 1)))
    uploads.sweep(data.engine)
    assert left(data) == (1, 3), "it may still be under way"
    monkeypatch.setattr(uploads, "ABANDONED", timedelta(0))
    uploads.sweep(data.engine)
    assert left(data) == (0, 0)
    with pytest.raises(StoreError, match="given up"):
        dead.write(list(enumerate(Entries(numbered(3), "x", "row", Names()), 4)))
    with pytest.raises(StoreError, match="given up"):
        dead.finish(("id", "text"))
    assert left(data) == (0, 0)


def test_pages(data: DataSets) -> None:
    ids = [data.add(numbered(n), str(n)).id for n in (1, 2, 3)]
    assert [each.id for each in data.list()] == ids[::-1]
    assert [each.id for each in data.list(limit=2)] == [ids[2], ids[1]]
    assert [each.id for each in data.list(after=ids[1])] == [ids[0]]


@pytest.mark.parametrize("id_", ["x", "~" + "0" * 63, "0" * 64, "a\0"])
def test_an_unknown_data_set(data: DataSets, id_: str) -> None:
    for ask in (data.get, data.table, data.examples, lambda i: data.list(after=i), lambda i: data.texts(i, ["a"])):
        with pytest.raises(NoDataSet, match="there is no data set"):
            ask(id_)


def test_a_sample_is_the_same_each_time(data: DataSets) -> None:
    found = data.add(numbered(50), "x")
    sample = data.sample(found.id, 10)
    assert sample == data.sample(found.id, 10)
    assert len(set(sample.ids)) == 10
    assert set(sample.ids) <= {f"r{i}" for i in range(50)}
    assert len(data.sample(found.id, 100)) == 50


def test_labels_are_checked_against_a_task_where_there_is_one(data: DataSets) -> None:
    table = data.table(data.add(rows("text,label\none,pos\ntwo,cloudy\n"), "weather").id)
    with pytest.raises(BadInput, match="data set weather: 'row-2' is labelled 'cloudy', no label of the task"):
        check_labels(table, TASK)


def test_memory_does_not_grow_with_the_number_of_rows(data: DataSets) -> None:
    def chunks(n: int) -> Iterator[bytes]:
        yield b"id,text\n"
        for start in range(0, n, 100):
            yield b"".join(
                b"r%d,a sentence of some length that has the number %d\n" % (i, i) for i in range(start, start + 100)
            )

    def peak(n: int) -> int:
        tracemalloc.start()
        data.add(stream_rows(chunks(n), "csv", "x"), "x")
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(100)
    small, large = peak(4_000), peak(20_000)
    assert large < small * 1.2


def as_parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def test_parquet_comes_in_row_groups_and_its_nested_columns_stay_out(data: DataSets) -> None:
    n = 3000
    table = pa.table(
        {"id": [f"r{i}" for i in range(n)], "text": [f"t{i}" for i in range(n)], "n": range(n), "tags": [["x"]] * n}
    )
    found = data.add(rows(as_parquet(table), "parquet", 999), "x")
    assert (found.rows, found.columns) == (n, ("id", "text", "n"))
    assert data.examples(found.id, n - 1)[0].meta == {"n": n - 1}


def test_parquet_with_numbers_that_are_none(data: DataSets) -> None:
    found = data.add(rows(as_parquet(pa.table({"text": ["a"], "score": [float("nan")]})), "parquet"), "x")
    assert data.examples(found.id)[0].meta == {"score": None}


def test_a_parquet_file_that_repeats_one_long_text(data: DataSets) -> None:
    bomb = as_parquet(pa.table({"text": ["x"] * 1000, "pad": ["y" * 5_000_000] * 20 + [""] * 980}))
    assert len(bomb) < 100_000
    with pytest.raises(BadInput, match=r"has a row of up to 5,000,\d+ bytes"):
        data.add(rows(bomb, "parquet", 4096), "x")
    assert left(data) == (0, 0)


def test_a_parquet_file_that_unpacks_to_too_much(data: DataSets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MOST_UNPACKED", 1000)
    with pytest.raises(BadInput, match=r"unpacks to [\d,]+ bytes; give it in parts"):
        data.add(rows(as_parquet(pa.table({"text": ["x" * 500, "y" * 500]})), "parquet"), "x")


def test_a_parquet_upload_that_was_cut(data: DataSets) -> None:
    whole = as_parquet(pa.table({"text": [f"sentence {i}" for i in range(100)]}))
    with pytest.raises(BadInput, match="not a readable Parquet file"):
        data.add(rows(whole[:-20], "parquet"), "x")
    assert left(data) == (0, 0)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30).filter(
    str.strip
)
OTHERS = st.dictionaries(st.text("xyz", min_size=1), st.none() | st.booleans() | st.integers() | TEXT, max_size=3)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    given=st.lists(st.tuples(TEXT, st.sampled_from(["", "pos", "neg"]), OTHERS), min_size=1, max_size=8),
    size=st.integers(1, 50),
)
def test_any_lines_come_out_as_they_went_in(data: DataSets, given: list[tuple[str, str, Row]], size: int) -> None:
    sent = [{**others, "text": text, "label": label} for text, label, others in given]
    lines = "".join(json.dumps(row, ensure_ascii=len(row) % 2 == 0) + "\n" for row in sent)
    found = data.add(rows(lines, "jsonl", size), "x")
    assert [{**e.meta, "text": e.text, "label": e.label} for e in data.examples(found.id)] == sent


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.text('ab,"\r\n\u2028é', max_size=60), size=st.integers(1, 9))
def test_a_file_and_a_stream_agree(tmp_path: Path, content: str, size: int) -> None:
    path = tmp_path / "pool.csv"
    path.write_bytes(f"text,x\n{content}".encode())

    def told(read: object) -> object:
        try:
            return list(read)  # type: ignore[call-overload]
        except BadInput as error:
            return str(error).replace(str(path), "the upload")

    try:
        whole: object = read_table(path, TASK).columns.texts
    except BadInput as error:
        whole = str(error).replace(str(path), "the upload")
    entries = Entries(rows(f"text,x\n{content}", "csv", size), "the upload", "pool", Names())
    streamed = told(entries)
    assert whole == ([entry.text for entry in streamed] if isinstance(streamed, list) else streamed)
