"""The lines under a comparison's table: how the LLM chose and labelled, and what was turned down of its texts."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from evaluation.records import Cell, Comparison, RunSummary


def asides(report: Comparison) -> str:
    """How the LLM chose and how it labelled, in lines; the report has the pictures.

    Students of an arm that chooses without them share its lists and texts, which are counted once: with the first.
    """
    lines = chosen([cell for cell in report.cells if cell.student in report.students[:1]])
    if (labels := report.labels) is not None:
        lines.append(
            f"LLM labels: {labels.accuracy:.1%} of {labels.n} right ({labels.raw_accuracy:.1%} before calibration), "
            f"{labels.abstained} abstentions; seed {report.cells[0].seed}"
        )
        lines += [
            f"  {name}: {', '.join(f'{n} called {said}' for said, n in zip(report.classes, row, strict=True))}"
            for name, row in zip(report.classes, labels.confusion, strict=True)
        ]
    return "\n".join(lines)


def chosen(made: Sequence[Cell | RunSummary]) -> list[str]:
    """How the LLM chose and what was turned down of what it wrote; nothing where it was not asked."""
    lines: list[str] = []
    counts: Counter[str] = Counter()
    for each in made:
        counts.update({name: int(count) for name, count in each.notes.items()})
    filled = [each.filled_share for each in made if each.filled_share is not None]
    quartiles = [each.quartiles for each in made if each.quartiles is not None]
    if filled:
        shares = ", ".join(f"{share:.0%}" for share in np.mean(quartiles, axis=0)) if quartiles else "–"
        by = f"LLM picks by quarter of the list, first to last: {shares}"
        lines.append(f"{by}; filled by the fallback: {np.mean(filled):.0%}")
    asked = counts["lists"] + counts["asked_again"]
    if asked and not counts["chosen"]:
        lines.append(f"not one of {asked} lists got a reply with a choice that could be read: the fallback chose all")
    elif asked:
        lines.append(f"lists: {asked} shown, {counts['refused']} with a reply that was no choice")
    if counts["read"]:
        none = f"; no label to speak of: {counts['unread']}" if counts["unread"] else ""
        lines.append(f"texts that the LLM read so that a strategy could choose, all rounds: {counts['read']}{none}")
    if counts["rejected"] or counts["unwritten"]:
        none = f"; requests that brought none: {counts['unwritten']}" if counts["unwritten"] else ""
        lines.append(f"generated texts that were rejected: {counts['rejected']}{none}")
    return lines
