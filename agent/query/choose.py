"""From numbers to picks: what every strategy does with the scores or rows it found."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from agent.domain import Batch, Pick
from agent.errors import BadInput
from agent.protocols import Columns, Floats, Need, Query, Rows, Sampler, Student

STUDENT: frozenset[Need] = frozenset({"student"})
SAMPLES: frozenset[Need] = frozenset({"samples"})
LABELLED: frozenset[Need] = frozenset({"labelled"})
EMBEDDINGS: frozenset[Need] = frozenset({"embeddings"})
NEEDED: dict[Need, tuple[str, str]] = {
    "student": ("a trained student", "begin with a strategy that needs none"),
    "samples": ("a student that can be sampled", "take the student linear, bert or setfit"),
    "chat": ("an LLM", "start one with: thresher engine up"),
    "embeddings": ("a sentence encoder", "name one, such as all-MiniLM-L6-v2"),
    "labelled": ("labelled texts", "begin with a strategy that needs none"),
    "machine": (
        "labels of the LLM",
        "let it label some texts in an earlier step, or read them first (the strategy `read`)",
    ),
}
"""Each need in words, and how to serve it."""


def highest(ask: Query, scores: Floats, by: str) -> Batch:
    """The `ask.size` highest scores; equal ones in row order, undefined ones (nan) last."""
    order = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")
    return chosen(ask, order[: ask.size], by, scores)


def chosen(ask: Query, rows: Iterable[int] | Rows, by: str, scores: Floats | None = None) -> Batch:
    """These candidates, in this order. An undefined score is left out of its pick."""
    picks = [Pick(example=ask.candidates.example(int(r)), score=_score(scores, int(r))) for r in rows]
    return Batch(picks=tuple(picks), by=by)


def narrowed(ask: Query, rows: NDArray[np.intp] | list[int], size: int) -> Query:
    """The same question over some of the candidates, in the order of `rows`."""
    index = np.asarray(rows, dtype=np.intp)
    return replace(ask, candidates=ask.candidates.take(index), machine=ask.machine[index], size=size)


def require(ask: Query, needs: frozenset[Need], name: str, place: str = "") -> None:
    """Raises BadInput where the question lacks one of `needs`, before anything is spent on it.

    Args:
        place: where the strategy stands, as ` of round 2`.
    """
    lacking: list[Need] = [need for need in NEEDED if need in needs and not _has(ask, need)]
    if lacking:
        words, remedies = zip(*(NEEDED[need] for need in lacking), strict=True)
        what = f"the strategy {name!r}{place} needs {' and '.join(words)}, which this step does not have"
        raise BadInput(what, "; ".join(dict.fromkeys(remedies)))


def prediction(ask: Query, name: str) -> Floats:
    """(candidates, classes): what the student says. Raises BadInput where there is none yet."""
    return student(ask, name).predict(ask.candidates)


def student(ask: Query, name: str) -> Student:
    require(ask, STUDENT, name)
    assert ask.student is not None
    return ask.student


def features(ask: Query, texts: Columns, source: str, name: str) -> Floats:
    """(texts, d), rows of unit length, from the frozen encoder or from the student."""
    if source == "student":
        return student(ask, name).embed(texts)
    require(ask, EMBEDDINGS, name)
    assert ask.embed is not None
    return ask.embed.embed(texts)


def _has(ask: Query, need: Need) -> bool:
    match need:
        case "student":
            return ask.student is not None
        case "samples":
            return isinstance(ask.student, Sampler)
        case "chat":
            return ask.chat is not None
        case "embeddings":
            return ask.embed is not None
        case "labelled":
            return len(ask.labelled) > 0
        case "machine":
            return not np.isnan(ask.machine).all()


def _score(scores: Floats | None, row: int) -> float | None:
    return None if scores is None or np.isnan(scores[row]) else float(scores[row])
