"""Random numbers: one generator for each role and round, derived from a hash.

One more draw in one role never shifts another, and a resumed run draws what the killed one drew.
"""

import hashlib

import numpy as np


def generator(seed: int, *key: str | int) -> np.random.Generator:
    """A generator that depends on the seed and the key alone."""
    text = "\x1f".join([str(seed), *map(str, key)])
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))
