"""The wheel, installed into an empty environment without torch, works from another folder."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from prompts.template import catalogue

ROOT = Path(__file__).parents[2]
FOLDERS = ("prompts", "agent", "evaluation", "serving")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT], cwd=out)
    (made,) = out.glob("thresher-*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment that holds the wheel and what it depends on, nothing else."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    run([sys.executable, "-m", "venv", folder], cwd=folder.parent)
    run([folder / "bin" / "python", "-m", "pip", "install", "-q", wheel], cwd=folder.parent)
    return folder / "bin"


def run(command: list[str | Path], cwd: Path) -> str:
    found = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=500)
    assert found.returncode == 0, found.stdout[-2000:] + found.stderr[-2000:]
    return found.stdout


def test_the_wheel_holds_every_file_of_the_four_folders_and_no_test(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    tracked = run(["git", "ls-files", *FOLDERS], cwd=ROOT).splitlines()
    assert sorted(name for name in tracked if (ROOT / name).exists() and name not in held) == []
    assert not [name for name in held if name.split("/")[0] not in FOLDERS and ".dist-info/" not in name]
    assert not [name for name in held if "__pycache__" in name]


def test_the_command_answers_from_another_folder(installed: Path, tmp_path: Path) -> None:
    assert "resume" in run([installed / "thresher", "--help"], cwd=tmp_path)
    assert "qwen2.5-0.5b-instruct" in run([installed / "thresher", "models", "list"], cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_prompts_are_found_and_are_the_same(installed: Path, tmp_path: Path) -> None:
    script = """
import json, sys
import prompts
from prompts.lock import check_lock
from prompts.template import catalogue, load
assert check_lock() == ()
labels = [{"word": word, "description": ""} for word in "ab"]
prompt = load("annotate/label")
text = prompt.render({}, item="line", text="fine", text_b="", labels=labels, task_guidelines="", demonstrations=[])
assert "fine" in text[-1].content
print(json.dumps([prompts.__file__, {p.id: p.fingerprint({}) for p in catalogue()}]))
"""
    where, found = json.loads(run([installed / "python", "-c", script], cwd=tmp_path))
    assert not Path(where).is_relative_to(ROOT)
    assert found == {prompt.id: prompt.fingerprint({}) for prompt in catalogue()}


def test_every_module_loads_without_torch(installed: Path, tmp_path: Path) -> None:
    script = f"""
import importlib, importlib.util, pkgutil
for absent in ("torch", "transformers", "vllm", "pytest"):
    assert importlib.util.find_spec(absent) is None, absent
for folder in {FOLDERS!r}:
    package = importlib.import_module(folder)
    for each in pkgutil.walk_packages(package.__path__, f"{{folder}}."):
        importlib.import_module(each.name)
"""
    run([installed / "python", "-W", "error", "-c", script], cwd=tmp_path)


def test_a_report_page_finds_its_templates(installed: Path, tmp_path: Path) -> None:
    script = (
        "from importlib.resources import files; print(files('evaluation').joinpath('templates/run.html.j2').is_file())"
    )
    assert run([installed / "python", "-c", script], cwd=tmp_path) == "True\n"


def test_what_needs_torch_says_so_in_one_line(installed: Path, tmp_path: Path) -> None:
    """Without the extra `student`, asking for a student is an error that names the extra."""
    (tmp_path / "task.toml").write_text(
        'name = "t"\n[[labels]]\nname = "a"\n[[labels]]\nname = "b"\n', encoding="utf-8"
    )
    (tmp_path / "pool.csv").write_text("text,label\n" + "one,a\ntwo,b\n" * 20, encoding="utf-8")
    command = [
        installed / "thresher",
        "run",
        "task.toml",
        "pool.csv",
        "--recipe",
        "random",
        "--simulate",
        "--budget",
        "4",
    ]
    found = subprocess.run([str(part) for part in command], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert found.returncode == 2, found.stderr[-2000:]
    assert "Traceback" not in found.stderr
    assert "thresher[student]" in found.stderr.splitlines()[-1]
