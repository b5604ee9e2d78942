"""The sentence encoder of the service: loaded where a request first needs it, one text set at a time.

It computes in a thread of its caller, never in the event loop; torch is imported there and not before.
"""

import threading
from importlib.util import find_spec

from agent.embed import CachedEmbedder
from agent.errors import BadInput, ModelError, ThresherError
from agent.protocols import Columns, Embedder, Floats
from serving.connect import Setting
from serving.problem import Refused
from serving.settings import Settings

PATIENCE = 20.0
"""Seconds that a request waits for the weights; fetching them for the first time takes longer."""


class Encoding:
    """Args:
    settings: where the weights are kept.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._encoder: Embedder | None = None
        self._failure: ThresherError | None = None
        self._thread: threading.Thread | None = None

    def ready(self) -> Embedder:
        """An encoder with a memory of its own, which goes with the request.

        Raises:
            BadInput: what computes embeddings is not installed.
            Refused: 503, while the weights are being fetched, or where they cannot be had.
        """
        absent = [name for name in ("torch", "transformers") if find_spec(name) is None]
        if absent:
            what = f"this needs embeddings, and {' and '.join(absent)} cannot be imported here"
            raise BadInput(what, "pip install 'thresher[student]', or do without embeddings")
        if self._encoder is None:
            self._load().join(PATIENCE)
        if self._encoder is None:
            what = self._failure.what if self._failure else "the encoder's weights are being fetched"
            raise Refused(503, f"no embeddings yet: {what}", "try again in a minute", {"Retry-After": "30"})
        return CachedEmbedder(_Alone(self._encoder))

    def _load(self) -> threading.Thread:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._failure = None
                self._thread = threading.Thread(target=self._fetch, name="encoder", daemon=True)
                self._thread.start()
            return self._thread

    def _fetch(self) -> None:
        from agent.embed import SentenceEncoder

        try:
            loaded = Setting(self._settings, lambda _line: None).models().resolve(self._settings.encoder)
            self._encoder = SentenceEncoder(loaded.path, threads=1)
        except ThresherError as error:
            self._failure = error
        except OSError as error:
            self._failure = ModelError(f"the encoder's weights cannot be read: {error}")


_ONE = threading.Lock()


class _Alone:
    """An embedder that computes for one caller at a time: several would only slow each other down."""

    def __init__(self, inner: Embedder) -> None:
        self._inner = inner
        self.name = inner.name

    def embed(self, texts: Columns) -> Floats:
        with _ONE:
            return self._inner.embed(texts)
