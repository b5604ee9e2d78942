"""A service inside the test process."""

import time

from fastapi.testclient import TestClient

from serving.problem import Refused


def connected(client: TestClient, patience: float = 20.0) -> None:
    """Waits until the service has found its LLM."""
    end = time.monotonic() + patience
    while True:
        try:
            client.app.state.desk.llm.ready()
            return
        except Refused:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
