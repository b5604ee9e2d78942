"""What is known of an engine that was started: a small file beside its log."""

import socket
from pathlib import Path

import httpx
from pydantic import BaseModel, ValidationError

from prompts.messages import Frozen
from serving.system import atomic, process
from serving.system.process import Identity

HOST = "127.0.0.1"


class State(Frozen):
    """An engine that we started. `served` carries the model's hash."""

    process: Identity
    port: int
    served: str
    variant: str
    model: Path
    log: Path
    choices: tuple[str, ...] = ()
    started: str
    """When, in UTC, ISO 8601."""

    @property
    def url(self) -> str:
        return base(self.port)


class Place(Frozen):
    """Where the engine of one port keeps its state and log."""

    folder: Path
    port: int

    @property
    def file(self) -> Path:
        return self.folder / f"{self.port}.json"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.port}.log"

    @property
    def probed(self) -> Path:
        """What this engine was found to honour (`serving.connect`)."""
        return self.folder / f"{self.port}.probe.json"

    @property
    def lock(self) -> Path:
        return self.folder / f"engine-{self.port}.lock"

    def read(self) -> State | None:
        """The engine that was started here and still lives; None where there is none or its file cannot be read."""
        if not self.file.is_file():
            return None
        try:
            state = State.model_validate_json(self.file.read_bytes())
        except ValidationError:
            return None
        return state if process.alive(state.process) else None

    def write(self, state: State) -> None:
        atomic.write(self.file, state.model_dump_json(indent=1) + "\n")

    def forget(self) -> None:
        self.file.unlink(missing_ok=True)
        self.probed.unlink(missing_ok=True)


def base(port: int) -> str:
    """The address to give to a client."""
    return f"http://{HOST}:{port}/v1"


class _Card(BaseModel):
    id: str
    max_model_len: int | None = None


class _Cards(BaseModel):
    data: list[_Card]


def models_at(
    url: str, key: str = "", timeout: float = 5.0, client: httpx.Client | None = None
) -> dict[str, int | None] | None:
    """Served name → longest context in tokens, None where the server does not say; None where no server answers.

    Args:
        client: asks instead of a new one; `key` is its affair then.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    # A proxy of the user's is not asked for what is on this machine.
    asking = client or httpx.Client(headers=headers, trust_env=f"//{HOST}:" not in url)
    try:
        reply = asking.get(f"{url}/models", timeout=timeout)
        reply.raise_for_status()
        cards = _Cards.model_validate_json(reply.content)
    except (httpx.HTTPError, httpx.InvalidURL, ValidationError):
        return None
    finally:
        if client is None:
            asking.close()
    return {card.id: card.max_model_len for card in cards.data}


def healthy(port: int, timeout: float = 2.0) -> bool:
    try:
        return httpx.get(f"http://{HOST}:{port}/health", timeout=timeout, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def port_taken(port: int) -> bool:
    """Whether some program listens there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port on which an ended server's connections still linger is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False
