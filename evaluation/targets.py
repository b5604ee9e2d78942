"""Labels to reach a target, and labels saved, on one data set of a study: in words for a terminal.

Labels are saved on the way to a target that curves reached (`saved`), and forecast beyond the budget (`forecasts`).
"""

import math
from collections.abc import Sequence

from agent.errors import BadInput
from evaluation.contrasts import Contrast, Side
from evaluation.curves import Measure
from evaluation.forecast import Range, backtest, labels_saved
from evaluation.reach import reach, saved
from evaluation.records import Cell, Comparison
from evaluation.table import Sheet
from evaluation.verdicts import sides

TITLE = "Labels of people to reach a target for the first time, median [95 %] over shuffles (descriptive)"
SAVED = "Labels of people saved on the way to a target, difference of the medians [95 %] (descriptive)"
EARLY = "At most: there at the first look, where fewer might have done; a difference is then known from one to another."


def reaches(comparison: Comparison, pairs: Sequence[Side], targets: Sequence[float]) -> list[str]:
    """A line for each arm and student, a column for each target; nothing where no target was named."""
    found = reached(comparison, pairs, targets)
    return ["", f"{TITLE}:", "", *found.lines, *early(found)] if found.rows else []


def early(found: Sheet) -> list[str]:
    """What "at most" means, where a cell says so."""
    return [EARLY] if any("at most" in cell for row in found.rows for cell in row) else []


def reached(comparison: Comparison, pairs: Sequence[Side], targets: Sequence[float]) -> Sheet:
    """A row for each arm and student, a column for each target; no row where no target was named."""
    there = [pair for pair in pairs if comparison.of(*pair) and targets]
    rows = [(*pair, *(str(reach(comparison.of(*pair), target)) for target in targets)) for pair in there]
    return Sheet(("arm", "student", *(f"{target:.0%} accuracy" for target in targets)), tuple(rows), left=2)


def savings(comparison: Comparison, contrasts: Sequence[Contrast], targets: Sequence[float]) -> list[str]:
    """A line for each pair of the named contrasts, a column for each target; nothing where no target was named."""
    found = spared(comparison, contrasts, targets)
    return ["", f"{SAVED}:", "", *found.lines] if found.rows else []


def spared(comparison: Comparison, contrasts: Sequence[Contrast], targets: Sequence[float]) -> Sheet:
    """A row for each pair of the named contrasts, a column for each target: what a saves against b."""
    pairs = dict.fromkeys(each.sides for each in contrasts) if targets else {}
    rows = [(sides(a, b), *(_spared(comparison, a, b, target) for target in targets)) for a, b in pairs]
    return Sheet(("contrast", *(f"{target:.0%} accuracy" for target in targets)), tuple(rows))


def _spared(comparison: Comparison, a: Side, b: Side, target: float) -> str:
    found = saved(_matched(comparison, a, b), _matched(comparison, b, a), target)
    if a[0] == b[0]:
        return found.told(a[1] or "LLM itself", b[1] or "LLM itself")
    return found.told(a[0], b[0])


def _matched(comparison: Comparison, side: Side, other: Side) -> tuple[Cell, ...]:
    """The cells of a side; one that no shuffle changes goes with every shuffle of the other."""
    cells = comparison.of(*side)
    if not cells or not comparison.arm(side[0]).fixed:
        return cells
    return tuple(cells[0].model_copy(update={"seed": cell.seed}) for cell in comparison.of(*other))


def forecasts(comparison: Comparison, contrasts: Sequence[Contrast]) -> list[str]:
    """For each pair of the named contrasts, the labels that b would need more to come where a is; and the back-test.

    What cannot be forecast, or not be tested on held-out rounds, is not given, and the reason is.
    """
    asked: dict[tuple[Side, Side, Measure], None] = {(*each.sides, each.measure.metric): None for each in contrasts}
    lines, tests, refused = list[str](), dict[str, str](), dict[str, list[str]]()
    for a, b, metric in asked:
        try:
            there, curve = _matched(comparison, a, b), _matched(comparison, b, a)
            tested = str(backtest([curve], metric))
            found = labels_saved(there, curve, comparison.budget, metric)
        except BadInput as error:
            refused.setdefault(error.what, []).append(f"{b[0]} ({b[1] or 'LLM itself'})")
        else:
            what = f"{b[0]} would need {_more(found)} labels more to come where {a[0]} is at {comparison.budget}"
            lines.append(f"  {sides(a, b)}, {metric}: {what}{_caution(found)}")
            tests[f"{b[0]} ({b[1]}), {metric}"] = tested
    if lines:
        title = "Labels saved, forecast by a power law of each learning curve (descriptive):"
        lines = ["", title, *lines, *(f"  {curve}: {said}" for curve, said in tests.items())]
    if refused:
        which = "No other labels saved are forecast" if lines else "No labels saved are forecast"
        why = "; ".join(f"{', '.join(dict.fromkeys(curves))}: {what}" for what, curves in refused.items())
        lines += ["", f"{which}. {why}."]
    return lines


def _more(found: Range) -> str:
    return f"{_labels(found.value)} [{_labels(found.low)}, {_labels(found.high)}]"


def _caution(found: Range) -> str:
    return "; no saving is foretold, since fewer or as many may do" if found.low <= 0 else ""


def _labels(value: float) -> str:
    """A law that levels off below gets there at no number of labels."""
    return "endlessly many" if math.isinf(value) else f"{value:.0f}"
