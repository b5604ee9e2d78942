"""Every role and round has random numbers of its own."""

import hashlib

import numpy as np

from agent.seeds import generator


def draw(seed: int, *key: str | int) -> list[int]:
    return generator(seed, *key).integers(2**31, size=4).tolist()


def test_equal_keys_draw_alike_and_others_do_not() -> None:
    keys = [(0, "query", 1), (0, "query", 2), (1, "query", 1), (0, "train"), (0, "query", 11), (0, "query1", 1)]
    drawn = [draw(*key) for key in keys]
    assert [draw(*key) for key in keys] == drawn
    assert len({tuple(each) for each in drawn}) == len(keys)


def test_the_numbers_depend_on_seed_and_key_by_a_fixed_hash() -> None:
    """Python's own `hash` differs between processes: a resumed run would draw something else."""
    entropy = hashlib.sha256(b"3\x1fquery\x1f2").digest()[:16]
    expected = np.random.default_rng(int.from_bytes(entropy, "big")).integers(2**31, size=4).tolist()
    assert draw(3, "query", 2) == expected
