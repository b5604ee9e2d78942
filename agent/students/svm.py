"""TF-IDF and a linear support vector machine: the classic student, and a check on what BERT adds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agent.domain import Task
from agent.errors import BadInput
from agent.protocols import Bench, Columns, Floats, Weighted
from agent.students.files import Card, read_arrays, read_card, write_student
from agent.students.soft import UNSEEN_WEIGHT, harden, joined, softmax, usable
from prompts.messages import Frozen

WORDS = r"(?u)\b\w+\b"
"""Single signs are words too, so that no language loses all of its words."""
MARGIN_SLOPE = 2.0
"""Steepness of the sigmoid over the margin."""


class TfidfSvm(Frozen):
    """Words and word pairs, weighted by TF-IDF over the labelled texts, and one linear SVM for each class.

    Probabilities are a softmax over twice the signed distances, so that a text on the margin of a two-class machine
    gets 1 / (1 + exp(-2)) = 88 %. They rank texts as the distances do and are no calibrated probabilities: Platt
    scaling (Platt, 1999) would need held-out labels that a few-label student does not have.
    """

    kind: Literal["svm"] = "svm"
    c: float = Field(default=1.0, gt=0)
    """Price of a margin violation."""

    @property
    def name(self) -> str:
        return "svm"

    def fit(self, labelled: Weighted, task: Task, bench: Bench, rng: np.random.Generator) -> "SvmStudent":
        """Raises BadInput where nothing has a weight, or no labelled text has a word."""
        del bench
        from scipy.sparse import csr_matrix, vstack
        from sklearn.svm import LinearSVC

        rows, k = usable(labelled, task), len(task.names)
        hard, texts = harden(rows), joined(rows.columns)
        vectorizer = _vectorizer()
        try:
            x: Any = vectorizer.fit_transform(texts)
        except ValueError as e:
            raise BadInput(f"no word is found in {len(texts)} labelled texts", "label texts that have words") from e
        unseen = hard.unseen(k)
        mean = csr_matrix(x.mean(axis=0))
        features = vstack([x[hard.rows], *[mean for _ in unseen]], format="csr")
        classes = np.concatenate([hard.classes, np.asarray(unseen, dtype=np.intp)])
        weights = np.concatenate([hard.weights, np.full(len(unseen), UNSEEN_WEIGHT)])
        model: Any = LinearSVC(C=self.c, max_iter=20000, random_state=int(rng.integers(2**31)))
        model.fit(features, classes, sample_weight=weights)
        coef, bias = np.asarray(model.coef_, np.float64), np.asarray(model.intercept_, np.float64)
        if k == 2:
            coef, bias = np.concatenate([-coef, coef]) / 2, np.concatenate([-bias, bias]) / 2
        words = tuple(str(w) for w in vectorizer.get_feature_names_out())
        return SvmStudent(task.names, words, np.asarray(vectorizer.idf_, np.float64), coef, bias)

    def load(self, folder: Path, task: Task, bench: Bench | None = None) -> "SvmStudent":
        del bench
        card, arrays = read_card(folder, self.kind, task), read_arrays(folder, "idf", "coef", "bias")
        return SvmStudent(task.names, card.vocabulary, arrays["idf"], arrays["coef"], arrays["bias"])


@dataclass(frozen=True)
class SvmStudent:
    labels: tuple[str, ...]
    vocabulary: tuple[str, ...]
    """Words and word pairs, in the order of the columns."""
    idf: NDArray[np.float64]
    coef: NDArray[np.float64]
    """(classes, words)"""
    bias: NDArray[np.float64]

    def predict(self, texts: Columns) -> Floats:
        if not len(texts):
            return np.zeros((0, len(self.labels)))
        return softmax(MARGIN_SLOPE * np.asarray(self._matrix(texts) @ self.coef.T + self.bias, np.float64))

    def embed(self, texts: Columns) -> Floats:
        """(n, words + 1): TF-IDF, dense; a last column of 1 marks texts without any known word."""
        if not len(texts):
            return np.zeros((0, len(self.vocabulary) + 1))
        rows = np.asarray(self._matrix(texts).toarray(), np.float64)
        return np.concatenate([rows, (rows.sum(axis=1, keepdims=True) == 0).astype(np.float64)], axis=1)

    def save(self, folder: Path) -> None:
        arrays = {"idf": self.idf, "coef": self.coef, "bias": self.bias}
        write_student(folder, Card(kind="svm", labels=self.labels, vocabulary=self.vocabulary), arrays)

    def _matrix(self, texts: Columns) -> Any:
        """(n, words), sparse; rows of unit length, or zero where no word is known."""
        vectorizer = _vectorizer({word: i for i, word in enumerate(self.vocabulary)})
        vectorizer.idf_ = self.idf
        return vectorizer.transform(joined(texts))


def _vectorizer(vocabulary: dict[str, int] | None = None) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, vocabulary=vocabulary, token_pattern=WORDS)
