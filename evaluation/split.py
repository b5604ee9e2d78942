"""Cleaning and splitting: no copies, nothing of the test part in the pool, and a count of everything taken out."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from agent.errors import BadInput
from evaluation.copies import Copies, Leaks, deduplicate, fold, guard, without_exact
from evaluation.datasets import NEAR, DataCard, Fetcher, Row, load
from evaluation.sources import Origin
from prompts.messages import Frozen

__all__ = ["NEAR", "Split", "SplitReport", "deduplicate", "fold", "guard", "part_of", "prepare", "split"]

Part = Literal["development", "release"]
DEVELOPMENT_TENTHS = 4
TEST_SHARE = 5
"""One row in so many is for the test part where there is no official one and no size is asked for."""


class SplitReport(Frozen):
    """What cleaning and splitting did, in rows."""

    source: int
    """Rows read."""
    part: str = ""
    """Which part of the groups was used; empty: all."""
    other_part: int = 0
    """Left out because their group belongs to the other part."""
    other_copies: int | None = None
    """Of these, copies or near copies of a text of pool or test: whoever looked at the other part has seen as much. The
    parts are told apart by group, else by id, and not by text. None: not counted, as in older records."""
    official: bool = False
    """Whether pool and test are of the data set's own parts; otherwise they were drawn from all rows."""
    contradictory: int = 0
    """Taken out because the same text bears different labels. With an official split, of the training part."""
    exact: int = 0
    """Taken out as copies, apart from case, punctuation and white space, of an earlier row. The same."""
    near: int = 0
    """Taken out because their word set is nearly an earlier row's. The same."""
    test_contradictory: int = 0
    """Taken out of the official test part because the same text bears different labels there."""
    test_exact: int = 0
    """Taken out of the official test part as copies of an earlier row. Its near copies stay, as published."""
    leaked_text: int = 0
    """Taken out of the pool part because they are copies or near copies of a text in the test part."""
    leaked_group: int = 0
    """Taken out of the pool part because their group (such as the film) is in the test part."""
    near_threshold: float | None = Field(default=NEAR, gt=0.0, le=1.0)
    """Jaccard similarity of near copies; None: near copies were not looked for, and punctuation counts."""
    pool: int = 0
    test: int = 0
    pool_labels: dict[str, int] = {}
    test_labels: dict[str, int] = {}
    absent: tuple[str, ...] = ()
    """Labels of the card of which the pool holds no row."""
    seed: int = 0
    origin: Origin | None = None
    """Where the rows came from."""


class Split(Frozen):
    """Rows of both parts, in random order."""

    pool: tuple[Row, ...]
    test: tuple[Row, ...]
    report: SplitReport


def part_of(row: Row) -> Part:
    """By a hash of the row's group (of its id where it has none): four tenths are for development, for good."""
    digest = hashlib.sha256(_group(row).encode()).digest()
    return "development" if digest[0] % 10 < DEVELOPMENT_TENTHS else "release"


def prepare(
    card: DataCard,
    fetcher: Fetcher,
    *,
    pool: int | None = 1000,
    test: int | None = 1000,
    seed: int = 0,
    part: Part | None = None,
) -> Split:
    """Fetches, reads, cleans and splits a data set; the report says where the rows came from and what was taken out.

    Raises:
        BadInput: as `load` and `split`.
    """
    found = load(card, fetcher)
    made = split(card, found.rows, pool=pool, test=test, seed=seed, part=part)
    return made.model_copy(update={"report": made.report.model_copy(update={"origin": found.origin})})


def split(
    card: DataCard,
    rows: Sequence[Row],
    *,
    pool: int | None = 1000,
    test: int | None = 1000,
    seed: int = 0,
    part: Part | None = None,
) -> Split:
    """Draws a test part and a pool that share no text, no near copy of a text and no group.

    Where rows belong to an official test part, the test part is drawn from those and the pool from the others.
    Contradictory texts and copies go from both, near copies from the pool, and what is in the official test part goes
    from the pool whether it was drawn or not, so that the rows that a pool is drawn from depend on no seed.

    Otherwise all rows are cleaned first: contradictory texts, copies and near copies go. Then whole groups are drawn at
    random for the test part until it holds enough rows, and the rest is the pool. Label shares are the data's own.

    Args:
        pool: rows of the pool; None: all that are left.
        test: rows of the test part; None: all of the official one, or a fifth of the rows where there is none.
        part: only rows of it are used (of both where it is None): what prompts, thresholds and sizes are chosen on is
            `development`, what results are reported on is `release`. Each is cleaned and guarded by itself; texts that
            the other one has a copy of are counted.

    Raises:
        BadInput: too few rows are left for the sizes asked for.
    """
    rng = np.random.default_rng(seed)
    used = [row for row in rows if part is None or part_of(row) == part]
    official = any(row.side == "test" for row in used)
    tested, rest, found = (_official if official else _drawn)(card, used, test, rng)
    if len(tested) < (test or 1) or len(rest) < (pool or 1):
        raise BadInput(
            f"{card.name!r} has {len(rest)} rows for a pool of {pool or 'any size'} and {len(tested)} for a test part "
            f"of {test or 'any size'} after cleaning, without shared groups",
            "ask for less",
        )
    pooled = _sample(rest, pool, rng)
    labels = _count(pooled)
    report = SplitReport(
        source=len(rows),
        part=part or "",
        other_part=len(rows) - len(used),
        other_copies=_other_copies(card, rows, (*pooled, *tested), part),
        official=official,
        near_threshold=card.near,
        pool=len(pooled),
        test=len(tested),
        pool_labels=labels,
        test_labels=_count(tested),
        absent=tuple(label.name for label in card.labels if label.name not in labels),
        seed=seed,
    )
    return Split(pool=pooled, test=tested, report=report.model_copy(update=found))


def _other_copies(card: DataCard, rows: Sequence[Row], kept: Sequence[Row], part: Part | None) -> int:
    others = [] if part is None else [row for row in rows if part_of(row) != part]
    return guard(others, kept, card.near)[1].leaked_text if others else 0


_Parts = tuple[tuple[Row, ...], tuple[Row, ...], dict[str, int]]
"""The test part, the rows that the pool is drawn from, and what was taken out."""


def _official(card: DataCard, rows: Sequence[Row], test: int | None, rng: np.random.Generator) -> _Parts:
    clean, removed = deduplicate([row for row in rows if row.side != "test"], card.near)
    published, gone = without_exact([row for row in rows if row.side == "test"], card.near)
    rest, leaks = guard(clean, published, card.near)
    of_test = {"test_contradictory": gone.contradictory, "test_exact": gone.exact}
    return _sample(published, test, rng), rest, _counts(removed, leaks) | of_test


def _drawn(card: DataCard, rows: Sequence[Row], test: int | None, rng: np.random.Generator) -> _Parts:
    clean, removed = deduplicate(rows, card.near)
    wanted = len(clean) // TEST_SHARE if test is None else test
    chosen = _groups(clean, wanted, rng)
    tested = _sample([row for row in clean if _group(row) in chosen], wanted, rng)
    rest, leaks = guard([row for row in clean if _group(row) not in chosen], tested, card.near)
    return tested, rest, _counts(removed, leaks)


def _counts(removed: Copies, leaks: Leaks) -> dict[str, int]:
    return {**removed.model_dump(), **leaks.model_dump()}


def _group(row: Row) -> str:
    return row.group or row.id


def _groups(rows: Sequence[Row], wanted: int, rng: np.random.Generator) -> set[str]:
    """Groups in random order until they hold `wanted` rows."""
    sizes = Counter(_group(row) for row in rows)
    names = sorted(sizes)
    chosen: set[str] = set()
    held = 0
    for i in rng.permutation(len(names)):
        if held >= wanted:
            break
        chosen.add(names[i])
        held += sizes[names[i]]
    return chosen


def _sample(rows: Sequence[Row], wanted: int | None, rng: np.random.Generator) -> tuple[Row, ...]:
    return tuple(rows[i] for i in rng.permutation(len(rows))[:wanted])


def _count(rows: Iterable[Row]) -> dict[str, int]:
    return dict(sorted(Counter(row.label for row in rows).items()))
