"""Our query strategies beside those of scikit-activeml and small-text, on random inputs without ties.

    python -m evaluation.bench.parity

Prints for each pair of implementations what is compared and on how many of 20 inputs both name the same rows.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from agent.domain import LabelCard, Task
from agent.protocols import Columns, Floats, Labelled, Query, QueryStrategy
from agent.query import (
    Bald,
    Contrastive,
    Entropy,
    KCenter,
    KMeans,
    LeastConfidence,
    Margin,
    MaxHerding,
    ProbCover,
    SkActiveMl,
    TypiClust,
)
from agent.query.badge import gradients, spread
from agent.query.wrapped import Wrapped, fitted, rows_of
from agent.students.linear import FrozenLinear

INPUTS, N, KNOWN, D, CLASSES, SIZE, MEMBERS = 20, 200, 24, 16, 4, 12, 10
Rows = Sequence[int] | NDArray[np.intp]


@dataclass(frozen=True)
class Drawn:
    """One random input: unit vectors and predictions of candidates, then of labelled texts."""

    x: NDArray[np.float64]
    """(N + KNOWN, D)"""
    p: NDArray[np.float64]
    """(N + KNOWN, CLASSES)"""
    members: NDArray[np.float64]
    """(MEMBERS, N + KNOWN, CLASSES)"""
    y: NDArray[np.float64]
    """(N + KNOWN,): nan for candidates, classes of labelled texts."""
    seed: int

    @property
    def numbers(self) -> NDArray[np.float64]:
        return np.arange(len(self.x), dtype=np.float64)[:, None]

    def embed(self, texts: Columns) -> Floats:
        return self.x[_rows(texts)]

    def predict(self, texts: Columns) -> Floats:
        return self.p[_rows(texts)]

    def samples(self, texts: Columns, m: int, seed: int = 0) -> Floats:
        del seed
        return self.members[:m, _rows(texts)]

    def save(self, folder: object) -> None:
        """It is there for one question only."""

    name = "drawn"


def drawn(seed: int) -> Drawn:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N + KNOWN, D))
    p = rng.dirichlet(np.ones(CLASSES), size=N + KNOWN)
    members = rng.dirichlet(np.ones(CLASSES), size=(MEMBERS, N + KNOWN))
    y = np.concatenate([np.full(N, np.nan), np.arange(KNOWN) % float(CLASSES)])
    return Drawn(x / np.linalg.norm(x, axis=1, keepdims=True), p, members, y, seed)


def ours(strategy: QueryStrategy, given: Drawn, size: int = SIZE) -> list[int]:
    """What a strategy of ours picks from the candidates, through the same `Query` as in a run."""
    texts, known_rows = [str(i) for i in range(len(given.x))], len(given.x) - N
    known = Columns(texts[N:], texts[N:])
    targets = np.eye(CLASSES)[given.y[N:].astype(np.intp)]
    yes, no = np.ones(known_rows, dtype=np.bool_), np.zeros(known_rows, dtype=np.bool_)
    ask = Query(
        task=Task(name="parity", labels=tuple(LabelCard(name=f"class {c}") for c in range(CLASSES))),
        size=size,
        candidates=Columns(texts[:N], texts[:N]),
        machine=np.full((N, CLASSES), np.nan),
        labelled=Labelled(known, targets, yes, no, np.full((known_rows, CLASSES), np.nan)),
        rng=np.random.default_rng(given.seed),
        student=given,
        embed=given,
    )
    return [int(example.id) for example in strategy.query(ask).examples]


def _rows(texts: Columns) -> NDArray[np.intp]:
    return np.asarray([int(text) for text in texts.texts], dtype=np.intp)


@dataclass(frozen=True)
class Check:
    strategy: str
    library: str
    compared: str
    answers: Callable[[Drawn], tuple[Rows, Rows]]
    """Rows of ours and of theirs, in order."""

    def agreeing(self, inputs: int = INPUTS) -> int:
        """On how many of `inputs` random inputs both name the same rows in the same order."""
        found = (self.answers(drawn(seed)) for seed in range(inputs))
        return sum([int(r) for r in mine] == [int(r) for r in theirs] for mine, theirs in found)


def _pool() -> Any:
    """`skactiveml.pool`, whose functions are typed too loosely to be of help."""
    return import_module("skactiveml.pool")


def _uncertainty(strategy: QueryStrategy, method: str) -> Callable[[Drawn], tuple[Rows, Rows]]:
    def answers(given: Drawn) -> tuple[Rows, Rows]:
        theirs = _pool().UncertaintySampling(method=method, random_state=0)
        clf = fitted(rows_of(given.p))
        return ours(strategy, given), theirs.query(given.numbers, given.y, clf, fit_clf=False, batch_size=SIZE)

    return answers


def _scored(strategy: QueryStrategy, theirs: str) -> Callable[[Drawn], tuple[Rows, Rows]]:
    """Both sorted, since small-text returns its best rows in no order."""

    def answers(given: Drawn) -> tuple[Rows, Rows]:
        import small_text

        class Known:
            def predict_proba(self, _: Any, dropout_sampling: int = 1) -> Any:
                return given.p if dropout_sampling == 1 else given.members.swapaxes(0, 1)

        query: Any = getattr(small_text, theirs)()
        found = query.query(Known(), given.numbers, np.arange(N), np.arange(N, N + KNOWN), given.y[N:], n=SIZE)
        return sorted(ours(strategy, given)), sorted(found)

    return answers


def _bald(given: Drawn) -> tuple[Rows, Rows]:
    from skactiveml.utils import simple_batch

    scores = _pool().batch_bald(given.members[:, :N].copy(), batch_size=1)[0]
    best: Any = simple_batch(scores, random_state=0, batch_size=SIZE)
    return ours(Bald(members=MEMBERS), given), best


def _kcenter(given: Drawn) -> tuple[Rows, Rows]:
    return ours(KCenter(), given), _pool().CoreSet(random_state=0).query(given.x, given.y, batch_size=SIZE)


def _kcenter_small_text(given: Drawn) -> tuple[Rows, Rows]:
    from small_text.query_strategies.coresets import greedy_coreset

    known = np.arange(N, N + KNOWN)
    return ours(KCenter(), given), greedy_coreset(given.x, np.arange(N), known, SIZE, distance_metric="euclidean")


def _badge(given: Drawn) -> tuple[Rows, Rows]:
    clf = fitted(rows_of(given.p), rows_of(given.x))
    query = _pool().Badge(clf_embedding_flag_name="embed", random_state=given.seed)
    query.query(given.numbers, given.y, clf, fit_clf=False)  # one pick needs no random number, but seeds them
    draws = np.concatenate([[0.0], query.random_state_.random_sample(SIZE - 1)])
    theirs = query.query(given.numbers, given.y, clf, fit_clf=False, batch_size=SIZE)
    return spread(gradients(given.p[:N]), given.x[:N], draws), theirs


def _centres(given: Drawn) -> NDArray[np.float64]:
    return np.random.default_rng(given.seed).normal(size=(SIZE, D)) / 4


def _kmeans(given: Drawn) -> tuple[Rows, Rows]:
    class Clusters:
        def __init__(self, n_clusters: int) -> None:
            self.n_clusters = n_clusters

        def fit_transform(self, x: Any, **_: Any) -> Any:
            return np.linalg.norm(x[:, None, :] - _centres(given)[None, :, :], axis=2)

    sure = np.eye(CLASSES)[np.zeros(len(given.x), dtype=np.intp)]  # no entropy: all texts weigh alike
    clf, known = fitted(rows_of(sure), rows_of(given.x)), {"embed": True}
    theirs = _pool().Clue(predict_dict=known, cluster_algo=Clusters, random_state=0)
    found = theirs.query(given.numbers, given.y, clf, fit_estimator=False, batch_size=SIZE)
    return _with_centres(given), found


def _with_centres(given: Drawn) -> list[int]:
    """What k-means picks where its clusters have these centres."""
    with patch("agent.query.diversity.cluster", return_value=(np.empty(0), _centres(given))):
        return ours(KMeans(), given)


def _kmeans_small_text(given: Drawn) -> tuple[Rows, Rows]:
    from small_text import EmbeddingKMeans

    nearest: Any = EmbeddingKMeans._get_nearest_to_centers_iterative  # pyright: ignore[reportPrivateUsage]  - as is
    return _with_centres(given), nearest(_centres(given), given.x[:N])


def _typiclust(given: Drawn) -> tuple[Rows, Rows]:
    few, k = 6, 8
    x, y = given.x[: N + few], given.y[: N + few]
    sizes = np.arange(few + k) * 2 + 1  # all different, so that the order of clusters is no matter of chance
    labels = np.repeat(np.arange(few + k), sizes)[np.random.default_rng(given.seed).permutation(sizes.sum())]
    labels = np.concatenate([labels, np.full(len(x) - len(labels) - few, few + k - 1), np.arange(few)])

    class Clusters:
        def __init__(self, n_clusters: int) -> None:
            self.n_clusters = n_clusters

        def fit_predict(self, _: Any) -> Any:
            return labels

    theirs = _pool().TypiClust(cluster_algo=Clusters, k=5, random_state=0)
    with patch("agent.query.typical.cluster", return_value=(labels.astype(np.intp), np.empty(0))):
        mine = ours(TypiClust(neighbours=5), replace(given, x=x, y=y), k)
    return mine, theirs.query(x, y, batch_size=k)


def _stars(given: Drawn, radius: float) -> NDArray[np.float64]:
    """The vectors of `given`, some of them moved so that four of them have 11, 9, 7 and 5 others in a ball around them.

    Balls of random vectors hold equal numbers more often than not, and the library then draws among them.
    """
    rng, x = np.random.default_rng(given.seed), given.x.copy()
    rows = iter(rng.permutation(N).tolist())
    for size in (11, 9, 7, 5):
        hub = x[next(rows)]
        apart = np.linalg.qr(np.column_stack([hub, rng.normal(size=(D, size))]))[0].T[1:]
        for each in apart:
            moved = hub + 0.9 * radius * each
            x[next(rows)] = moved / np.linalg.norm(moved)
    return x


def _probcover(given: Drawn) -> tuple[Rows, Rows]:
    class Clusters:
        def __init__(self, n_clusters: int) -> None:
            self.n_clusters = n_clusters

        def fit_predict(self, x: Any) -> Any:
            return np.zeros(len(x))  # one cluster: every radius is pure, and the largest is taken

    radius, few = 0.3, 4
    given = replace(given, x=_stars(given, radius))
    theirs = _pool().ProbCover(deltas=[0.1, radius], cluster_algo=Clusters, random_state=0)
    return ours(ProbCover(radius=radius), given, few), theirs.query(given.x, given.y, batch_size=few)


def _maxherding(given: Drawn) -> tuple[Rows, Rows]:
    theirs = _pool().MaxHerding(metric_dict={"gamma": 1.0}, random_state=0)
    return ours(MaxHerding(), given), theirs.query(given.x, given.y, batch_size=SIZE)


def _contrastive(given: Drawn) -> tuple[Rows, Rows]:
    clf = fitted(rows_of(given.p), rows_of(given.x))
    theirs = _pool().ContrastiveAL({"n_neighbors": 10}, clf_embedding_flag_name="embed", random_state=0)
    found = theirs.query(given.numbers, given.y, clf, fit_clf=False, batch_size=SIZE)
    return ours(Contrastive(), given), found


def _discriminative(given: Drawn) -> tuple[Rows, Rows]:
    from sklearn.linear_model import LogisticRegression
    from small_text import DiscriminativeActiveLearning, SklearnClassifierFactory, SklearnDataset

    model: Any = LogisticRegression(max_iter=2000)
    silent: Any = None
    theirs = DiscriminativeActiveLearning(SklearnClassifierFactory(model, 2), 6, unlabeled_factor=N, pbar=silent)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # small-text calls functions that it has deprecated
        data: Any = SklearnDataset(given.x, np.zeros(len(given.x), dtype=np.intp), target_labels=np.arange(2))
        found = theirs.query(None, data, np.arange(N), np.arange(N, N + KNOWN), given.y[N:], n=6)
    return ours(SkActiveMl(strategy="discriminative"), given, 6), found


def _adapted(name: Wrapped) -> Callable[[Drawn], tuple[Rows, Rows]]:
    """Through our adapter, and asked directly: there the library fits a classifier of its own to the same labels."""

    def answers(given: Drawn) -> tuple[Rows, Rows]:
        from skactiveml.classifier import SklearnClassifier
        from sklearn.linear_model import LogisticRegression

        own: Any = SklearnClassifier(LogisticRegression(), classes=list(range(CLASSES)))
        given = replace(given, p=own.fit(given.x, given.y).predict_proba(given.x))
        seed = int(np.random.default_rng(given.seed).integers(2**31))
        clusters = {"cluster_algo_dict": {"random_state": seed, "n_init": 3}} if name == "clue" else {}
        theirs = getattr(_pool(), name.capitalize())(random_state=seed, **clusters)
        return ours(SkActiveMl(strategy=name), given), theirs.query(given.x, given.y, own, batch_size=SIZE)

    return answers


def _dropquery(given: Drawn) -> tuple[Rows, Rows]:
    from skactiveml.classifier import SklearnClassifier
    from sklearn.linear_model import LogisticRegression

    own: Any = SklearnClassifier(LogisticRegression(C=FrozenLinear().c, max_iter=2000), classes=list(range(CLASSES)))
    seed = int(np.random.default_rng(given.seed).integers(2**31))
    theirs = _pool().DropQuery(cluster_algo_dict={"random_state": seed, "n_init": 3}, random_state=seed)
    found = theirs.query(given.x.copy(), given.y, own, batch_size=SIZE)
    return ours(SkActiveMl(strategy="dropquery"), given), found


SCORES, SET = "all picks, in order", "the set of picks, which come in no order"
ALL = f"{SCORES}, centres or clusters given"
CHECKS: tuple[Check, ...] = (
    Check("least-confidence", "scikit-activeml", SCORES, _uncertainty(LeastConfidence(), "least_confident")),
    Check("margin", "scikit-activeml", SCORES, _uncertainty(Margin(), "margin_sampling")),
    Check("entropy", "scikit-activeml", SCORES, _uncertainty(Entropy(), "entropy")),
    Check("bald", "scikit-activeml", SCORES, _bald),
    Check("kcenter", "scikit-activeml", SCORES, _kcenter),
    Check("badge", "scikit-activeml", "all picks, in order, the same uniform numbers", _badge),
    Check("kmeans", "scikit-activeml", ALL, _kmeans),
    Check("typiclust", "scikit-activeml", ALL, _typiclust),
    Check("probcover", "scikit-activeml", "four picks, in order, radius given", _probcover),
    Check("maxherding", "scikit-activeml", SCORES, _maxherding),
    Check("contrastive", "scikit-activeml", SCORES, _contrastive),
    Check("clue (wrapped)", "scikit-activeml", f"{SCORES}, its own classifier", _adapted("clue")),
    Check("falcun (wrapped)", "scikit-activeml", f"{SCORES}, its own classifier", _adapted("falcun")),
    Check("dropquery (wrapped)", "scikit-activeml", f"{SCORES}, its own classifier", _dropquery),
    Check("least-confidence", "small-text", SET, _scored(LeastConfidence(), "LeastConfidence")),
    Check("margin", "small-text", SET, _scored(Margin(), "BreakingTies")),
    Check("entropy", "small-text", SET, _scored(Entropy(), "PredictionEntropy")),
    Check("bald", "small-text", SET, _scored(Bald(members=MEMBERS), "BALD")),
    Check("kcenter", "small-text", SCORES, _kcenter_small_text),
    Check("kmeans", "small-text", ALL, _kmeans_small_text),
    Check("discriminative (wrapped)", "small-text", "six picks, in order", _discriminative),
)


def main() -> None:
    print(f"{'strategy':26}{'beside':18}{'same on':10}compared")
    for check in CHECKS:
        print(f"{check.strategy:26}{check.library:18}{check.agreeing():>2} of {INPUTS}  {check.compared}", flush=True)


if __name__ == "__main__":
    main()
