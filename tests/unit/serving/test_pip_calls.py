"""Watching pip while it downloads."""

import os
from pathlib import Path
from typing import Any

import pytest

from serving.system import pip_calls


def test_a_folder_that_pip_takes_away_meanwhile_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("here", 3), ("gone", 9)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model-1.whl").write_bytes(b"x" * size)
    (tmp_path / "log").write_bytes(b"x" * 99)
    plain = os.scandir

    def scandir(place: Any) -> Any:
        if Path(place).name == "gone":
            raise FileNotFoundError(place)
        return plain(place)

    assert pip_calls._held(tmp_path) == 9
    monkeypatch.setattr(os, "scandir", scandir)
    assert pip_calls._held(tmp_path) == 3
