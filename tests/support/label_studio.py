"""A real Label Studio: installed into an environment of its own in the user's cache, started, spoken to, stopped."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from serving import settings
from serving.system import atomic, pip_calls

VERSION = "1.23.2"
USER, PASSWORD = "ann@example.org", "a-long-password-7"
VARIABLES = {
    # It guards itself against addresses of its own machine, where this test has everything.
    "SSRF_PROTECTION_ENABLED": "false",
    "ML_BLOCK_LOCAL_IP": "false",
    # A busy machine takes longer than the second that it waits by default.
    "ML_CONNECTION_TIMEOUT": "10",
    "ML_TIMEOUT_HEALTH": "10",
    "ML_TIMEOUT_SETUP": "10",
    "WEBHOOK_TIMEOUT": "10",
    "COLLECT_ANALYTICS": "false",
    "LATEST_VERSION_CHECK": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
}


def installed() -> Path:
    """The program; installing it takes a minute or two, once. A marker is written last."""
    folder = settings.load().cache / f"label-studio-{VERSION}-py{sys.version_info.major}.{sys.version_info.minor}"
    ready = folder / "ready"
    with atomic.locked(folder.with_name(f"{folder.name}.lock"), lambda _line: None):
        if not ready.exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            pip = [folder / "bin" / "python", "-m", "pip", "install", *pip_calls.QUIET, f"label-studio=={VERSION}"]
            found = subprocess.run(pip, capture_output=True, text=True, env=pip_calls.environment(), timeout=1800)
            assert found.returncode == 0, found.stderr[-2000:]
            ready.touch()
    return folder / "bin" / "label-studio"


class LabelStudio:
    """`with LabelStudio(folder) as studio:` answers at `studio.url` over a database of its own; `call` is signed in."""

    def __init__(self, folder: Path) -> None:
        self._program = installed()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url, self.log, self._folder = f"http://127.0.0.1:{self.port}", folder / "label-studio.log", folder
        self._http = httpx.Client(base_url=self.url, timeout=60, follow_redirects=True, trust_env=False)

    def __enter__(self) -> Self:
        where = ["--port", str(self.port), "--internal-host", "127.0.0.1"]
        command = [self._program, "start", "--no-browser", *where, "--username", USER, "--password", PASSWORD]
        self._folder.mkdir(parents=True, exist_ok=True)
        variables = {**os.environ, **VARIABLES, "LABEL_STUDIO_BASE_DATA_DIR": str(self._folder / "data")}
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=out, env=variables, cwd=self._folder)
        try:
            self._wait()
            self._sign_in()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def call(self, method: str, path: str, **request: Any) -> Any:
        """The JSON of an answer that has to be fine; None where there is no body."""
        headers = {"X-CSRFToken": self._http.cookies.get("csrftoken", ""), "Referer": self.url}
        answer = self._http.request(method, path, headers=headers, **request)
        assert answer.is_success, (answer.status_code, answer.text[:2000])
        return answer.json() if answer.content else None

    def _wait(self, patience: float = 1200.0) -> None:
        end = time.monotonic() + patience
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if self._http.get("/health").is_success:
                    return
            assert self._process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.5)

    def _sign_in(self) -> None:
        page = self._http.get("/user/login/").text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token, page[:2000]
        form = {"csrfmiddlewaretoken": token[1], "email": USER, "password": PASSWORD, "persist_session": "on"}
        self._http.post("/user/login/", data=form, headers={"Referer": self.url})
        assert self.call("GET", "/api/current-user/whoami")["email"] == USER

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-3000:]

    def _stop(self) -> None:
        self._http.close()
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
