"""A service as a process of its own, over a home of its own and an LLM whose answers are fixed."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.support.cli import PROGRAM


class Server:
    """`with Server(home, llm_url) as server:` answers at `server.url`; `kill()` and `start()` play a crash."""

    def __init__(self, home: Path, llm: str, **variables: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = home / "server.log"
        home.mkdir(parents=True, exist_ok=True)
        named = {"THRESHER_HOME": str(home), "THRESHER_ENGINE_URL": llm, **variables}
        self._environment = {**os.environ, **named}
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, patience: float = 60.0) -> None:
        command = [*PROGRAM, "serve", "--port", str(self.port)]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=self._environment)
        end = time.monotonic() + patience
        while time.monotonic() < end and self.process.poll() is None:
            try:
                httpx.get(f"{self.url}/v1/runs", timeout=5).raise_for_status()
                return
            except httpx.HTTPError:
                time.sleep(0.1)
        self.kill()  # nobody else will: `with` was never entered
        raise AssertionError(f"the server did not start: {self.log.read_text(encoding='utf-8')[-3000:]}")

    def kill(self) -> None:
        """As a crash would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """As an administrator would."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
