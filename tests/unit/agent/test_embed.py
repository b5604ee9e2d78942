from pathlib import Path

import numpy as np
import pytest

from agent.embed import CachedEmbedder, SentenceEncoder, weights_hash
from agent.errors import ModelError
from agent.protocols import Columns, Floats
from tests.support.questions import ToyEncoder, texts


class Counting:
    name = "counting/enc@1"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Columns) -> Floats:
        self.asked += texts.texts
        return ToyEncoder().embed(texts)


def test_each_text_is_encoded_once() -> None:
    inner, (columns, _) = Counting(), texts(10)
    cached = CachedEmbedder(inner)
    again = Columns([*columns.ids, "copy"], [*columns.texts, columns.texts[3]])
    first = cached.embed(columns.take(range(6)))
    np.testing.assert_array_equal(cached.embed(again)[:6], first)
    assert inner.asked == [*columns.texts]
    np.testing.assert_allclose(cached.embed(again), ToyEncoder().embed(again), atol=1e-6)
    assert cached.name == inner.name


def test_the_halves_of_a_pair_are_not_run_together() -> None:
    cached = CachedEmbedder(inner := Counting())
    one, two = Columns(["1"], ["a b"], ["c"]), Columns(["2"], ["a"], ["b c"])
    assert len(inner.asked) == 0
    cached.embed(one)
    cached.embed(two)
    cached.embed(Columns(["3"], ["a b"]))
    assert len(inner.asked) == 3


def test_a_folder_keeps_them_for_the_next_process(tmp_path: Path) -> None:
    columns, _ = texts(5)
    before = CachedEmbedder(Counting(), tmp_path).embed(columns)
    later = CachedEmbedder(inner := Counting(), tmp_path)
    np.testing.assert_array_equal(later.embed(columns), before)
    assert inner.asked == []
    assert [f.suffix for f in tmp_path.iterdir()] == [".npz"]


def test_two_processes_on_one_folder_lose_none_of_each_others(tmp_path: Path) -> None:
    columns, _ = texts(8)
    one, two = (CachedEmbedder(Counting(), tmp_path) for _ in range(2))
    one.embed(columns.take(range(4)))
    two.embed(columns.take(range(3, 8)))
    later = CachedEmbedder(inner := Counting(), tmp_path)
    later.embed(columns)
    assert inner.asked == []
    assert [f.suffix for f in tmp_path.iterdir()] == [".npz"]


def test_no_text_gives_no_row() -> None:
    columns, _ = texts(2)
    assert CachedEmbedder(ToyEncoder()).embed(columns.take([])).shape == (0, 64)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no weights"):
        SentenceEncoder(tmp_path)


def test_the_name_changes_with_the_weights(tmp_path: Path) -> None:
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(content)
    assert weights_hash(tmp_path / "a") == weights_hash(tmp_path / "b") != weights_hash(tmp_path / "c")
    assert SentenceEncoder(tmp_path / "a").name == f"a@{weights_hash(tmp_path / 'a')}"
