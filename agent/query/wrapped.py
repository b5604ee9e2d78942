"""Strategies of scikit-activeml behind one adapter: the elaborate ones, which are not worth writing again."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agent.domain import Batch
from agent.errors import BadInput
from agent.protocols import Columns, Need, Query, Weighted
from agent.query.choose import LABELLED, STUDENT, chosen, features, require, student
from agent.query.diversity import Source, source_needs
from agent.query.space import Vectors, sampled, vectors
from agent.students.head import fit_head
from agent.students.linear import FrozenLinear
from prompts.messages import Frozen

Wrapped = Literal["clue", "falcun", "dropquery", "discriminative"]


class SkActiveMl(Frozen):
    """One of the strategies of scikit-activeml 1.0, asked about our student's numbers.

    - `clue`: clusters of the vectors weighted by entropy (Prabhu et al., ICCV 2021). Student and vectors.
    - `falcun`: margin and distance between predictions (Gilhuber et al., ECML 2024). Student.
    - `dropquery`: clusters of those vectors on which dropout of features changes the label (Gupte et al., TMLR 2024).
      Labels and vectors: predictions of vectors with holes come from a logistic regression on the labelled vectors.
    - `discriminative`: what a classifier tells apart best from the labelled texts, trained anew after each pick
      (Gissin & Shalev-Shwartz, 2019). Vectors.

    Ties are broken by the library's own seeded random numbers, not by row. Time as for k-means, O(picks n
    classes) for `falcun`, a logistic regression on n rows a pick for `discriminative`; memory O(n (d + picks)).

    BatchBALD is left out: its answer names a text twice where scores are equal, and it needs candidates x draws x
    classes numbers at once.
    """

    kind: Literal["skactiveml"] = "skactiveml"
    strategy: Wrapped
    features: Source = "encoder"
    restarts: int = Field(default=3, ge=1)
    """Random starts of k-means."""
    within: int = Field(default=20_000, ge=1)
    """In a larger pool, the picks come from a random sample of this size."""

    @property
    def name(self) -> str:
        return self.strategy

    @property
    def needs(self) -> frozenset[Need]:
        own = LABELLED if self.strategy in ("dropquery", "discriminative") else STUDENT
        return own if self.strategy == "falcun" else own | source_needs(self.features)

    def query(self, ask: Query) -> Batch:
        """Raises BadInput where scikit-activeml is not installed, or where a strategy that needs labels finds none."""
        from sklearn.exceptions import ConvergenceWarning
        from threadpoolctl import threadpool_limits

        pool, rows = _library(), sampled(ask, self.within)
        size = min(len(rows), ask.size)
        if not size:
            return chosen(ask, [], self.name)
        asked = Asked(pool, ask, ask.candidates.take(rows), size, int(ask.rng.integers(2**31)))
        with threadpool_limits(limits=1), warnings.catch_warnings():  # one order of sums, as in our own k-means
            warnings.simplefilter("ignore", ConvergenceWarning)  # equal vectors make fewer clusters than are wanted
            found = _ANSWERS[self.strategy](self, asked)
        return chosen(ask, rows[found], self.name)

    def vectors(self, ask: Query, texts: Columns) -> Vectors:
        return vectors(features(ask, texts, self.features, self.name))

    def clusters(self, seed: int) -> dict[str, int]:
        """Settings of the library's k-means."""
        return {"random_state": seed, "n_init": self.restarts}


@dataclass(frozen=True)
class Asked:
    """A question as the answers below take it."""

    pool: Any
    """The module `skactiveml.pool`."""
    ask: Query
    texts: Columns
    """The candidates that take part."""
    size: int
    seed: int

    @property
    def unknown(self) -> Vectors:
        """(n,): no candidate has a label."""
        return np.full(len(self.texts), np.nan)

    @property
    def numbers(self) -> Vectors:
        """(n, 1): the candidates as the library sees them where it asks the student about them: row numbers."""
        return np.arange(len(self.texts), dtype=np.float64)[:, None]


def _clue(spec: SkActiveMl, asked: Asked) -> Any:
    p = vectors(student(asked.ask, spec.name).predict(asked.texts))
    known = fitted(rows_of(p), rows_of(spec.vectors(asked.ask, asked.texts)))
    clusters = spec.clusters(asked.seed)
    query = asked.pool.Clue(predict_dict={"embed": True}, cluster_algo_dict=clusters, random_state=asked.seed)
    return query.query(asked.numbers, asked.unknown, known, False, batch_size=asked.size)


def _falcun(spec: SkActiveMl, asked: Asked) -> Any:
    p = vectors(student(asked.ask, spec.name).predict(asked.texts))
    query = asked.pool.Falcun(random_state=asked.seed)
    return query.query(asked.numbers, asked.unknown, fitted(rows_of(p)), False, batch_size=asked.size)


def _dropquery(spec: SkActiveMl, asked: Asked) -> Any:
    known = _labelled(spec, asked.ask)
    rows = Weighted(known, asked.ask.labelled.targets, np.ones(len(known)))
    head = fit_head(spec.vectors(asked.ask, known), rows, FrozenLinear().c)
    query = asked.pool.DropQuery(cluster_algo_dict=spec.clusters(asked.seed), random_state=asked.seed)
    x = spec.vectors(asked.ask, asked.texts).copy()
    return query.query(x, asked.unknown, fitted(head.predict), False, batch_size=asked.size)


def _discriminative(spec: SkActiveMl, asked: Asked) -> Any:
    from skactiveml.classifier import SklearnClassifier
    from sklearn.linear_model import LogisticRegression

    known = spec.vectors(asked.ask, _labelled(spec, asked.ask))
    x = np.concatenate([spec.vectors(asked.ask, asked.texts), known])
    y = np.concatenate([asked.unknown, np.zeros(len(known))])
    told_apart = SklearnClassifier(LogisticRegression(max_iter=2000), classes=[0, 1], random_state=asked.seed)
    return asked.pool.DiscriminativeAL(random_state=asked.seed).query(x, y, told_apart, batch_size=asked.size)


def _labelled(spec: SkActiveMl, ask: Query) -> Columns:
    require(ask, LABELLED, spec.name)
    return ask.labelled.columns


_ANSWERS: dict[Wrapped, Callable[[SkActiveMl, Asked], Any]] = {
    "clue": _clue,
    "falcun": _falcun,
    "dropquery": _dropquery,
    "discriminative": _discriminative,
}


def _library() -> Any:
    """`skactiveml.pool`. Raises BadInput where it is not installed."""
    try:
        from skactiveml import pool
    except ImportError as e:
        raise BadInput("scikit-activeml is not installed", 'pip install "thresher[baselines]"') from e
    return pool


def rows_of(values: Vectors) -> Callable[[Vectors], Vectors]:
    """From row numbers to rows, copied: the library writes into what it is given."""
    return lambda numbers: values[numbers[:, 0].astype(np.intp)].copy()


def fitted(p: Callable[[Vectors], Vectors], h: Callable[[Vectors], Vectors] | None = None) -> Any:
    """A fitted classifier, as the library wants one, that says what `p` and `h` say."""
    from skactiveml.base import SkactivemlClassifier

    def predict_proba(_: Any, x: Vectors, embed: bool = False) -> Any:
        return (p(x), h(x)) if embed and h is not None else p(x)

    def predict(_: Any, x: Vectors) -> NDArray[np.intp]:
        return p(x).argmax(axis=1)

    def fit(self: Any, *_: Any) -> Any:
        return self

    # Made by `type`, since the names of the arguments that the base class wants are none of ours.
    return type("Fitted", (SkactivemlClassifier,), {"fit": fit, "predict": predict, "predict_proba": predict_proba})()
