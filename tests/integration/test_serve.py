"""`thresher serve` as an administrator calls it."""

import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx

from serving.database import open_database
from serving.runs.store import Store
from serving.service.keys import Keys
from tests.support.cli import PROGRAM, environment, thresher


@contextmanager
def serving(folder: Path, *options: str, **variables: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """A service over an empty home, and its address as it says it. No LLM is there."""
    named = {"THRESHER_HOME": str(folder / "home"), "THRESHER_ENGINE_URL": "http://127.0.0.1:9", **variables}
    command = [*PROGRAM, "serve", "--port", "0", *options]
    process = subprocess.Popen(
        command, cwd=folder, env=environment(named), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        url = re.search(r"http://(?:[\d.]+|\[::1\]):\d+", said)
        assert url, said
        patient(f"{url[0]}/health")
        yield process, url[0]
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def patient(url: str) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            assert httpx.get(url, timeout=5).json() == {"status": "alive"}
            return
        except httpx.ConnectError:
            assert time.monotonic() < end


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def ended(process: subprocess.Popen[str]) -> str:
    """What it had logged."""
    assert process.stderr is not None
    logged = process.stderr.read()
    process.wait(60)
    return logged


def stopped(process: subprocess.Popen[str]) -> str:
    """Told to stop, it does; what it had logged."""
    process.send_signal(signal.SIGTERM)
    errors = ended(process)
    assert process.returncode in (0, -signal.SIGTERM), errors
    assert "Traceback" not in errors
    return errors


def test_it_says_where_answers_and_stops_when_told_to(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, url):
        assert httpx.get(f"{url}/openapi.json", timeout=30).json()["info"]["title"] == "Thresher"
        ready = httpx.get(f"{url}/ready", timeout=30)
        assert (ready.status_code, ready.json()["database"]) == (503, "ready")
        assert (
            'thresher_requests_total{method="GET",route="/ready",status="503"} 1.0' in httpx.get(f"{url}/metrics").text
        )
        logged = stopped(process)
    assert "warning request request=" in logged
    assert "route=/ready status=503" in logged


def test_its_log_is_lines_of_json_on_request(tmp_path: Path) -> None:
    host = "::1" if has_ipv6() else "127.0.0.1"
    with serving(tmp_path, "--log-format", "json", "--host", host) as (process, url):
        httpx.get(f"{url}/v1/runs?limit=3", headers={"X-Request-ID": "mine"})
        logged = [json.loads(line) for line in stopped(process).splitlines()]
    (line,) = [line for line in logged if line["message"] == "request" and line["route"] == "/v1/runs"]
    assert (line["request"], line["status"], line["level"]) == ("mine", 200, "info")
    assert any("Started server process" in line["message"] for line in logged)
    refused = thresher("serve", "--log-format", "xml", cwd=tmp_path, THRESHER_HOME=str(tmp_path / "home"))
    assert (refused.returncode, refused.stderr) == (2, "error: --log-format 'xml' is no format of logs; text or json\n")


def test_told_to_stop_it_lets_followers_go_and_finishes_what_it_was_sent(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "home" / "thresher.db")
    store = Store(engine)
    store.begin("watched", "{}", "/watched", "cli")
    engine.dispose()
    ends: list[str] = []
    follows = threading.Event()

    def follow(url: str) -> None:
        with httpx.stream("GET", f"{url}/v1/runs/watched/events", timeout=60) as stream:
            for line in stream.iter_lines():
                ends.append(line)
                follows.set()

    def uploads(process: subprocess.Popen[str]) -> Generator[bytes]:
        yield b"id,text\n"
        process.send_signal(signal.SIGTERM)
        for n in range(30):
            yield b"%d,text number %d\n" % (n, n)
            time.sleep(0.01)

    with serving(tmp_path) as (process, url):
        thread = threading.Thread(target=follow, args=(url,))
        thread.start()
        assert follows.wait(30)
        answer = httpx.post(
            f"{url}/v1/datasets?name=x", content=uploads(process), headers={"Content-Type": "text/csv"}, timeout=60
        )
        assert (answer.status_code, answer.json()["rows"]) == (201, 30)
        thread.join(30)
        assert not thread.is_alive()
        errors = ended(process)
    assert "event: state" in ends
    assert "Cancel" not in errors
    assert "error" not in errors


def test_keys_are_made_listed_and_revoked_on_the_command_line(tmp_path: Path) -> None:
    named = {"THRESHER_HOME": str(tmp_path / "home")}
    made = thresher("keys", "make", "Ada", "--scope", "read", "--scope", "review", cwd=tmp_path, **named)
    secret = made.stdout.strip()
    assert made.stderr == "keep it now: only its hash is stored\n"
    engine = open_database(tmp_path / "home" / "thresher.db")
    (key,) = Keys(engine).list()
    listed = thresher("keys", "list", cwd=tmp_path, **named).stdout
    assert re.search(rf"{key.id} .*never used .*read review .*good .*Ada", listed)
    assert secret.rpartition("_")[2] not in listed
    assert Keys(engine).find(secret) is not None
    Keys(engine).make("Bob", ["read"])
    revoked = thresher("keys", "revoke", key.id, cwd=tmp_path, **named)
    assert (revoked.returncode, revoked.stderr) == (0, "")
    assert Keys(engine).find(secret) is None
    (last,) = (each for each in Keys(engine).list() if not each.revoked)
    told = thresher("keys", "revoke", last.id, cwd=tmp_path, **named).stderr
    assert told == "that was the last key: whoever calls from this machine may do everything now\n"
    engine.dispose()
    again = thresher("keys", "revoke", key.id, cwd=tmp_path, **named)
    assert (again.returncode, len(again.stderr.splitlines())) == (2, 1)


def test_with_a_key_it_listens_to_other_machines_and_lets_nobody_in_without(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "home" / "thresher.db")
    secret = Keys(engine).make("Ada", ["admin"])
    engine.dispose()
    with serving(tmp_path, "--host", "0.0.0.0") as (process, url):
        port = url.rpartition(":")[2]
        here = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{here}/v1/runs").status_code == 401
        known = {"Authorization": f"Bearer {secret}", "Host": "thresher.example"}
        assert httpx.get(f"{here}/v1/runs", headers=known).status_code == 200
        stopped(process)


def test_beyond_the_loopback_interface_it_wants_a_key_first(tmp_path: Path) -> None:
    named = {"THRESHER_HOME": str(tmp_path / "home")}
    refused = thresher("serve", "--host", "0.0.0.0", "--port", "0", cwd=tmp_path, **named)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: 0.0.0.0 is reached from other machines, and there is no API key")
    assert len(refused.stderr.splitlines()) == 1


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = thresher("serve", "--port", port, cwd=tmp_path, THRESHER_HOME=str(tmp_path / "home"))
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"error: 127.0.0.1 port {port} cannot be listened on")
    assert len(refused.stderr.splitlines()) == 1
