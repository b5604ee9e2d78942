"""`manifest.json` of a study or an ablation: every file with its SHA-256, and what the numbers hang on."""

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from agent.errors import BadInput
from evaluation.study_record import Left, StudyLeft
from prompts.messages import Frozen
from serving.system import atomic

NAME = "manifest.json"
Part = Literal["record", "source", "table", "page", "picture"]
"""`record`: what everything else is made from. `source`: the file that was run. `table`: what replay compares."""


_MADE = "`thresher report {folder}` makes it from the records"
_AGAIN = "run it again: it does nothing twice"
_BRINGS: dict[Part, str] = {"record": _AGAIN, "source": _AGAIN, "table": _MADE, "page": _MADE, "picture": _MADE}


class Kept(Frozen):
    """One file."""

    part: Part
    sha256: str
    bytes: int


class Rows(Frozen):
    """SHA-256 over ids, texts and labels."""

    pool: str
    test: str


class Manifest(Frozen):
    """What lies in the folder."""

    manifest: Literal[1] = 1
    kind: Literal["study", "ablation"]
    name: str
    made: str
    thresher: str
    python: str
    packages: dict[str, str]
    models: dict[str, str]
    """SHA-256 of the weights by what they were used for. Replay needs none of them."""
    data: dict[str, Rows]
    """Replay needs none of them."""
    prompts: tuple[str, ...]
    replay: str = "thresher replay manifest.json: no model, no network, no data set; the records and this program do"
    files: dict[str, Kept]


def write(left: Left, folder: Path, parts: dict[str, Part]) -> None:
    """Writes the manifest of the files named, by their path in the folder."""
    record = left.record if isinstance(left, StudyLeft) else left.study
    manifest = Manifest(
        kind="study" if isinstance(left, StudyLeft) else "ablation",
        name=record.study.name,
        made=record.made,
        thresher=record.thresher,
        python=record.python,
        packages=record.packages,
        models={each.role: each.hash for each in record.models},
        data={name: Rows(pool=used.pool, test=used.test) for name, used in record.sets.items()},
        prompts=record.prompts,
        files={name: _kept(folder / name, part) for name, part in sorted(parts.items())},
    )
    atomic.write(folder / NAME, manifest.model_dump_json(indent=1))


def read(path: Path) -> Manifest:
    """Raises BadInput where there is none, or it is not one."""
    try:
        return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read: {error.strerror}", "name the manifest.json of a study's folder"
        ) from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is no manifest of a study", "name the manifest.json of a study's folder") from error


def verify(manifest: Manifest, folder: Path, parts: Collection[Part]) -> None:
    """Holds the files of these parts against the manifest.

    Raises:
        BadInput: one is missing, or is not the file that was written.
    """
    for name, kept in manifest.files.items():
        if kept.part not in parts:
            continue
        path = folder / name
        if not path.is_file():
            raise BadInput(f"{path} is missing, and the manifest names it", _BRINGS[kept.part].format(folder=folder))
        found = digest(path)
        if found != kept.sha256:
            what = (
                f"{path} is not the file that the manifest names: SHA-256 {found[:12]}… instead of {kept.sha256[:12]}…"
            )
            raise BadInput(what, "put the file back; thresher replay --anyway says what the change does")


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _kept(path: Path, part: Part) -> Kept:
    return Kept(part=part, sha256=digest(path), bytes=path.stat().st_size)
