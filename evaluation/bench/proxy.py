"""A recording proxy in front of an LLM server: counts every question, and answers an equal one with the same bytes."""

import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx

ASKED = "/v1/chat/completions"


class _Quiet(ThreadingHTTPServer):
    """A killed client leaves broken connections behind; they are what the bench is about and no news."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class RecordingProxy:
    """Listens on a free loopback port. What the server said once it says again, so that two runs meet fixed answers.

    Args:
        target: root of the server, such as `http://127.0.0.1:8011`.
    """

    def __init__(self, target: str) -> None:
        self.target, self.latency = target.rstrip("/"), 0.0
        self.asked: Counter[bytes] = Counter()
        self.under_way = 0
        self._known: dict[tuple[str, bytes], tuple[int, bytes]] = {}
        self._lock = threading.Lock()
        self._client = httpx.Client(timeout=300.0, trust_env=False)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(*proxy.forward("GET", self.path, b""))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if not proxy.disturb(self, body):
                    self._answer(*proxy.forward("POST", self.path, body))

            def _answer(self, status: int, body: bytes) -> None:
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except (BrokenPipeError, ConnectionResetError):
                    return  # whoever asked was killed

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is the base class's
                del format, args

        self._server = _Quiet(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._client.close()

    def disturb(self, handler: BaseHTTPRequestHandler, body: bytes) -> bool:
        """Whether something else than an answer was sent; `evaluation.bench.faults` does that."""
        del handler, body
        return False

    def forward(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer, known or fetched."""
        counted = path.endswith(ASKED)
        with self._lock:
            if counted:  # never with 0: a body that stands there was asked
                self.asked[body] += 1
            self.under_way += counted
        try:
            if (path, body) not in self._known:
                headers = {"Content-Type": "application/json"}
                reply = self._client.request(method, self.target + path, content=body, headers=headers)
                self._known[path, body] = (reply.status_code, reply.content)
            elif counted:
                time.sleep(self.latency)
            return self._known[path, body]
        finally:
            with self._lock:
                self.under_way -= counted
