"""Logs of the service: a line a record, as text or JSON, with the ids of what it belongs to.

Item texts and secrets stay out of them, by construction rather than by search: our own lines hold names, numbers and
ids; an exception is told by its type and its places, never by its message, which may quote what it stumbled over; and
of libraries nothing is printed but where they spoke. Secrets are struck out of whatever is left.
"""

import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Literal, TextIO

from pydantic import SecretStr

from agent.errors import EngineError, ModelError, StoreError, ThresherError
from serving.settings import Settings
from serving.system.context import ids

log = logging.getLogger(__name__)
OURS = ("serving", "agent", "evaluation", "prompts", "uvicorn")
"""Whose messages are printed: those of the web server name addresses and processes."""
GONE = "***"
_SECRETS = re.compile(
    r"thresher_[0-9a-f]{16}_[\w-]+"  # our keys
    r"|(?<=bearer )[\w.~+/=-]+|(?<=basic )[\w+/=-]{6,}"
    r"|(?<=://)[^\s/@\"']+(?=@)",  # who signs in to an address
    re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

Format = Literal["text", "json"]
LONGEST = 16 << 20
"""Bytes of the log of a service in the background, which may run for months."""


def configure(settings: Settings, out: TextIO | None = None, file: Path | None = None) -> None:
    """Sets up the logs of this process: on standard error unless told otherwise. What was set up before is replaced.

    Args:
        file: instead; where it is longer than `LONGEST`, a new one begins and the last is kept beside it as `.1`.
    """
    stream = logging.StreamHandler(out or sys.stderr)
    handler = stream if file is None else RotatingFileHandler(file, maxBytes=LONGEST, backupCount=1, encoding="utf-8")
    handler.setFormatter(Lines(settings.log_format, secrets_of(settings)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in OURS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(settings.log_level.upper() if name != "uvicorn" else logging.INFO)
    logging.getLogger("uvicorn.error").setLevel(logging.NOTSET)  # a server of this process may have set its own
    logging.captureWarnings(True)
    sys.excepthook = _unforeseen
    threading.excepthook = lambda failed: _unforeseen(failed.exc_type, failed.exc_value, failed.exc_traceback)


def _unforeseen(kind: type[BaseException], error: BaseException | None, _trace: TracebackType | None) -> None:
    """What would end a process or a thread with a trace on standard error."""
    if error is not None and not issubclass(kind, KeyboardInterrupt):
        log.error("an error that nobody foresaw", exc_info=error)


class Lines(logging.Formatter):
    """One line a record. Fields of our own come as `log.info("…", extra={"fields": {…}})`.

    Args:
        secrets: struck out wherever they stand.
    """

    def __init__(self, form: Format, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._form = form
        self._secrets = sorted((secret for secret in secrets if len(secret) > 3), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {**ids(), **getattr(record, "fields", {})}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = told(record.exc_info[1])
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        head: dict[str, object] = {
            "time": moment,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _said(record),
        }
        return self._struck(json.dumps({**head, **fields}) if self._form == "json" else _text(head, fields))

    def _struck(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, GONE)
        return _SECRETS.sub(GONE, line)


def told(error: BaseException) -> str:
    """An exception and what caused it, without their messages: `KeyError at store.py:81 in get, routes.py:20 in …`."""
    chain: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(chain) < 5:
        frames = traceback.extract_tb(seen.__traceback__)[-12:]
        places = (f"{_place(frame.filename)}:{frame.lineno} in {frame.name}" for frame in reversed(frames))
        chain.append(f"{type(seen).__name__} at {', '.join(places)}" if frames else type(seen).__name__)
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return " after ".join(chain)


def reason(error: ThresherError) -> str:
    """What may be said of an error: in full where it is about engine, database or weights, else by its type alone."""
    if isinstance(error, EngineError | StoreError | ModelError):
        return str(error)
    return f"{type(error).__name__}; the run itself says more"


def secrets_of(settings: Settings) -> Sequence[str]:
    """What these settings hold that nobody may read."""
    values = (value for _, value in settings if isinstance(value, SecretStr))
    return [value.get_secret_value() for value in values]


def _said(record: logging.LogRecord) -> str:
    if record.name.split(".")[0] in OURS:
        return record.getMessage()
    return f"a line of {record.name}, withheld ({_place(record.pathname)}:{record.lineno})"


def _place(filename: str) -> str:
    """The end of a path that tells modules apart."""
    return "/".join(Path(filename).parts[-3:])


def _text(head: dict[str, object], fields: dict[str, object]) -> str:
    """Control characters are written out, so that no value begins a line of its own."""
    shown = " ".join(f"{name}={value}" for name, value in fields.items())
    line = f"{head['time']} {head['level']:7} {head['message']} {shown}".rstrip()
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", line)
