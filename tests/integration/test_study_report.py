"""What a study leaves, moved to another place and read there by other processes; its page in a real browser."""

import shutil
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.support.browser import CHROMIUM, browser
from tests.support.cli import thresher
from tests.support.toy_reports import picks_folder, study_folder


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of a study and of an ablation, away from the store that they came from."""
    home, place = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("elsewhere")
    made = {"study": study_folder(home / "study"), "ablation": picks_folder(home / "ablation")}
    return {name: Path(shutil.move(folder, place / name)) for name, folder in made.items()}


def test_replay_needs_the_folder_and_nothing_else(moved: dict[str, Path], tmp_path: Path) -> None:
    home = tmp_path / "nothing"
    for name, folder in moved.items():
        found = thresher("replay", "manifest.json", cwd=folder, THRESHER_HOME=str(home))
        assert (found.returncode, found.stderr) == (0, "")
        assert found.stdout.startswith(f"equal: {name} ")
    assert not home.exists(), "no store was opened"


def test_a_page_is_drawn_again_and_a_changed_record_is_refused(moved: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(moved["study"], tmp_path / "copy"))
    before = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    found = thresher("report", ".", cwd=folder)
    assert (found.returncode, found.stderr) == (0, "")
    assert "margin - random (svm), accuracy at the budget" in found.stdout
    assert (folder / "report.html").read_bytes() == before
    record = (folder / "weather.json").read_text(encoding="utf-8")
    (folder / "weather.json").write_text(record.replace('"accuracy":0.', '"accuracy":0.9', 1), encoding="utf-8")
    for command in (("report", "."), ("replay", "manifest.json")):
        found = thresher(*command, cwd=folder)
        assert found.returncode == 2
        assert found.stderr.startswith("error: weather.json is not the file that the manifest names: SHA-256 ")
        assert found.stderr.count("\n") == 1


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_pages_fit_a_telephone_and_are_accessible_in_both_schemes(moved: dict[str, Path]) -> None:
    with browser() as started:
        for folder in moved.values():
            for scheme in ("light", "dark"):
                page = started.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
                page.goto((folder / "report.html").as_uri())
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                found = Axe().run(page)
                assert found.violations_count == 0, found.generate_report()
                page.close()
