import bz2
import hashlib
import zipfile
from pathlib import Path

import pytest

from agent.errors import BadInput
from evaluation.cards import CARDS, ROTTEN_TOMATOES, card
from evaluation.datasets import DataCard, PackagedArchive, read

TABLE = (
    "category,text,movie_name\n"
    'fresh,"A  fine\nfilm, really.",one\nplot,The story of a man.,one\nrotten,Dull.,two\nrotten,"  ",two\n'
)


class Folder:
    """Hands out archives that lie in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def archive(self, spec: PackagedArchive) -> Path:
        return self.folder / spec.wheel


def packed(folder: Path, table: str, **changes: str) -> DataCard:
    """The film card over a small wheel made here."""
    archive = ROTTEN_TOMATOES.archive
    wheel = folder / archive.wheel
    with zipfile.ZipFile(wheel, "w") as made:
        made.writestr(archive.member, bz2.compress(table.encode()))
    found = {"sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(), **changes}
    return ROTTEN_TOMATOES.model_copy(update={"archive": archive.model_copy(update=found)})


def test_rows_are_read_with_their_film_and_what_is_no_sentence_is_left_out(tmp_path: Path):
    rows = read(packed(tmp_path, TABLE), Folder(tmp_path))
    assert [(each.id, each.text, each.label, each.group) for each in rows] == [
        ("rotten_tomatoes-00000", "A fine film, really.", "fresh", "one"),
        ("rotten_tomatoes-00002", "Dull.", "rotten", "two"),
    ]


def test_another_archive_than_the_cards_is_refused_with_both_hashes(tmp_path: Path):
    wrong = packed(tmp_path, TABLE, sha256="0" * 64)
    with pytest.raises(BadInput, match=f"has SHA-256 [0-9a-f]{{64}}, expected {'0' * 64}"):
        read(wrong, Folder(tmp_path))


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("category,words\nfresh,x\n", "has no column 'text'"),
        ("", "its columns are none"),
        ("category,text,movie_name\nstale,x,one\n", "row 0: label 'stale' is not on the card"),
    ],
)
def test_a_table_that_is_not_the_cards_is_refused(tmp_path: Path, table: str, says: str):
    with pytest.raises(BadInput, match=says):
        read(packed(tmp_path, table), Folder(tmp_path))


def test_a_member_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(BadInput, match=r"holds no file 'elsewhere\.csv'"):
        read(packed(tmp_path, TABLE, member="elsewhere.csv"), Folder(tmp_path))


@pytest.mark.parametrize("each", CARDS, ids=lambda each: each.name)
def test_every_card_makes_a_task_and_says_where_it_comes_from(each: DataCard):
    assert each.task().names == tuple(label.name for label in each.labels)
    assert all((each.source, each.licence, each.citation, each.guidelines, each.splits))
    assert card(each.name) is each


def test_the_llm_is_asked_for_words_and_the_labels_keep_their_names():
    assert ROTTEN_TOMATOES.task().words == ("positive", "negative")
    assert ROTTEN_TOMATOES.task().names == ("fresh", "rotten")


def test_an_unknown_card_is_refused_with_those_that_are_known():
    with pytest.raises(BadInput, match=r"'tomatoes'; known: .*rotten_tomatoes"):
        card("tomatoes")
