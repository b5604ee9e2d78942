"""The published strategies by hand: small inputs whose answers can be worked out."""

import builtins
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agent.errors import BadInput
from agent.protocols import Columns
from agent.query import Bald, Contrastive, MaxHerding, Patron, ProbCover, SkActiveMl, TypiClust, space
from agent.query.badge import gradients, spread
from agent.query.committee import mutual_information
from agent.query.contrast import contrast
from agent.query.coverage import ball, cover, gaussian, pure_radius
from agent.query.patron import propagated
from agent.query.typical import typical, typicality
from tests.support.questions import PlainStudent, question


def unit(rng: np.random.Generator, n: int, d: int = 8) -> np.ndarray:
    x = rng.normal(size=(n, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_mutual_information_by_hand() -> None:
    sure = np.asarray([[[1.0, 0.0]], [[0.0, 1.0]]])
    agreed = np.asarray([[[0.5, 0.5]], [[0.5, 0.5]]])
    np.testing.assert_allclose(mutual_information(sure), [math.log(2)])
    np.testing.assert_allclose(mutual_information(agreed), [0.0], atol=1e-12)


def test_a_student_without_a_committee_is_named() -> None:
    with pytest.raises(BadInput, match=r"'bald' needs a student that can be sampled, .*; take the student linear"):
        Bald().query(replace(question(), student=PlainStudent()))


def test_blocks_change_no_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    x = unit(np.random.default_rng(0), 40)
    whole = space.nearest(x, x[:15], 4)
    monkeypatch.setattr(space, "CELLS", 32)
    parts = space.nearest(x, x[:15], 4)
    np.testing.assert_array_equal(whole[1], parts[1])
    np.testing.assert_allclose(whole[0], parts[0], atol=1e-12)
    direct = np.linalg.norm(x[:, None] - x[None, :15], axis=2)
    np.testing.assert_array_equal(whole[1], np.argsort(direct, axis=1, kind="stable")[:, :4])


def test_lazy_picks_are_those_of_the_plain_greedy_algorithm() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x, known = unit(rng, 60), unit(rng, 5) if seed % 2 else None
        for similarity in (gaussian(2.0), ball(1.0)):
            k = similarity(space.squared(x, x))
            covered = np.zeros(60) if known is None else similarity(space.squared(known, x)).max(axis=0)
            plain = list[int]()
            for _ in range(12):
                gains = np.maximum(k - covered, 0).sum(axis=1)
                gains[plain] = -1.0
                plain.append(int(np.argmax(gains)))
                covered = np.maximum(covered, k[plain[-1]])
            assert cover(x, known, 12, similarity).tolist() == plain


def test_the_radius_is_the_largest_pure_one() -> None:
    rng = np.random.default_rng(3)
    x, labels = unit(rng, 100, 3), rng.integers(0, 2, 100)
    radius = pure_radius(x, labels, 0.9)
    d = np.sqrt(space.squared(x, x))
    stranger = np.where(labels[:, None] == labels[None, :], np.inf, d)

    def purity(r: float) -> float:
        return float((stranger >= r).all(axis=1).mean())

    assert purity(radius) >= 0.9
    assert purity(radius + 1e-9) < 0.9


def test_badge_never_needs_the_outer_products() -> None:
    rng = np.random.default_rng(1)
    p, h, draws = rng.dirichlet(np.ones(3), size=50), rng.normal(size=(50, 4)), rng.random(9)
    g = (gradients(p)[:, :, None] * h[:, None, :]).reshape(50, -1)
    for origin in (True, False):
        taken = [int(np.argmax((g**2).sum(axis=1)))]
        nearest = (g**2).sum(axis=1) if origin else np.full(50, np.inf)
        for draw in draws[1:]:
            nearest = np.minimum(nearest, ((g - g[taken[-1]]) ** 2).sum(axis=1))
            nearest[taken] = 0.0
            reached = np.cumsum(nearest)
            taken.append(int(np.searchsorted(reached / reached[-1], draw, side="right")))
        assert spread(gradients(p), h, draws, origin=origin).tolist() == taken


def test_badge_goes_on_where_the_student_is_certain_of_everything() -> None:
    taken = spread(gradients(np.eye(2)[[0, 1, 0, 1, 1]]), np.ones((5, 3)), np.linspace(0, 0.99, 5))
    assert sorted(taken.tolist()) == [0, 1, 2, 3, 4]


def test_contrast_by_hand() -> None:
    p, known = np.asarray([[0.5, 0.5], [0.9, 0.1]]), np.asarray([[0.9, 0.1], [0.5, 0.5]])
    kl = 0.9 * math.log(0.9 / 0.5) + 0.1 * math.log(0.1 / 0.5)
    np.testing.assert_allclose(contrast(p, known, np.asarray([[0], [0]])), [kl, 0.0], atol=1e-6)
    np.testing.assert_allclose(contrast(p, known, np.asarray([[0, 1], [0, 0]]))[0], kl / 2, atol=1e-6)


def test_typical_texts_come_from_large_clusters_without_labels() -> None:
    line = np.asarray([0.0, 1.0, 2.0, 10.0, 10.1, 20.0, 2.1, 0.4])[:, None]
    labels = np.asarray([0, 0, 0, 1, 1, 2, 0, 0])
    assert typicality(line[[0, 1, 2]], 20).argmax() == 1
    assert typical(line, labels, 7, 3, 20)[0] == 3  # the largest cluster holds row 7, which is labelled
    assert set(typical(line, labels, 7, 3, 20).tolist()[:2]) == {3, 5}
    assert typical(line, labels, 8, 1, 20)[0] == 1
    assert sorted(typical(line, labels, 7, 7, 20).tolist()) == list(range(7))


def test_doubts_reach_texts_that_the_llm_has_not_read() -> None:
    x = np.asarray([[0.0], [0.1], [5.0]])
    found = propagated(x, np.asarray([1.0, np.nan, 0.0]), 1, rho=1.0)
    np.testing.assert_allclose(found, [1.0, math.exp(-0.01), 0.0])
    assert np.isnan(propagated(x, np.full(3, np.nan), 2, 1.0)).all()


@pytest.mark.parametrize(
    "strategy",
    [TypiClust(), ProbCover(), MaxHerding(), Contrastive(), Patron(), SkActiveMl(strategy="clue")],
    ids=lambda s: s.name,
)
def test_equal_texts_are_no_trouble(strategy: Any) -> None:
    ask = question(n=12, size=5)
    same = Columns(ask.candidates.ids, ["rain over the hills"] * 12)
    picks = strategy.query(replace(ask, candidates=same)).picks
    assert len({pick.example.id for pick in picks}) == 5


@pytest.mark.parametrize("strategy", ["dropquery", "discriminative"])
def test_wrapped_strategies_that_need_labels_say_so(strategy: Any) -> None:
    with pytest.raises(BadInput, match="needs labelled texts"):
        SkActiveMl(strategy=strategy).query(question(labelled=0))
    with pytest.raises(BadInput, match="needs labelled texts"):
        Contrastive().query(question(labelled=0))


def test_without_scikit_activeml_its_strategies_say_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **named: Any) -> Any:
        if name.split(".")[0] == "skactiveml":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(BadInput, match="scikit-activeml is not installed"):
        SkActiveMl(strategy="falcun").query(question())
