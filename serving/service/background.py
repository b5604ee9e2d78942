"""The service in the background: started, found, read and stopped by `thresher service`, like the engine.

A service belongs to a home. Whoever serves, in the background or not, writes down where (`Standing`); who looks for it
checks that the process is the one that wrote it.
"""

import os
import socket
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
from pydantic import ValidationError

from agent.errors import BadInput, EngineError
from prompts.messages import Frozen
from serving.settings import Settings
from serving.system import atomic, process
from serving.system.process import Identity
from serving.system.progress import Beat, unheard

PATIENCE = 60.0
"""Seconds that a service gets to answer in."""
TAIL = 15
"""Lines of its log that are shown where it does not."""


class Standing(Frozen):
    """A service that answers, as it wrote itself down."""

    process: Identity
    url: str
    log: Path | None
    """Where it writes its log; None for one on somebody's terminal, which is not ours to stop."""
    started: str
    """When, in UTC, ISO 8601."""


def state_file(settings: Settings) -> Path:
    return settings.home / "service.json"


def log_file(settings: Settings) -> Path:
    return settings.home / "service.log"


def find(settings: Settings) -> Standing | None:
    """The service of this home, if its process lives."""
    try:
        found = Standing.model_validate_json(state_file(settings).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return found if process.alive(found.process) else None


@contextmanager
def standing(settings: Settings, url: str, log: Path | None) -> Generator[None]:
    """While it lasts, this process is the home's service. The first one of a home is the one that is found."""
    if find(settings) is not None:
        yield
        return
    me = process.identify(os.getpid())
    assert me is not None
    started = datetime.now(UTC).isoformat(timespec="seconds")
    settings.home.mkdir(parents=True, exist_ok=True)
    atomic.write(state_file(settings), Standing(process=me, url=url, log=log, started=started).model_dump_json())
    try:
        yield
    finally:
        state_file(settings).unlink(missing_ok=True)


def up(settings: Settings, say: atomic.Say, beat: Beat = unheard, patience: float = PATIENCE) -> Standing:
    """The service of this home, started in the background where none is up.

    Raises:
        BadInput: something else listens on the port.
        EngineError: it ends, or does not answer in time; the end of its log is said before.
    """
    with atomic.locked(settings.home / "service.lock", say):
        found = find(settings)
        if found is None:
            _demand_port(settings)
            log = log_file(settings)
            say(f"starting the service on port {settings.service_port} (log: {log})")
            command = [sys.executable, "-c", "from serving.cli import main; main()", "serve", "--background"]
            who = process.detach(command, log, {**os.environ, **_told(settings)})
            found = _answering(who, settings, say, beat, patience)
    return found


def down(settings: Settings) -> Standing | None:
    """Stops the service of this home if it is in the background; None where there is none such."""
    found = find(settings)
    if found is None or found.log is None:
        return None
    process.stop(found.process, patience=60.0)
    return found


def _told(settings: Settings) -> dict[str, str]:
    """Where a service that was named otherwise than by the environment has to be."""
    return {
        "THRESHER_HOME": str(settings.home),
        "THRESHER_CACHE": str(settings.cache),
        "THRESHER_HOST": settings.host,
        "THRESHER_SERVICE_PORT": str(settings.service_port),
    }


def _demand_port(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.service_port), family=family).close()
    except OSError as error:
        what = f"{settings.host} port {settings.service_port} cannot be listened on: {error.strerror}"
        raise BadInput(what, "stop what listens there, or name another with THRESHER_SERVICE_PORT") from error


def _answering(who: Identity, settings: Settings, say: atomic.Say, beat: Beat, patience: float) -> Standing:
    begun = time.monotonic()
    while True:
        found = find(settings)
        if found is not None and _healthy(found.url):
            return found
        seconds = time.monotonic() - begun
        ended = not process.alive(who)
        if ended or seconds > patience:
            process.stop(who)
            lines = process.tail(log_file(settings), TAIL)
            for line in lines:
                say(f"  | {line}")
            how = "ended before it answered" if ended else f"does not answer after {patience:.0f} s"
            raise EngineError(f"the service {how}", f"see its log: {log_file(settings)}")
        beat("waiting for the service", seconds, process.last_line(log_file(settings)))
        time.sleep(0.2)


def _healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False
