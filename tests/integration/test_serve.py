"""`thresher serve` as an administrator calls it."""

import re
import signal
import socket
import subprocess
from pathlib import Path

import httpx

from tests.support.cli import PROGRAM, environment, thresher


def test_it_says_where_answers_and_stops_when_told_to(tmp_path: Path) -> None:
    named = {"THRESHER_HOME": str(tmp_path / "home"), "THRESHER_ENGINE_URL": "http://127.0.0.1:9"}
    command = [*PROGRAM, "serve", "--port", "0"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment(named), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    url = re.search(r"http://127\.0\.0\.1:\d+", said)
    assert url, said
    for _ in range(200):
        try:
            assert httpx.get(f"{url[0]}/health", timeout=5).json() == {"status": "alive"}
            break
        except httpx.ConnectError:
            continue
    assert httpx.get(f"{url[0]}/openapi.json", timeout=30).json()["info"]["title"] == "Thresher"
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (0, -signal.SIGTERM), errors
    assert "Traceback" not in errors


def test_beyond_the_loopback_interface_it_wants_a_key_first(tmp_path: Path) -> None:
    named = {"THRESHER_HOME": str(tmp_path / "home")}
    refused = thresher("serve", "--host", "0.0.0.0", "--port", "0", cwd=tmp_path, **named)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: 0.0.0.0 is reached from other machines, and there is no API key")
    assert len(refused.stderr.splitlines()) == 1
    made = thresher("keys", "make", "Ada", "--scope", "admin", cwd=tmp_path, **named)
    assert made.stdout.startswith("thresher_")
    listed = thresher("keys", "list", cwd=tmp_path, **named).stdout
    assert "Ada" in listed
    assert made.stdout.strip().rpartition("_")[2] not in listed


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = thresher("serve", "--port", port, cwd=tmp_path, THRESHER_HOME=str(tmp_path / "home"))
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"error: 127.0.0.1 port {port} cannot be listened on")
    assert len(refused.stderr.splitlines()) == 1
