"""A service inside the test process."""

import time
from typing import Any

from fastapi.testclient import TestClient

from serving.problem import Refused


def connected(client: TestClient, patience: float = 20.0) -> None:
    """Waits until the service has found its LLM."""
    ready(client.app.state.desk.llm, patience)


def ready(llm: Any, patience: float = 20.0) -> None:
    """The same, of a service that is reached in another way."""
    end = time.monotonic() + patience
    while True:
        try:
            llm.ready()
            return
        except Refused:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
