"""Frozen sentence encoders: texts to unit vectors, computed once and shared."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import ModelError
from agent.protocols import Columns, Embedder
from agent.students.encode import (
    Precision,
    best_device,
    best_precision,
    encoded,
    load_model,
    load_tokenizer,
    longest,
)

Vectors = NDArray[np.float32]


class SentenceEncoder:
    """Mean of the last hidden states over all tokens of a text, scaled to unit length (Reimers & Gurevych, 2019).

    Args:
        folder: a local Hugging Face folder; it is read when the first text arrives.
        max_length: tokens; longer texts are cut.
        precision: of the matrix products. A text's vector depends a little on the batch it came in, and a resumed run
            has other batches: about 1e-7 in float32 and 1e-3 in bfloat16, which is enough to change a pick.
        threads: of torch; None leaves torch's own choice.

    Raises:
        ModelError: where the folder holds no weights.
    """

    def __init__(
        self,
        folder: Path,
        *,
        batch: int = 64,
        max_length: int = 256,
        precision: Precision = "float32",
        threads: int | None = None,
    ) -> None:
        self.folder, self._batch, self._max_length = folder, batch, max_length
        self._precision: Precision = precision
        self._threads = threads
        self.name = f"{folder.name}@{weights_hash(folder)}"
        """Folder name and twelve hexadecimal digits of the weights' SHA-256."""
        self._loaded: tuple[Any, Any] | None = None

    def embed(self, texts: Columns) -> Vectors:
        """(n, d), rows of unit length. For a pair, the encoder reads both halves as one input."""
        model, tokenizer = self._load()
        length, precision = longest(self._max_length, model.config, tokenizer), best_precision(self._precision)
        return encoded(model, tokenizer, texts, length, precision, self._threads, self._batch)

    def _load(self) -> tuple[Any, Any]:
        from transformers import AutoModel

        if self._loaded is None:
            model = load_model(AutoModel, self.folder).eval().to(best_device())
            self._loaded = model, load_tokenizer(self.folder)
        return self._loaded


class CachedEmbedder:
    """Remembers every vector by its text in memory and, where a folder is given, by a hash of the text on disk.

    Arms of a comparison share one, so that each text is encoded once. Looking a text up costs about as much as finding
    a string in a dictionary: a classic loop asks for the whole pool in every round.
    """

    def __init__(self, inner: Embedder, folder: Path | None = None) -> None:
        self._inner = inner
        self._row, self._vectors = dict[str | tuple[str, str], int](), np.zeros((0, 0), dtype=np.float32)
        self._stored = dict[bytes, Vectors]()
        self.name = inner.name
        self.folder: Path | None = getattr(inner, "folder", None)
        """Of the encoder's weights, where it has one: a student notes it."""
        self._file = None if folder is None else folder / f"{_file_name(inner.name)}.npz"
        if self._file is not None and self._file.exists():
            self._stored = _read(self._file)

    def embed(self, texts: Columns) -> Vectors:
        """(n, d), rows of unit length."""
        if not len(texts):
            return np.asarray(self._inner.embed(texts), dtype=np.float32)
        keys = texts.texts if texts.texts_b is None else list(zip(texts.texts, texts.texts_b, strict=True))
        try:
            rows = self._rows(keys)
        except KeyError:
            self._learn(texts, {key: i for i, key in reversed(list(enumerate(keys))) if key not in self._row})
            rows = self._rows(keys)
        return self._vectors.take(rows, axis=0)

    def _rows(self, keys: Sequence[str | tuple[str, str]]) -> NDArray[np.intp]:
        return np.fromiter(map(self._row.__getitem__, keys), np.intp, len(keys))

    def know(self, texts: Columns, vectors: Vectors) -> None:
        """Takes the vectors of texts from elsewhere: (n, d), as `embed` of the same encoder gave them."""
        keys = texts.texts if texts.texts_b is None else list(zip(texts.texts, texts.texts_b, strict=True))
        fresh = {key: i for i, key in enumerate(keys) if key not in self._row}
        self._add(fresh, np.asarray(vectors, dtype=np.float32)[list(fresh.values())])

    def _learn(self, texts: Columns, first: dict[str | tuple[str, str], int]) -> None:
        """Brings the vectors of these rows from the disk, and from the encoder where they are not there."""
        digests = {row: _key(texts, row) for row in first.values()} if self._file is not None else {}
        unknown = sorted(row for row in first.values() if digests.get(row) not in self._stored)
        found = {row: self._stored[key] for row, key in digests.items() if key in self._stored}
        if unknown:
            fresh = np.asarray(self._inner.embed(texts.take(unknown)), dtype=np.float32)
            found |= dict(zip(unknown, fresh, strict=True))
            self._write({digests[row]: found[row] for row in unknown} if digests else {})
        self._add(first, np.stack([found[row] for row in first.values()]))

    def _add(self, keys: Iterable[str | tuple[str, str]], vectors: Vectors) -> None:
        n = len(self._row)
        self._vectors = np.concatenate([self._vectors, vectors]) if n else vectors
        self._row |= {key: n + i for i, key in enumerate(keys)}

    def _write(self, fresh: dict[bytes, Vectors]) -> None:
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        if self._file.exists():  # another process may have written since: its vectors stay, ours are added
            self._stored |= _read(self._file)
        self._stored |= fresh
        keys = np.frombuffer(b"".join(self._stored), dtype=np.uint8).reshape(-1, 16)
        with NamedTemporaryFile(dir=self._file.parent, suffix=".part", delete=False) as out:
            np.savez(out, keys=keys, vectors=np.stack(list(self._stored.values())))
        Path(out.name).replace(self._file)


def weights_hash(folder: Path) -> str:
    """Twelve hexadecimal digits of the SHA-256 over the weight files, in the order of their names."""
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")])
    if not files:
        raise ModelError(f"{folder} holds no weights (*.safetensors)", "give the folder of an encoder")
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while part := stream.read(1 << 20):
                digest.update(part)
    return digest.hexdigest()[:12]


def _key(texts: Columns, row: int) -> bytes:
    b = "" if texts.texts_b is None else f"\x1f{texts.texts_b[row]}"
    return hashlib.sha256(f"{texts.texts[row]}{b}".encode("utf-8", "surrogatepass")).digest()[:16]


def _file_name(name: str) -> str:
    """A readable start and a hash, since names may hold signs that file names cannot."""
    plain = "".join(c if c.isalnum() or c in "-_" else "-" for c in name)[:60]
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _read(file: Path) -> dict[bytes, Vectors]:
    with np.load(file, allow_pickle=False) as stored:
        keys, vectors = stored["keys"], stored["vectors"]
    return {key.tobytes(): vector for key, vector in zip(keys, vectors, strict=True)}
