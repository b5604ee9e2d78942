"""An OpenAI-compatible server without a model: fixed answers, label log-probabilities, faults on demand, and a record.

Everything that it says is a function of the request, so that two runs of one thing get the same answers. As a script:

    python -m tests.support.fake_openai --port 8099 --latency 0.2 --record bodies.jsonl

In a test:

    with FakeOpenAI(latency=0.1) as server:
        ... server.url ... server.bodies ...
"""

import argparse
import hashlib
import json
import math
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Self

MODEL = "fake-model"
VOCABULARY = 50_000
FILLERS = ("the", "I", "It", "This", "A", "No", "Yes", "Sure", "Here", "An", "In", "To", "We", "Let", "As", "On", "Ok")

Body = dict[str, Any]


@dataclass
class Fault:
    """What happens instead of an answer, once."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    """Sent as the body, whatever it is; None: an error object (or, with status 200, the usual answer)."""
    drop: bool = False
    """Closes the connection without an answer."""
    hang: float = 0.0
    """Seconds of silence before."""


def digest(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()[:8], "big")


def tokens(text: str) -> list[tuple[int, str]]:
    """Pieces of at most eight letters, with the space before them; the same piece has the same id everywhere."""
    pieces = re.findall(r" ?[^\W\d_]{1,8}|\s|.", text, flags=re.DOTALL)
    return [(digest("token", piece) % VOCABULARY, piece.replace(" ", "Ġ")) for piece in pieces]


def answer(body: Body) -> str:
    """Three words that only the messages, the temperature and the seed decide."""
    choices = body.get("structured_outputs", {})
    options = choices.get("choice") or _alternatives(choices.get("regex", ""))
    number = digest(body["messages"], body.get("temperature"), body.get("seed"))
    if options:
        return options[number % len(options)]
    return " ".join(FILLERS[(number >> shift) % len(FILLERS)] for shift in (0, 8, 16))


def lean(body: Body, text: str) -> float:
    """A score for a first token: the larger, the likelier."""
    return (digest(body["messages"], text.strip(" Ġ").casefold()) % 1000) / 250 - (0.0 if text[:1].islower() else 2.0)


def _alternatives(pattern: str) -> list[str]:
    inside = re.fullmatch(r"\(([\w|]+)\)", pattern)
    return inside.group(1).split("|") if inside else []


class FakeOpenAI:
    """The server, in a thread of this process. A context manager.

    Args:
        latency: seconds that each chat answer takes.
        answer: the text of a chat answer.
        lean: scores of first tokens, for log-probabilities.
        faults: used up one by one by the chat requests that come in.
        token_ids: False: a server that knows neither `/tokenize` nor `logprob_token_ids`.
        usage: False: a server that does not count tokens.
        record: a file that each chat body is appended to, as a line of JSON, before it is answered.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        latency: float = 0.0,
        answer: Callable[[Body], str] = answer,
        lean: Callable[[Body, str], float] = lean,
        faults: list[Fault] | None = None,
        token_ids: bool = True,
        usage: bool = True,
        record: Path | None = None,
    ) -> None:
        self.latency = latency
        self.answer = answer
        self.lean = lean
        self.faults = deque(faults or [])
        self.token_ids = token_ids
        self.usage = usage
        self.record = record
        self.bodies: list[Body] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.under_way = 0
        self.most_under_way = 0
        self.pieces: dict[int, str] = {}
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"fake": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def chat(self, body: Body) -> Body:
        """The answer to one chat request."""
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or 10_000
        said = tokens(self.answer(body))
        text = "".join(piece for _, piece in said[:limit]).replace("Ġ", " ")
        choice: Body = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "length" if len(said) > limit or body.get("logprobs") else "stop",
            "logprobs": self.logprobs(body) if body.get("logprobs") else None,
        }
        prompt = sum(len(tokens(message["content"])) + 4 for message in body["messages"])
        spent = min(len(said), limit)
        reply: Body = {"id": f"chat-{digest(body)}", "object": "chat.completion", "created": 0, "model": body["model"]}
        if self.usage:
            details = {"cached_tokens": prompt // 2}
            reply["usage"] = {
                "prompt_tokens": prompt,
                "completion_tokens": spent,
                "total_tokens": prompt + spent,
                "prompt_tokens_details": details,
            }
        return {**reply, "choices": [choice]}

    def logprobs(self, body: Body) -> Body:
        """Of the first position: of the ids asked for, or of the likeliest known pieces."""
        wanted = body.get("logprob_token_ids") if self.token_ids else None
        words = (
            [self.pieces.get(token, f"?{token}") for token in wanted] if wanted else [*FILLERS, *self.mentioned(body)]
        )
        scores = {word: self.lean(body, word) for word in words}
        total = math.fsum(math.exp(score) for score in scores.values()) / 0.9
        logs = {word: score - math.log(total) for word, score in scores.items()}
        if wanted:
            entries = [
                {"token": f"token_id:{token}", "logprob": logs[word]} for token, word in zip(wanted, words, strict=True)
            ]
        else:
            best = sorted(logs.items(), key=lambda item: -item[1])[: body.get("top_logprobs", 0)]
            entries = [{"token": word, "logprob": value} for word, value in best]
        return {"content": [{**max(entries, key=lambda entry: entry["logprob"]), "top_logprobs": entries}]}

    @staticmethod
    def mentioned(body: Body) -> list[str]:
        """The words of the last message, as a model would repeat them."""
        return list(dict.fromkeys(re.findall(r"[^\W\d_]+", body["messages"][-1]["content"])))

    def tokenize(self, body: Body) -> Body:
        found = tokens(body["prompt"])
        with self.lock:
            self.pieces.update(found)
        return {
            "count": len(found),
            "max_model_len": 4096,
            "tokens": [token for token, _ in found],
            "token_strs": [piece for _, piece in found],
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away, or was killed, is not worth a traceback."""


class _Handler(BaseHTTPRequestHandler):
    fake: ClassVar[FakeOpenAI]
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        with self.fake.lock:
            self.fake.paths.append(self.path)
        if self.path == "/health":
            self.reply(200, {})
        elif self.path == "/v1/models":
            self.reply(200, {"object": "list", "data": [{"id": MODEL, "object": "model", "max_model_len": 4096}]})
        else:
            self.reply(404, {"error": {"message": f"no {self.path} here"}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.fake.lock:
            self.fake.paths.append(self.path)
            self.fake.headers.append(dict(self.headers))
        if self.path == "/tokenize" and self.fake.token_ids:
            self.reply(200, self.fake.tokenize(body))
        elif self.path == "/v1/chat/completions":
            self.chat(body)
        else:
            self.reply(404, {"error": {"message": f"no {self.path} here"}})

    def chat(self, body: Body) -> None:
        with self.fake.lock:
            self.fake.bodies.append(body)
            fault = self.fake.faults.popleft() if self.fake.faults else Fault()
            self.fake.under_way += 1
            self.fake.most_under_way = max(self.fake.most_under_way, self.fake.under_way)
            if self.fake.record:
                with self.fake.record.open("a") as file:
                    file.write(json.dumps(body) + "\n")
        time.sleep(self.fake.latency + fault.hang)
        # Counted as done before the client can see the answer and send its next request.
        with self.fake.lock:
            self.fake.under_way -= 1
        if fault.drop:
            self.close_connection = True
        elif fault.raw is not None or fault.status != 200:
            message = {"error": {"message": f"fault {fault.status}", "code": fault.status}}
            self.reply(fault.status, message if fault.raw is None else fault.raw, fault.headers)
        else:
            self.reply(200, self.fake.chat(body))

    def reply(self, status: int, body: Body | bytes, headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main() -> None:
    parser = argparse.ArgumentParser(description="an OpenAI-compatible server without a model, for tests")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that each chat answer takes")
    parser.add_argument("--record", type=Path, help="file that each chat body is appended to")
    parser.add_argument("--no-token-ids", action="store_true", help="a server without /tokenize and logprob_token_ids")
    options = parser.parse_args()
    fake = FakeOpenAI(
        port=options.port, latency=options.latency, record=options.record, token_ids=not options.no_token_ids
    )
    with fake:
        sys.stdout.write(f"{fake.url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
