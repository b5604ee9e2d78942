"""What lies in a model's folder: one line for each file, and one hash for the weights."""

from hashlib import sha256
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from agent.errors import ModelError
from prompts.messages import Frozen
from serving.models.wheels import file_hash
from serving.system import atomic
from serving.system.progress import Watch, unwatched

FILE = "manifest.json"
Source = Literal["local", "hub", "packaged"]


class Kept(Frozen):
    """One file: size in bytes, time of change in nanoseconds, SHA-256."""

    size: int
    changed: int
    sha256: str


class Manifest(Frozen):
    """Written last, so that a folder which has one is whole."""

    schema_number: Literal[1] = 1
    name: str
    variant: str
    source: Source
    origin: str
    """The hub's repository and commit, the archives, or the folder."""
    hash: str
    """See `weights_hash`."""
    files: dict[str, Kept]


def scan(folder: Path, watch: Watch = unwatched) -> dict[str, Kept]:
    """Every file under `folder`, hashed, by its path inside; the manifest itself and hidden files left out."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and _counts(path.relative_to(folder)))
    total, done = sum(path.stat().st_size for path in paths), 0
    found: dict[str, Kept] = {}
    for path in paths:
        state = path.stat()
        digest = file_hash(path)
        found[path.relative_to(folder).as_posix()] = Kept(size=state.st_size, changed=state.st_mtime_ns, sha256=digest)
        done += state.st_size
        watch("hashing", done, total)
    return found


def _counts(inside: Path) -> bool:
    return inside.as_posix() != FILE and not any(part.startswith(".") for part in inside.parts)


def weights_hash(files: dict[str, Kept]) -> str:
    """SHA-256 of the one `*.safetensors` file, or of the lines `sha256  path` of several, sorted by path.

    Raises:
        ModelError: there is none.
    """
    weights = {path: kept.sha256 for path, kept in sorted(files.items()) if path.endswith(".safetensors")}
    if not weights:
        raise ModelError("the folder holds no *.safetensors", "give a folder that Hugging Face tools saved")
    if len(weights) == 1:
        return next(iter(weights.values()))
    return sha256("".join(f"{digest}  {path}\n" for path, digest in weights.items()).encode()).hexdigest()


def read(folder: Path) -> Manifest | None:
    """The manifest of a folder; None where there is none or the folder is not as it was recorded (by sizes).

    Raises:
        ModelError: the manifest cannot be read.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    manifest = load(path)
    whole = all(_size(folder / file) == kept.size for file, kept in manifest.files.items())
    return manifest if whole else None


def load(path: Path) -> Manifest:
    """The manifest in that file.

    Raises:
        ModelError: it is damaged or of another schema.
    """
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ModelError(
            f"{path} is damaged: {error.errors()[0]['msg']}", "remove the folder and fetch again"
        ) from error


def save(manifest: Manifest, path: Path) -> None:
    atomic.write(path, manifest.model_dump_json(indent=1) + "\n")


def compare(folder: Path, manifest: Manifest, watch: Watch = unwatched) -> None:
    """Hashes everything again.

    Raises:
        ModelError: the first file that is missing or changed, with what was expected and found.
    """
    found = scan(folder, watch)
    for file, kept in manifest.files.items():
        if file not in found:
            raise ModelError(f"{folder / file} is missing", "remove the folder and fetch again")
        if found[file].sha256 != kept.sha256:
            what = f"{folder / file} is corrupted: expected SHA-256 {kept.sha256} ({kept.size} bytes)"
            raise ModelError(
                f"{what}, found {found[file].sha256} ({found[file].size} bytes)", "remove the folder and fetch again"
            )


def unchanged(folder: Path, manifest: Manifest) -> bool:
    """Whether sizes and times of change are still those of the manifest; for folders that are not ours."""
    states = {path: (folder / path).stat() for path in manifest.files if (folder / path).is_file()}
    now = {path: (state.st_size, state.st_mtime_ns) for path, state in states.items()}
    weights = {path.relative_to(folder).as_posix() for path in folder.rglob("*.safetensors")}
    return now == {path: (kept.size, kept.changed) for path, kept in manifest.files.items()} and weights <= set(now)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None
