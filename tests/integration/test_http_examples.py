"""The README's HTTP examples run as they stand: a real service, an LLM of fixed answers, the commands of the README."""

import json
import os
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from agent.errors import ThresherError
from serving import settings
from serving.connect import Setting
from tests.support.cli import user_files, weather_answer, weather_lean
from tests.support.fake_openai import FakeOpenAI
from tests.support.server import Server

pytestmark = pytest.mark.student

ROOT = Path(__file__).parents[2]
README = ROOT / "serving" / "README.md"
ADDRESS = "http://127.0.0.1:8010"
MARKED = re.compile(r"^<!-- runs -->\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> list[tuple[str, str]]:
    """Language and text of each marked block of the section on HTTP."""
    content = README.read_text(encoding="utf-8")
    section = content[content.index("\n## HTTP\n") :].split("\n## Map\n")[0]
    return MARKED.findall(section)


EXAMPLES = examples()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that has found its LLM."""
    try:
        Setting(settings.load(), lambda _line: None).models().resolve(settings.load().encoder)
    except ThresherError as error:
        pytest.fail(f"the encoder is needed: {error}")
    home = tmp_path_factory.mktemp("service")
    with FakeOpenAI(answer=weather_answer, lean=weather_lean) as llm, Server(home, llm.url) as server:
        connected(server.url)
        yield server.url


def connected(url: str, patience: float = 60.0) -> None:
    """The LLM is looked for in the background; until it is there, the roles answer 503."""
    task = {"name": "weather", "labels": [{"name": "sunny"}, {"name": "rainy"}]}
    body = {"task": task, "examples": [{"id": "a", "text": "warm"}]}
    end = time.monotonic() + patience
    while (answer := httpx.post(f"{url}/v1/annotate", json=body, timeout=60)).status_code == 503:
        assert time.monotonic() < end, answer.text
        time.sleep(0.1)
    assert answer.status_code == 200, answer.text


def run(language: str, text: str, folder: Path, address: str) -> str:
    """What a block prints; it must end well."""
    command = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}[language]
    assert ADDRESS in text
    found = subprocess.run(
        [*command, text.replace(ADDRESS, address)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert found.returncode == 0, f"{found.stdout[-2000:]}\n{found.stderr[-3000:]}"
    return found.stdout


def test_there_is_an_example_in_each_language_and_together_they_go_all_the_way() -> None:
    assert [language for language, _ in EXAMPLES] == ["bash", "bash", "python"]
    for _, text in EXAMPLES[1:]:
        for word in ("datasets", "events", "labels", "model", "report"):
            assert word in text


def test_upload(address: str, tmp_path: Path) -> None:
    user_files(tmp_path)
    found = json.loads(run(*EXAMPLES[0], tmp_path, address))
    assert (found["name"], found["rows"], found["labelled"]) == ("weather", 60, 60)
    assert httpx.get(f"{address}/v1/datasets/{found['id']}").json() == found


def whole(folder: Path) -> None:
    """What both ways leave in the folder."""
    with tarfile.open(folder / "student.tar.gz") as archive:
        assert any(name.startswith("student/") for name in archive.getnames())
    assert "<html" in (folder / "report.html").read_text(encoding="utf-8")


def test_a_run_with_curl(address: str, tmp_path: Path) -> None:
    user_files(tmp_path)
    said = run(*EXAMPLES[1], tmp_path, address)
    assert '"state": "done"' in said or '"state":"done"' in said
    assert "event: state" in said
    lines = (tmp_path / "labels.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("id,text,")
    assert len(lines) > 8
    whole(tmp_path)


def test_a_run_with_the_client(address: str, tmp_path: Path) -> None:
    user_files(tmp_path)
    said = run(*EXAMPLES[2], tmp_path, address)
    assert "60 texts, 60 with a label" in said
    assert "wait until it is done" in said
    assert "\ndone\n" in said
    assert not (tmp_path / "too-early.tar.gz").exists()
    rows = pq.read_table(tmp_path / "labels.parquet").to_pylist()
    assert {row["label"] for row in rows} <= {"sunny", "rainy", None}
    assert sum(row["provenance"] == "human" for row in rows) == 8
    whole(tmp_path)
