"""The model hub: what a repository holds, and its files, over plain HTTP."""

import threading
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from queue import Empty, Queue

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from agent.errors import ModelError
from prompts.messages import Frozen
from serving.models.wheels import file_hash
from serving.system.progress import Watch

ANSWER = 5.0
"""Seconds after which a hub that has not answered is given up."""
STALL = 60.0
"""Seconds without a byte after which a download that has begun is given up."""
WANTED = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.model", "*.jinja", "1_Pooling/config.json")
CHUNK = 1024**2


class HubUnavailable(Exception):
    """The hub gives no usable answer for this model; the message says why. Other sources may have it."""


class _Stored(BaseModel):
    sha256: str


class _Sibling(BaseModel):
    rfilename: str
    size: int | None = None
    lfs: _Stored | None = None


class _Repository(BaseModel):
    sha: str
    siblings: list[_Sibling]


class HubFile(Frozen):
    """One file of a repository; size in bytes, SHA-256 where the hub gives it (it does for weights)."""

    path: str
    size: int | None
    sha256: str | None


class Snapshot(Frozen):
    """What a repository holds at one commit, of that only what is needed to load the model."""

    repository: str
    commit: str
    files: tuple[HubFile, ...]

    @property
    def size(self) -> int:
        return sum(file.size or 0 for file in self.files)


class Hub:
    """One hub.

    Args:
        endpoint: its address; empty where the user forbids asking it.
        token: for repositories that need one.
        transport: stands in for the network in tests.
        answer: seconds until it is given up.
    """

    def __init__(
        self,
        endpoint: str,
        token: SecretStr | None = None,
        transport: httpx.BaseTransport | None = None,
        answer: float = ANSWER,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._answer = answer
        self._transport = transport
        self._headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}

    def snapshot(self, repository: str, revision: str) -> Snapshot:
        """Asks what there is.

        Raises:
            HubUnavailable: forbidden, no answer in time, an error, or a repository without safetensors.
        """
        if not self._endpoint:
            raise HubUnavailable("the hub is switched off")
        answer = within(self._answer, lambda: self._ask(f"/api/models/{repository}/revision/{revision}"))
        try:
            found = _Repository.model_validate_json(answer)
        except ValidationError as error:
            raise HubUnavailable(f"its answer is not a hub's ({error.error_count()} fields wrong)") from error
        files = tuple(
            HubFile(path=one.rfilename, size=one.size, sha256=one.lfs.sha256 if one.lfs else None)
            for one in found.siblings
            if _wanted(one.rfilename)
        )
        if not any(file.path.endswith(".safetensors") for file in files):
            raise HubUnavailable(f"{repository} has no safetensors")
        return Snapshot(repository=repository, commit=found.sha, files=files)

    def has_data(self, repository: str) -> None:
        """Asks whether there is a data set of this name.

        Raises:
            HubUnavailable: forbidden, no answer in time, or an error.
        """
        if not self._endpoint:
            raise HubUnavailable("the hub is switched off")
        within(self._answer, lambda: self._ask(f"/api/datasets/{repository}"))

    def fetch(self, snapshot: Snapshot, target: Path, watch: Watch) -> None:
        """Puts the files into `target`. Files that an earlier, killed fetch finished there are kept.

        Raises:
            HubUnavailable: the connection broke or the hub refused.
            ModelError: a file is not what the hub said it is; it is removed.
        """
        for file in snapshot.files:
            self._fetch_file(snapshot, file, target / file.path, watch)

    def _fetch_file(self, snapshot: Snapshot, file: HubFile, path: Path, watch: Watch) -> None:
        if path.is_file() and file.sha256 is not None and file_hash(path) == file.sha256:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        address = f"{self._endpoint}/{snapshot.repository}/resolve/{snapshot.commit}/{file.path}"
        timeout = httpx.Timeout(STALL, connect=self._answer)
        try:
            with self._client(timeout) as client, client.stream("GET", address) as reply, path.open("wb") as out:
                reply.raise_for_status()
                done = 0
                for block in reply.iter_bytes(CHUNK):
                    out.write(block)
                    done += len(block)
                    watch(file.path, done, file.size)
        except httpx.HTTPError as error:
            raise HubUnavailable(f"{file.path} broke off: {_told(error)}") from error
        _checked(file, path)

    def _ask(self, address: str) -> bytes:
        with self._client(httpx.Timeout(self._answer)) as client:
            reply = client.get(self._endpoint + address, params={"blobs": "true"})
            reply.raise_for_status()
            return reply.content

    def _client(self, timeout: httpx.Timeout) -> httpx.Client:
        return httpx.Client(
            timeout=timeout, transport=self._transport, headers=self._headers, follow_redirects=True, trust_env=True
        )


def _wanted(path: str) -> bool:
    """Whether loading needs it: top-level weights, settings and vocabulary, and the pooling of a sentence encoder."""
    return any(fnmatch(path, pattern) and path.count("/") == pattern.count("/") for pattern in WANTED)


def _checked(file: HubFile, path: Path) -> None:
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        path.unlink()
        raise ModelError(f"{file.path} is corrupted: expected {file.size} bytes, found {size}", "fetch again")
    found = file_hash(path) if file.sha256 else None
    if found != file.sha256:
        path.unlink()
        what = f"{file.path} is corrupted: expected SHA-256 {file.sha256}, found {found}"
        raise ModelError(what, "it was removed; fetch again")


def _told(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP {error.response.status_code}"
    return f"{type(error).__name__} {error}".strip()


def within(seconds: float, ask: Callable[[], bytes]) -> bytes:
    """The answer, if it comes in time. A client's own time-outs do not cover the look-up of a name, which can hang.

    Raises:
        HubUnavailable: it came too late, or is an error.
    """
    answers: Queue[bytes | httpx.HTTPError | httpx.InvalidURL] = Queue()

    def run() -> None:
        try:
            answers.put(ask())
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            answers.put(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except Empty:
        raise HubUnavailable(f"no answer within {seconds:g} s") from None
    if not isinstance(answer, bytes):
        raise HubUnavailable(_told(answer)) from answer
    return answer
