"""The service behind a real socket, in a thread of the test process."""

import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

import uvicorn
from fastapi import FastAPI


@contextmanager
def served(app: FastAPI, patience: float = 20.0, lifespan: Literal["on", "off"] = "on") -> Generator[str]:
    """The address of a running server; it is stopped at the end."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan=lifespan))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        end = time.monotonic() + patience
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < end, "the server takes too long to start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(patience)
        assert not thread.is_alive()
