"""Exports: every value comes back, piece by piece, and no cell of a CSV file is a formula."""

import csv
import io
import json
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.runs.export import LABELS, guarded, unguarded, write, write_csv, write_jsonl, write_parquet
from serving.runs.formats import stream_rows

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
RISKY = st.text("'=+-@\t\r\n,\"aé", min_size=1, max_size=8)
ROW = st.fixed_dictionaries(
    {
        "id": TEXT,
        "text": TEXT | RISKY,
        "text_b": st.none() | TEXT,
        "label": st.none() | RISKY,
        "confidence": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "provenance": st.sampled_from(["machine", "human", "confirmed"]),
        "by": TEXT,
        "origin": st.just("pool"),
        "history": st.lists(st.fixed_dictionaries({"by": TEXT, "why": TEXT | RISKY}), max_size=2),
    }
)
ROWS = st.lists(ROW, max_size=5)
Rows = list[dict[str, Any]]


@given(rows=ROWS)
def test_jsonl_round_trip(rows: Rows) -> None:
    lines = b"".join(write_jsonl(rows)).decode()
    assert [json.loads(line) for line in lines.split("\n") if line] == rows


@given(rows=ROWS)
def test_csv_round_trip(rows: Rows) -> None:
    content = b"".join(write_csv(rows)).decode()
    reader = csv.DictReader(io.StringIO(content, newline=""), strict=True)
    found = [
        {
            name: {"text": unguarded, "number": float, "json": json.loads}[kind](row[name]) if row[name] else None
            for name, kind in LABELS.items()
        }
        for row in reader
    ]
    assert found == rows
    assert reader.fieldnames == list(LABELS)


@given(rows=st.lists(ROW, min_size=1, max_size=5))
def test_what_is_exported_without_a_guard_can_be_uploaded(rows: Rows) -> None:
    found = list(stream_rows(write_csv(rows, guard=False), "csv", "x"))
    assert [row["text"] for row in found] == [row["text"] for row in rows]


@given(rows=ROWS)
def test_parquet_round_trip(rows: Rows) -> None:
    found = pq.read_table(io.BytesIO(b"".join(write_parquet(rows)))).to_pylist()
    assert [{**row, "history": json.loads(row["history"])} for row in found] == rows


@given(text=RISKY | TEXT)
def test_a_guard_is_undone_exactly_and_leaves_no_formula(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert guarded(text)[0] not in "=+-@\t\r"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("-5 degrees", "'-5 degrees"),
        ("'=x", "''=x"),
        ("'quoted' words", "'quoted' words"),
        ("fine", "fine"),
    ],
)
def test_formulas(text: str, cell: str) -> None:
    assert guarded(text) == cell
    assert list(write_csv([{"text": text}], {"text": "text"}))[1].decode() == f"{cell}\r\n"


def test_numbers_are_numbers() -> None:
    assert list(write_csv([{"n": -0.25}], {"n": "number"}))[1] == b"-0.25\r\n"


def test_half_a_character_does_not_break_an_export() -> None:
    row = {"id": "a", "text": "x", "history": [{"why": "\ud800"}], "by": "\ud800"}
    assert json.loads(b"".join(write_jsonl([row]))) == row
    assert b'""why"": ""\\ud800""' in b"".join(write_csv([row]))
    found = pq.read_table(io.BytesIO(b"".join(write_parquet([row])))).to_pylist()[0]
    assert json.loads(found["history"]) == row["history"]
    assert found["by"] == "?"


@pytest.mark.parametrize("format_", ["jsonl", "csv", "parquet"])
def test_pieces_come_before_all_rows_were_read(format_: Any) -> None:
    read = 0

    def rows() -> Any:
        nonlocal read
        for n in range(50_000):
            read = n
            yield {"id": str(n), "text": f"sentence {n}"}

    pieces = write(rows(), format_)
    size = len(next(pieces)) + len(next(pieces))
    assert read < 20_000
    assert size + sum(map(len, pieces)) > 100_000
    assert read == 49_999
