"""The image's environment, made by its Dockerfile's own commands: empty but for the wheel and what it depends on,
without torch. It works from another folder.
"""

import json
import re
import subprocess
import time
import zipfile
from pathlib import Path

import httpx
import pytest

from prompts.template import catalogue
from serving.database import open_database
from serving.service.keys import Keys
from tests.support.dockerfile import Build

ROOT = Path(__file__).parents[2]
FOLDERS = ("prompts", "agent", "evaluation", "serving")
PLACE = re.compile(r"^.*/var(?=/)")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The small image: without what trains students."""
    return Build(ROOT / "docker" / "Dockerfile", ROOT, tmp_path_factory.mktemp("image"), EXTRAS="postgres")


@pytest.fixture(scope="module")
def wheel(image: Build) -> Path:
    (made,) = Path(image.placed("/opt/wheels")).glob("thresher-*.whl")
    return made


@pytest.fixture(scope="module")
def installed(image: Build) -> Path:
    """The `bin` folder of its environment."""
    return Path(image.placed("/opt/thresher/bin"))


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


def test_the_image_runs_as_nobody_in_particular_and_holds_no_build_tools(image: Build, installed: Path) -> None:
    build, last = image.stages
    assert build.base.split() == ["python:3.12-slim-bookworm", "AS", "build"]
    assert last.base == "python:3.12-slim-bookworm"
    assert last.said["USER"] == "10001:10001"
    made, given = image.users[-2], image.users[-1]
    assert made[:4] == ["useradd", "--system", "--uid", "10001"]
    assert {"--owner=10001", "/var/lib/thresher", "/var/cache/thresher"} <= {PLACE.sub("/var", word) for word in given}
    assert json.loads(last.said["VOLUME"]) == ["/var/lib/thresher", "/var/cache/thresher"]
    listed = json.loads(run([installed / "python", "-m", "pip", "list", "--format", "json"], cwd=installed))
    names = {each["name"] for each in listed}
    assert "psycopg" in names
    assert not names & {"build", "hatchling", "torch", "pytest"}


def test_the_image_serves_is_healthy_and_stops(image: Build, installed: Path, tmp_path: Path) -> None:
    """As it is started: only that the port is a free one. It wants a key first, since it listens to all."""
    home = tmp_path / "home"
    changes = {"PATH": f"{installed}:/usr/bin:/bin", "THRESHER_HOME": str(home), "THRESHER_CACHE": str(tmp_path / "c")}
    given = {
        **image.environment(),
        **changes,
        "THRESHER_SERVICE_PORT": "0",
        "THRESHER_ENGINE_URL": "http://127.0.0.1:9",
    }
    assert given["THRESHER_HOST"] == "0.0.0.0"
    start = [installed / image.command("ENTRYPOINT")[0], *image.command("CMD")]
    refused = subprocess.run(start, cwd=tmp_path, env=given, capture_output=True, text=True, timeout=60)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1), refused.stderr
    assert "thresher keys make" in refused.stderr
    engine = open_database(home / "thresher.db")
    secret = Keys(engine).make("Ada", ["admin"])
    engine.dispose()
    process = subprocess.Popen(
        start, cwd=tmp_path, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        port = re.findall(r":(\d+) ", process.stdout.readline())[0]
        check = image.command("HEALTHCHECK")
        healthy = {**given, "THRESHER_SERVICE_PORT": port}
        end = time.monotonic() + 30
        while subprocess.run(check, env=healthy, stderr=subprocess.DEVNULL, timeout=30).returncode:
            assert time.monotonic() < end
        known = {"Authorization": f"Bearer {secret}"}
        assert httpx.get(f"http://127.0.0.1:{port}/v1/runs", headers=known, timeout=30).json()["items"] == []
        process.terminate()
        log = [json.loads(line) for line in process.stderr.read().splitlines()]
        assert process.wait(30) in (0, -15)
        assert [line["route"] for line in log if line["message"] == "request"] == ["/v1/runs"]
        assert subprocess.run(check, env=healthy, stderr=subprocess.DEVNULL, timeout=30).returncode
    finally:
        process.kill()
        process.communicate()


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
