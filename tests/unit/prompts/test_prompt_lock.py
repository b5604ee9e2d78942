"""The lock: a changed text needs a new version."""

from pathlib import Path

import pytest

from prompts.errors import PromptError
from prompts.lock import NAME, check_lock, write_lock
from prompts.source import Folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, text in {"library/test/one.md": "Body", "parts/tone/plain.md": "Plainly."}.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True)
        file.write_text(f"---\nversion: 1\n---\n{text}\n", encoding="utf-8")
    write_lock(tmp_path)
    return tmp_path


def rewrite(root: Path, before: str, after: str) -> None:
    file = root / "parts/tone/plain.md"
    file.write_text(file.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")


def test_a_fresh_lock_holds(root: Path) -> None:
    assert check_lock(Folder(root)) == ()
    assert write_lock(root) == ()


def test_a_changed_text_under_an_old_version_cannot_be_locked(root: Path) -> None:
    before = (root / NAME).read_bytes()
    rewrite(root, "Plainly", "Loudly")
    (drift,) = check_lock(Folder(root))
    assert (drift.path, drift.forbidden) == ("parts/tone/plain.md", True)
    with pytest.raises(PromptError, match=r"parts/tone/plain\.md: changed, but its version went from 1 to 1; raise"):
        write_lock(root)
    assert (root / NAME).read_bytes() == before


def test_a_new_version_is_locked(root: Path) -> None:
    rewrite(root, "Plainly", "Loudly")
    rewrite(root, "version: 1", "version: 2")
    assert [drift.what for drift in write_lock(root)] == ["went from version 1 to 2"]
    assert check_lock(Folder(root)) == ()


def test_new_and_removed_files_are_seen(root: Path) -> None:
    (root / "parts/tone/plain.md").rename(root / "parts/tone/other.md")
    assert [(drift.path, drift.what) for drift in check_lock(Folder(root))] == [
        ("parts/tone/other.md", "is not locked yet"),
        ("parts/tone/plain.md", "is locked but no longer there"),
    ]


def test_a_broken_lock_and_a_missing_version_are_named(root: Path) -> None:
    (root / NAME).write_text("nonsense\n", encoding="utf-8")
    with pytest.raises(PromptError, match=r"line 1 of prompts\.lock is 'nonsense'"):
        check_lock(Folder(root))
    rewrite(root, "version: 1", "version: soon")
    with pytest.raises(PromptError, match="`tone/plain` has the version 'soon'"):
        write_lock(root)
