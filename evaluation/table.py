"""The comparison as plain text for a terminal."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evaluation.curves import Evidence, at
from evaluation.findings import filled_share, findings, headline, percent, shown
from evaluation.records import Arm, Cell, Comparison

_HEAD = ("arm", "student", "human", "machine", "accuracy [95 %]", "macro-F1", "tokens", "LLM s", "filled")


@dataclass(frozen=True)
class Sheet:
    """A table: the same cells in a terminal and on a page."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1
    """The first so many columns are words, the others numbers."""

    @property
    def lines(self) -> list[str]:
        return aligned([self.head, *self.rows], self.left) if self.rows else []


def table(comparison: Comparison) -> str:
    """Every arm with every student at the budget, aligned, and the headline under it.

    Numbers are means over seeds; the interval is that of `evaluation.compare`. A dash is a number that is undefined or
    does not apply. Lines end without a line feed after the last one.
    """
    evidence = Evidence(comparison)
    macro = Evidence(comparison, "macro_f1")
    rows = [
        _row(comparison, evidence, macro, arm, student)
        for student in (*comparison.students, "")
        for arm in comparison.arms
        if comparison.of(arm.name, student)
    ]
    said = headline(comparison, findings(comparison, evidence), evidence)
    seeds = len({cell.seed for cell in comparison.cells})
    note = (
        f"Means over {seeds} seed{'s' if seeds != 1 else ''} at {comparison.budget} human labels; {covers(evidence)}."
    )
    notes = [note, *part_of_test(comparison, evidence)]
    return "\n".join([*aligned([_HEAD, *rows], left=2), "", *notes, "", said.title, *said.sentences])


def covers(evidence: Evidence) -> str:
    """What the printed intervals of this comparison cover."""
    arms = [(cell.arm, cell.student) for cell in evidence.comparison.cells]
    kept = all(evidence.estimate(arm, student).items is not None for arm, student in dict.fromkeys(arms))
    return "95 % intervals cover other seeds and other test items" if kept else "95 % intervals cover other seeds only"


def part_of_test(comparison: Comparison, evidence: Evidence) -> list[str]:
    """A line for each arm that was measured on fewer test items than there are."""
    lines: list[str] = []
    for arm, student in dict.fromkeys((cell.arm, cell.student) for cell in comparison.cells):
        n = evidence.items(arm, student)
        if n is not None and comparison.gold is not None and n < len(comparison.gold):
            name = shown(comparison, comparison.arm(arm), student)
            lines.append(
                f"{name} is measured on {n:,} of {len(comparison.gold):,} test items; differences to it are over those."
            )
    return lines


def aligned(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Rows as lines of equal columns, a rule under the first; the first `left` columns start at the left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def padded(row: Sequence[str]) -> str:
        cells = enumerate(zip(row, widths, strict=True))
        return "  ".join(cell.ljust(width) if i < left else cell.rjust(width) for i, (cell, width) in cells).rstrip()

    return [padded(rows[0]), "  ".join("-" * width for width in widths), *map(padded, rows[1:])]


def mean(cells: Sequence[Cell], value: Callable[[Cell], float]) -> float:
    """Mean over the cells; nan where there are none."""
    return sum(map(value, cells)) / len(cells) if cells else math.nan


def count(value: float) -> str:
    """`1,234`, or a dash for an undefined number."""
    return "–" if math.isnan(value) else f"{value:,.0f}"


def beside(value: float, chance: float, places: int = 2) -> str:
    """`0.50 (0.12)`: a number beside its expectation by chance, or a dash."""
    return "–" if math.isnan(value) else f"{value:.{places}f} ({chance:.{places}f})"


def _row(comparison: Comparison, evidence: Evidence, macro: Evidence, arm: Arm, student: str) -> tuple[str, ...]:
    cells = comparison.of(arm.name, student)
    f1 = macro.mean(arm.name, student)
    filled = filled_share(cells)
    return (
        shown(comparison, arm, student),
        student or "(LLM itself)",
        count(used(cells, comparison.budget, "human_labels")),
        count(used(cells, comparison.budget, "machine_labels")),
        percent(evidence.estimate(arm.name, student)),
        "–" if math.isnan(f1) else f"{100 * f1:.1f} %",
        count(mean(cells, lambda cell: cell.cost.tokens_in + cell.cost.tokens_out)),
        count(mean(cells, lambda cell: cell.cost.seconds)),
        "–" if math.isnan(filled) else f"{100 * filled:.0f} %",
    )


def used(cells: Sequence[Cell], budget: int, what: str) -> float:
    """Mean over seeds of a count at the budget, such as `machine_labels`; nan where a cell has no point yet."""
    points = [at(cell, budget) for cell in cells]
    reached = [getattr(point, what) for point in points if point is not None]
    return sum(reached) / len(reached) if reached and len(reached) == len(points) else math.nan
