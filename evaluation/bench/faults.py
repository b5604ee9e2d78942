"""One run whose LLM answers, and the same run where one call in five meets a fault instead of its answer.

Between the program and the server stands a proxy: what the server said once it says again, and of all calls a share is
answered by 429, 500, 503, silence until the time-out, a reset connection, half a JSON body, an empty text, or a page of
HTML. Printed: calls, faults by kind, calls a question at most, failures as the program recorded them, and whether the
labels are those of the run without faults.

    python -m evaluation.bench.faults task.toml pool.csv --test test.csv --llm http://127.0.0.1:8011
"""

import argparse
import json
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from evaluation.bench.proxy import ASKED, RecordingProxy

PROGRAM = [sys.executable, "-c", "from serving.cli import main; main()"]
PATIENCE = 30.0
"""Seconds without a byte after which the program gives a call up here: more than a true answer takes on a CPU, and less
than the silence of this proxy."""
MOST = 20
"""Calls of one question at most: the first, and what `serving.llm.retry.Policies` allows after each class together."""
EMPTY = {"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop", "logprobs": None}


def _status(code: int) -> "Callable[[BaseHTTPRequestHandler], None]":
    def answer(handler: BaseHTTPRequestHandler) -> None:
        send(handler, code, "application/json", json.dumps({"error": {"message": "busy", "code": code}}).encode())

    return answer


def silence(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(2 * PATIENCE)
    handler.close_connection = True


def reset(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True


def half(handler: BaseHTTPRequestHandler) -> None:
    send(handler, 200, "application/json", b'{"id": "x", "object": "chat.completion", "choices": [{"index": 0, "mess')


def empty(handler: BaseHTTPRequestHandler) -> None:
    body = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [EMPTY]}
    send(handler, 200, "application/json", json.dumps(body).encode())


def html(handler: BaseHTTPRequestHandler) -> None:
    send(handler, 200, "text/html", b"<html><body><h1>Sign in to the network</h1></body></html>")


FAULTS: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {
    "429": _status(429),
    "500": _status(500),
    "503": _status(503),
    "time-out": silence,
    "reset connection": reset,
    "truncated JSON": half,
    "empty text": empty,
    "HTML": html,
}


def send(handler: BaseHTTPRequestHandler, status: int, kind: str, body: bytes) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class FaultyProxy(RecordingProxy):
    """A recording proxy that answers a share of all calls by faults, drawn by the question and its attempt.

    Args:
        share: of all calls of a question, in [0, 1]; 0 until it is set.
    """

    def __init__(self, target: str, seed: int) -> None:
        super().__init__(target)
        self.share, self._seed = 0.0, seed
        self.faults: Counter[str] = Counter()
        self.attempts: Counter[bytes] = Counter()
        self._drawing = threading.Lock()

    def disturb(self, handler: BaseHTTPRequestHandler, body: bytes) -> bool:
        if not handler.path.endswith(ASKED) or b"Say yes." in body:  # the probe finds out what a server can do
            return False
        with self._drawing:
            attempt = self.attempts[body]
            self.attempts[body] += 1
            draw = random.Random(f"{self._seed} {attempt} {body.decode()}")  # noqa: S311  the same faults in every run
            name = draw.choice(list(FAULTS)) if draw.random() < self.share else ""
            self.faults[name] += bool(name)
        if name:
            FAULTS[name](handler)
        return bool(name)


def main() -> None:
    parser = argparse.ArgumentParser(description="a run whose LLM fails one call in five")
    parser.add_argument("task", type=Path)
    parser.add_argument("pool", type=Path)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--llm", default="http://127.0.0.1:8011")
    parser.add_argument("--share", type=float, default=0.2, help="of all calls, answered by a fault")
    parser.add_argument("--reads", type=int, default=200, help="texts that the LLM labels")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, FaultyProxy(options.llm, options.seed) as proxy:
        sys.exit(0 if measure(proxy, Path(folder), options) else 1)


def measure(proxy: FaultyProxy, folder: Path, options: argparse.Namespace) -> bool:
    """Prints the findings; False where one of them is not as promised."""
    quiet, calm = run(proxy, folder / "quiet", options)
    questions = len(proxy.attempts)
    print(f"without faults: {sum(proxy.attempts.values())} calls for {questions} questions, {calm:.0f} s")
    proxy.attempts.clear()
    proxy.share = options.share
    noisy, disturbed = run(proxy, folder / "noisy", options)
    calls, faults, most = sum(proxy.attempts.values()), sum(proxy.faults.values()), max(proxy.attempts.values())
    kinds = ", ".join(f"{name} {proxy.faults[name]}" for name in FAULTS)
    print(f"with faults: {calls} calls for {len(proxy.attempts)} questions, {disturbed:.0f} s")
    print(f"faults: {faults} ({faults / calls:.0%} of the calls): {kinds}")
    print(f"calls of one question at most: {most} (allowed: {MOST})")
    answered = calls - faults
    print(f"calls that were answered: {answered}; asked again though answered: {answered - len(proxy.attempts)}")
    print(f"labels equal to those of the run without faults: {noisy == quiet} ({len(quiet)} labels)")
    for id_ in sorted(quiet.keys() | noisy.keys()):
        if quiet.get(id_) != noisy.get(id_):
            print(f"  {id_}: {quiet.get(id_)} without faults, {noisy.get(id_)} with them")
    return noisy == quiet and most <= MOST


def run(proxy: FaultyProxy, place: Path, options: argparse.Namespace) -> tuple[dict[str, Any], float]:
    """The labels of one run by id, and its seconds. Raises SystemExit with the log where it fails."""
    place.mkdir()
    named = {
        "THRESHER_HOME": str(place / "home"),
        "THRESHER_ENGINE_URL": proxy.url,
        "THRESHER_LLM_TIMEOUT": f"{PATIENCE}",
    }
    command = ["run", options.task.resolve(), options.pool.resolve(), "--test", options.test.resolve(), "--simulate"]
    command += ["--budget", "16", "--reads", str(options.reads), "--student", "svm", "--out", "out"]
    begun = time.monotonic()
    with (place / "log").open("wb") as log:
        done = subprocess.run(
            [*PROGRAM, *map(str, command)], cwd=place, env={**os.environ, **named}, stdout=log, stderr=log, check=False
        )
    if done.returncode:
        sys.exit((place / "log").read_text(encoding="utf-8"))
    lines = (place / "out" / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return {row["id"]: (row.get("label"), row.get("by")) for row in rows}, time.monotonic() - begun


if __name__ == "__main__":
    main()
