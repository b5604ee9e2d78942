"""How the LLM chose, over a study: whether it read its lists, whether it counts, what it took, what a pick cost."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from agent.domain import Batch
from agent.query.diagnose import class_shares, own_ids, price, progressions, replies, shared
from evaluation.findings import filled_share
from evaluation.overall import Overall
from evaluation.records import Cell, Choosing
from evaluation.table import Sheet, beside, count

LEGEND = (
    "By quarter: percent of the LLM's own picks from each quarter of its lists, first to last; 25 each where order "
    "means nothing. In rows: lists whose picks stand in an arithmetic progression, beside the share that random picks "
    "would have. No answer, wrong number: shares of lists. Unknown, repeated: for each pick. Overlap: Jaccard of its "
    "own picks in two shuffles of a set, mean over pairs of shuffles and sets, beside that of random picks from the "
    "pool: of lists that another strategy narrowed before it is above that whoever chooses."
)
_HEAD = (
    "arm",
    "student",
    "filled",
    "by quarter",
    "in rows (chance)",
    "no answer",
    "wrong number",
    "unknown",
    "repeated",
    "overlap (chance)",
    "tokens/pick",
    "s/pick",
)


def choosing(batches: Sequence[Batch], gold: Mapping[str, str], names: Sequence[str]) -> Choosing:
    """Of the batches of one run that an LLM selector chose."""
    rows, said, cost = progressions(batches), replies(batches), price(batches)
    return Choosing(
        progressions=rows.share,
        by_chance=rows.chance,
        refused=said.refused + said.failed,
        miscounted=said.miscounted,
        unknown=said.unknown,
        repeated=said.repeated,
        classes=class_shares(batches, gold, names),
        tokens=cost.tokens,
        seconds=cost.seconds,
        own=tuple(sorted(own_ids(batches))),
    )


def sheet(overall: Overall) -> Sheet:
    """A row for each arm and student whose texts the LLM chose; none where it was asked nowhere."""
    return Sheet(_HEAD, tuple(_row(overall, *pair) for pair in overall.pairs if _known(overall.cells(*pair))), left=2)


def classes(overall: Overall, name: str) -> Sheet:
    """Shares of the LLM's own picks by gold label, beside those of the pool; a row for each arm and student."""
    one = overall.sets[name]
    labels, total = one.split.pool_labels if one.split else {}, sum(one.split.pool_labels.values()) if one.split else 0
    rows = [("pool", "", *(_percent(labels.get(each, 0) / total if total else math.nan) for each in one.classes))]
    for arm, student in overall.pairs:
        found = [each.classes for each in _known(one.of(arm, student)) if each.classes]
        if found:
            shares = [_mean([each.get(label, math.nan) for each in found]) for label in one.classes]
            rows.append((arm, student, *map(_percent, shares)))
    return Sheet(("picks of", "student", *one.classes), tuple(rows[: len(rows) if len(rows) > 1 else 0]), left=2)


def told(overall: Overall) -> list[str]:
    """Both tables for a terminal, with what their words mean; empty where the LLM was asked nowhere."""
    if not (found := sheet(overall)).rows:
        return []
    lines = ["How the LLM chose", "", *found.lines, "", LEGEND]
    for name in overall.sets:
        if balance := classes(overall, name).lines:
            lines += ["", f"{name}: the LLM's own picks by gold label", "", *balance]
    return [*lines, ""]


def overlaps(overall: Overall, arm: str, student: str) -> tuple[float, float]:
    """Jaccard of two shuffles and its chance, mean over pairs of shuffles and over sets; nan with a single shuffle."""
    found = [
        shared(frozenset(a.own), frozenset(b.own), one.pool_size)
        for one in overall.comparisons
        for a, b in combinations(_known(one.of(arm, student)), 2)
    ]
    return _mean([each.jaccard for each in found]), _mean([each.chance for each in found])


def _row(overall: Overall, arm: str, student: str) -> tuple[str, ...]:
    cells = overall.cells(arm, student)
    known, (jaccard, chance) = _known(cells), overlaps(overall, arm, student)

    def of(what: str) -> float:
        return _mean([getattr(each, what) for each in known])

    return (
        arm,
        student,
        _percent(filled_share(cells)),
        _quarters(cells),
        beside(of("progressions"), of("by_chance")),
        _percent(of("refused")),
        _percent(of("miscounted")),
        _number(of("unknown")),
        _number(of("repeated")),
        beside(jaccard, chance, places=3),
        count(of("tokens")),
        _number(of("seconds")),
    )


def _quarters(cells: Sequence[Cell]) -> str:
    found = [each.quartiles for each in cells if each.quartiles is not None]
    return " / ".join(f"{100 * share:.0f}" for share in np.mean(found, axis=0)) if found else "–"


def _known(cells: Sequence[Cell]) -> list[Choosing]:
    return [cell.choosing for cell in cells if cell.choosing is not None]


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.0f} %"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"
