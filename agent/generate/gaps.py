"""Where the student is weak: classes within clusters of the pool (survey §3.3, step 1: analyse weaknesses)."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from agent.protocols import Floats, Gap, Query, Rows

_LEAST_MEMBERS = 5
_CERTAIN = 0.85


def find(ask: Query, clusters: int, most: int, shown: int) -> tuple[Gap, ...]:
    """The `most` weakest (class, cluster) places, weakest first.

    Weakness of a place is the mean of `1 - p(class)` that the student gives its members, where the class of a member is
    the machine's label where there is one and the student's otherwise. Places are ranked by weakness times the square
    root of their share of the candidates, so that a handful of odd texts does not outrank a broad blind spot. Classes
    take turns, so that what is written for them does not shift their balance. A place shows the texts that the student
    doubts most among those whose label is certain: the LLM imitates what it is shown.
    """
    assert ask.student is not None
    assert ask.embed is not None
    predicted = ask.student.predict(ask.candidates)
    known = ~np.isnan(ask.machine).any(axis=1)
    classes = np.where(known, np.nan_to_num(ask.machine).argmax(axis=1), predicted.argmax(axis=1))
    doubt = 1.0 - predicted[np.arange(len(classes)), classes]
    groups = _clusters(ask, clusters)
    places = [
        (label, np.flatnonzero((groups == g) & (classes == label)))
        for g in range(clusters)
        for label in range(len(ask.task.labels))
    ]
    kept = [(label, rows) for label, rows in places if len(rows) >= _LEAST_MEMBERS]
    kept.sort(key=lambda place: -float(doubt[place[1]].mean() * np.sqrt(len(place[1]) / len(classes))))
    kept = _in_turns(kept)[:most]
    words = _words(ask.candidates.texts, [rows for _, rows in kept])
    return tuple(_gap(ask, label, rows, doubt, about, shown) for (label, rows), about in zip(kept, words, strict=True))


def _in_turns(places: Sequence[tuple[int, Rows]]) -> list[tuple[int, Rows]]:
    """First the weakest place of each class, then the second of each, and so on."""
    seen: Counter[int] = Counter()
    turns: list[tuple[int, int]] = []
    for position, (label, _) in enumerate(places):
        turns.append((seen[label], position))
        seen[label] += 1
    return [places[position] for _, position in sorted(turns)]


def _clusters(ask: Query, clusters: int) -> Rows:
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    assert ask.embed is not None
    features = ask.embed.embed(ask.candidates)
    seed = int(ask.rng.integers(2**31))
    groups = KMeans(min(clusters, len(np.unique(features, axis=0))), n_init="auto", random_state=seed)
    with threadpool_limits(limits=1):  # sums in one order, so that a resumed run finds the same places
        return groups.fit_predict(features).astype(np.intp)


def _gap(ask: Query, label: int, rows: Rows, doubt: Floats, about: str, shown: int) -> Gap:
    confidence = np.nan_to_num(ask.machine[rows, label])
    certain = rows[confidence >= _CERTAIN]
    sure = certain[np.argsort(-doubt[certain], kind="stable")]
    rest = rows[np.argsort(-confidence, kind="stable")]
    hardest = list(dict.fromkeys((*sure, *rest)))[:shown]
    examples = tuple(ask.candidates.example(int(r)) for r in hardest)
    return Gap(ask.task.names[label], about, examples, float(doubt[rows].mean()))


def _words(texts: Sequence[str], places: Sequence[Rows]) -> list[str]:
    """The words that tell each place from the others, by summed TF-IDF."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not places:
        return []
    documents = [" ".join([word for r in rows for word in _long_words(texts[int(r)])]) for rows in places]
    vectorizer = TfidfVectorizer()
    try:
        matrix = vectorizer.fit_transform(documents).toarray()
    except ValueError:  # no word stands anywhere: then there is nothing to tell the places apart by
        return ["" for _ in places]
    names = [str(name) for name in vectorizer.get_feature_names_out()]
    return [", ".join(names[int(i)] for i in np.argsort(-row, kind="stable")[:4] if row[i] > 0) for row in matrix]


def _long_words(text: str) -> list[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return [word for word in re.findall(r"[^\W\d_]{4,}", text.casefold()) if word not in ENGLISH_STOP_WORDS]
