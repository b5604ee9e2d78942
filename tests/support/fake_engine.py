"""A stand-in for the vLLM server process: takes its arguments, answers /health and /v1/models, holds no model.

python fake_engine.py --port 8123 --served-model-name x [--die CODE | --hang | --slow SECONDS]
                           [--answers URL: passes questions on to a server that answers] [any other vLLM argument]
"""

import argparse
import json
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--served-model-name", required=True)
    parser.add_argument("--die", type=int)
    parser.add_argument("--hang", action="store_true")
    parser.add_argument("--answers", default="")
    parser.add_argument("--slow", type=float, default=0.0)
    arguments, _ = parser.parse_known_args()
    sys.stdout.write("loading weights\n")
    sys.stdout.flush()
    if arguments.die is not None:
        sys.stdout.write("RuntimeError: not enough barley\n")
        return arguments.die
    if arguments.hang:
        time.sleep(600)
    time.sleep(arguments.slow)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            cards = {"data": [{"id": arguments.served_model_name, "max_model_len": 512}]}
            body = json.dumps(cards if self.path == "/v1/models" else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked = urllib.request.Request(arguments.answers + self.path, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(asked) as reply:
                answer = reply.read()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", arguments.port), Handler).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
