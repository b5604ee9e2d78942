"""Logs: ids in, texts and secrets out, one line a record whatever is in it."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from agent.errors import BadInput, EngineError
from serving.app import create_app
from serving.service import logs
from serving.settings import Settings
from serving.system.context import about, ids
from serving.system.parallel import in_parallel

TEXT = "the patient said that the zebra was late"
KEY = "thresher_0123456789abcdef_" + "k" * 43


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """Where the log goes; what was set up before is there again afterwards."""
    root, kept = logging.getLogger(), {}
    hooks, handlers, level = (sys.excepthook, threading.excepthook), root.handlers[:], root.level
    for name in logs.OURS:
        logger = logging.getLogger(name)
        kept[name] = (logger.handlers[:], logger.level, logger.propagate)
    yield io.StringIO()
    logging.captureWarnings(False)
    (sys.excepthook, threading.excepthook), root.handlers[:] = hooks, handlers
    root.setLevel(level)
    for name, (handlers, level, propagate) in kept.items():
        logger = logging.getLogger(name)
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)


def settings(tmp_path: Path, **fields: object) -> Settings:
    given = {"home": tmp_path, "engine_url": "http://127.0.0.1:9", "log_format": "json", **fields}
    return Settings.model_validate(given)


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.mark.usefixtures("out")
def test_a_file_stays_bounded_however_long_the_service_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LONGEST", 2000)
    file = tmp_path / "service.log"
    file.write_text("what the process said before\n")
    logs.configure(settings(tmp_path), file=file)
    for n in range(100):
        logging.getLogger("serving.x").info("said %d", n)
    logging.getLogger().handlers[0].close()
    assert sorted(each.name for each in tmp_path.glob("service.log*")) == ["service.log", "service.log.1"]
    assert all(each.stat().st_size <= 2000 for each in tmp_path.glob("service.log*"))
    assert "said 99" in file.read_text()


def test_a_line_bears_the_ids_of_what_it_belongs_to_also_in_threads(out: io.StringIO, tmp_path: Path) -> None:
    logs.configure(settings(tmp_path), out)
    with about(run="weather", round="3"), about(call="abc", round="4"):
        in_parallel(lambda n: logging.getLogger("serving.x").info("said %d", n), [1, 2, 3], 3)
    assert ids() == {}
    found = lines(out)
    assert sorted(str(line["message"]) for line in found) == ["said 1", "said 2", "said 3"]
    assert {(line["run"], line["round"], line["call"], line["level"]) for line in found} == {
        ("weather", "4", "abc", "info")
    }


def test_secrets_are_struck_out(out: io.StringIO, tmp_path: Path) -> None:
    logs.configure(settings(tmp_path, api_key="sesame-sesame", THRESHER_HUB_TOKEN="hf_abcdef"), out)
    log = logging.getLogger("serving.x")
    log.warning("%s and Authorization: Bearer abc.def-123== of postgresql://ann:pw@host/db", KEY)
    log.warning("sesame-sesame", extra={"fields": {"token": "hf_abcdef", "to": "Basic YWxhZGRpbg=="}})
    said = out.getvalue()
    for secret in (KEY, "k" * 43, "abc.def-123", "ann:pw", "sesame", "hf_abcdef", "YWxhZGRpbg"):
        assert secret not in said
    assert "postgresql://***@host/db" in said
    assert len(lines(out)) == 2


def test_an_exception_is_told_by_type_and_place(out: io.StringIO, tmp_path: Path) -> None:
    logs.configure(settings(tmp_path), out)

    def stumbles() -> None:
        raise KeyError(TEXT)

    try:
        try:
            stumbles()
        except KeyError as error:
            raise ValueError(f"cannot read {TEXT}") from error
    except ValueError:
        logging.getLogger("serving.x").exception("it failed")
    (line,) = lines(out)
    assert str(line["error"]).startswith("ValueError at unit/serving/test_logs.py:")
    assert "after KeyError at unit/serving/test_logs.py:" in str(line["error"])
    assert " in stumbles" in str(line["error"])
    assert "zebra" not in out.getvalue()


def test_of_libraries_only_the_place_is_told(out: io.StringIO, tmp_path: Path) -> None:
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # as a server leaves it that was told to be quiet
    logs.configure(settings(tmp_path), out)
    logging.getLogger("asyncio").error("Task exception was never retrieved: %s", TEXT)
    logging.getLogger("httpx").info("POST %s", TEXT)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn(TEXT, stacklevel=1)
    logging.getLogger("uvicorn.error").info("Started server process [%d]", 7)
    said = [str(line["message"]) for line in lines(out)]
    assert said[0].startswith("a line of asyncio, withheld (")
    assert said[1].startswith("a line of py.warnings, withheld (")
    assert said[2:] == ["Started server process [7]"]
    assert "zebra" not in out.getvalue()


def test_what_ends_a_thread_or_the_process_is_logged_like_all_else(out: io.StringIO, tmp_path: Path) -> None:
    logs.configure(settings(tmp_path), out)

    def stumbles() -> None:
        raise RuntimeError(TEXT)

    thread = threading.Thread(target=stumbles)
    thread.start()
    thread.join()
    sys.excepthook(KeyError, KeyError(TEXT), None)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert [str(line["error"]).split()[0] for line in lines(out)] == ["RuntimeError", "KeyError"]
    assert "zebra" not in out.getvalue()


def test_no_value_begins_a_line_of_its_own(out: io.StringIO, tmp_path: Path) -> None:
    logs.configure(settings(tmp_path, log_format="text"), out)
    forged = "one\n2026-01-01 info forged\x1b[31m\u2028two"
    logging.getLogger("serving.x").info("%s", forged, extra={"fields": {"name": "a\r\nb"}})
    said = out.getvalue()
    assert len(said.splitlines()) == 1
    assert "one\\x0a2026" in said
    assert "name=a\\x0d\\x0ab" in said
    assert "\x1b" not in said


def test_the_level_decides_what_is_said(out: io.StringIO, tmp_path: Path) -> None:
    logs.configure(settings(tmp_path, log_level="warning"), out)
    logging.getLogger("serving.x").info("no")
    logs.configure(settings(tmp_path, log_level="debug"), out)
    logging.getLogger("serving.x").debug("yes")
    assert [line["message"] for line in lines(out)] == ["yes"]


def test_errors_about_the_world_are_said_and_those_about_content_are_not() -> None:
    assert logs.reason(EngineError("nobody answers at port 9", "start it")) == "nobody answers at port 9; start it"
    assert logs.reason(BadInput(f"{TEXT!r} is no label")) == "BadInput; the run itself says more"


@pytest.fixture
def client(out: io.StringIO, tmp_path: Path) -> TestClient:
    given = settings(tmp_path, cache=tmp_path / "cache")
    logs.configure(given, out)
    return TestClient(create_app(given))


def requests(out: io.StringIO) -> list[dict[str, object]]:
    return [line for line in lines(out) if line["message"] == "request"]


def test_a_request_is_logged_by_its_operation_and_not_by_what_was_sent(client: TestClient, out: io.StringIO) -> None:
    secret = client.app.state.desk.keys.make("Ada", ["read"])
    known = {"Authorization": f"Bearer {secret}", "X-Request-ID": "abc-1"}
    answer = client.get("/v1/runs?state=queued", headers=known)
    assert answer.headers["X-Request-ID"] == "abc-1"
    (line,) = requests(out)
    assert (line["method"], line["route"], line["status"]) == ("GET", "/v1/runs", 200)
    assert (line["request"], line["caller"], line["bytes"]) == ("abc-1", "Ada", len(answer.content))
    other = client.get(f"/v1/runs/{TEXT}", headers={**known, "X-Request-ID": f"x {TEXT}"})
    assert other.headers["X-Request-ID"] != f"x {TEXT}"
    client.get(f"/{TEXT}", headers=known)
    client.get("/health")
    assert [line["route"] for line in requests(out)] == ["/v1/runs", "/v1/runs/{run}", "none"]
    for kept_out in (secret, "zebra", "queued"):
        assert kept_out not in out.getvalue()


def test_a_failure_is_answered_and_logged_under_the_id_of_its_request(
    client: TestClient, out: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(TEXT)

    monkeypatch.setattr(client.app.state.desk.store, "list", broken)
    answer = client.get("/v1/runs", headers={"X-Request-ID": "r-7"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/problem+json")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "r-7" in answer.json()["hint"]
    assert "zebra" not in answer.text
    failed = next(line for line in lines(out) if line["level"] == "error")
    assert failed["request"] == "r-7"
    assert "RuntimeError at" in str(failed["error"])
    assert " in broken" in str(failed["error"])
    (line,) = requests(out)
    assert (line["status"], line["level"]) == (500, "warning")
    assert "zebra" not in out.getvalue()
