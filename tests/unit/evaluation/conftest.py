"""No property test here depends on how fast the machine is; and made-up material for the benches."""

import numpy as np
import pytest
from hypothesis import settings

from agent.domain import LabelCard, Task
from agent.protocols import Columns
from evaluation.bench.bank import Held, Material

# Before test modules are imported: `@settings(...)` takes what it does not name from the profile loaded by then.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="module")
def toy() -> Material:
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 2, 120)
    vectors = rng.normal(size=(120, 6)) + 0.8 * gold[:, None]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = [f"t{i}" for i in range(120)]
    pool, test = Columns(ids[:80], ids[:80]), Columns(ids[80:], ids[80:])
    return Material(
        name="toy",
        task=Task(name="toy", labels=(LabelCard(name="x"), LabelCard(name="y"))),
        pool=pool,
        test=test,
        gold={id_: "xy"[label] for id_, label in zip(ids[:80], gold[:80], strict=True)},
        truth=gold[80:],
        embed=Held(vectors, {id_: i for i, id_ in enumerate(ids)}),
    )
