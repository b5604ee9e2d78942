"""`prompts.lock`: the text behind every version, so that a text never changes under an old number.

One line a file: SHA-256 of the whole file, version, path.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

from prompts.errors import PromptError
from prompts.source import Folder, Source, packaged

NAME = "prompts.lock"


class Entry(NamedTuple):
    """What the lock knows of one file."""

    digest: str
    version: int


class Drift(NamedTuple):
    """A file that is not as it was locked."""

    path: str
    what: str
    forbidden: bool
    """True where the text changed under a version that was locked already: locking again is not the answer."""


def entries(folder: Folder | None = None) -> dict[str, Entry]:
    """Return the entry of every prompt and part as they are now, by path.

    Raises:
        PromptError: if a file has no front matter or no whole number as version.
    """
    folder = folder or packaged()
    found = {f"library/{source.name}.md": _entry(source) for source in folder.prompts()}
    return found | {f"parts/{source.name}.md": _entry(source) for source in folder.parts()}


def check_lock(folder: Folder | None = None) -> tuple[Drift, ...]:
    """Compare the files with the lock.

    Returns:
        What differs, by path; empty where the lock holds.

    Raises:
        PromptError: if a file or the lock cannot be read.
    """
    folder = folder or packaged()
    now, locked = entries(folder), _read(folder)
    drifts = [_drift(path, now.get(path), locked.get(path)) for path in sorted(now.keys() | locked.keys())]
    return tuple(drift for drift in drifts if drift is not None)


def write_lock(root: Path | None = None) -> tuple[Drift, ...]:
    """Write the lock anew and return what it changed.

    Args:
        root: the folder that holds `library` and `parts`; where it is None, the folder of this package, which must be
            a source checkout for that.

    Raises:
        PromptError: if a text changed without a higher version; nothing is written then.
    """
    root = root or Path(__file__).parent
    drifts = check_lock(Folder(root))
    if forbidden := [drift for drift in drifts if drift.forbidden]:
        first = forbidden[0]
        raise PromptError(f"{first.path}: {first.what}", "raise `version` in its front matter, then lock again")
    lines = [f"{entry.digest}  {entry.version}  {path}\n" for path, entry in sorted(entries(Folder(root)).items())]
    (root / NAME).write_text("".join(lines), encoding="utf-8")
    return drifts


def _entry(source: Source) -> Entry:
    front, _ = source.split()
    version = front.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise PromptError(f"`{source.name}` has the version {version!r}", "write a whole number from 1")
    return Entry(hashlib.sha256(source.text.encode()).hexdigest(), version)


def _drift(path: str, now: Entry | None, locked: Entry | None) -> Drift | None:
    if now == locked:
        return None
    if locked is None:
        return Drift(path, "is not locked yet", forbidden=False)
    if now is None:
        return Drift(path, "is locked but no longer there", forbidden=False)
    if now.version > locked.version:
        return Drift(path, f"went from version {locked.version} to {now.version}", forbidden=False)
    what = f"changed, but its version went from {locked.version} to {now.version}"
    return Drift(path, what, forbidden=True)


_ANEW = 'write it anew with `python -c "from prompts.lock import write_lock; write_lock()"`'


def _read(folder: Folder) -> dict[str, Entry]:
    file = folder.root.joinpath(NAME)
    if not file.is_file():
        return {}
    locked: dict[str, Entry] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        match line.split():
            case [digest, version, path] if version.isdecimal():
                locked[path] = Entry(digest, int(version))
            case _:
                raise PromptError(f"line {number} of {NAME} is {line!r:.60}", _ANEW)
    return locked
