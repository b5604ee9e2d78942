"""Contrasts in sentences. What was named before the run is tested; all else is descriptive, and each line says so."""

import math
from collections.abc import Sequence

from evaluation.axes import WORDS
from evaluation.contrasts import ALPHA, At, Contrast, MeasureSpec, Result, Side, Verdict
from evaluation.findings import counted, p_value, points
from evaluation.shuffles import Effect, disagreeing, least_p

COVERS = "95 % intervals cover other shuffles of these pools, measured on these test sets; not other texts."
_METRICS = {"accuracy": "accuracy", "macro_f1": "macro-F1"}
_VERDICTS: dict[Verdict, str] = {
    "gain": "a gain",
    "loss": "a loss",
    "none": "no evidence of a gain",
    "unknown": "undefined: too few shuffles, or a value is missing",
}


def told(found: Sequence[Result]) -> tuple[str, ...]:
    """The named contrasts, one line each with its data sets under it, and what their intervals cover."""
    if not found:
        return ("No contrast was named before the run: everything is descriptive.",)
    many = f"{len(found)} contrasts were" if len(found) > 1 else "1 contrast was"
    corrected = "; p is corrected for their number (Holm)" if len(found) > 1 else ""
    lines = [f"{many} named before the run{corrected}. {COVERS}"]
    for result in found:
        lines.append(_line(result, len(found)))
        if len(result.by_set) > 1:
            lines += [f"  {name}: {points(there)}, {_shuffles(there)} (descriptive)" for name, there in result.by_set]
    return tuple(lines)


def named(contrast: Contrast) -> str:
    """`agent - random (bert), mean accuracy over human labels`."""
    return f"{sides(*contrast.sides)}, {of(contrast.measure)}"


def sides(a: Side, b: Side) -> str:
    """`agent - random (bert)`, or `agent (bert) - agent (svm)`."""
    one, other = a[1] or "LLM itself", b[1] or "LLM itself"
    return f"{a[0]} - {b[0]} ({one})" if one == other else f"{a[0]} ({one}) - {b[0]} ({other})"


def of(measure: MeasureSpec) -> str:
    """What is measured, in words."""
    metric, over = _METRICS[measure.metric], WORDS[measure.axis]
    if isinstance(measure, At):
        return f"{metric} at the budget" if measure.amount is None else f"{metric} at {measure.amount:g} {over}"
    if measure.low is None and measure.high is None:
        return f"mean {metric} over {over}"
    ends = ["the start" if measure.low is None else f"{measure.low:g}", "the end"]
    return f"mean {metric} from {ends[0]} to {ends[1] if measure.high is None else f'{measure.high:g}'} {over}"


def _line(result: Result, tests: int) -> str:
    found = result.overall
    p = "" if math.isnan(result.p) else f", p {p_value(result.p)}"
    left_out = f", {result.unpaired} left out that only one arm has" if result.unpaired else ""
    fallbacks = f"chosen by a fallback: {', '.join(result.by_fallback)}" if result.by_fallback else ""
    words = "; ".join(filter(None, [_verdict(result, tests), disagreeing(result.by_set), fallbacks]))
    return f"{named(result.contrast)}: {points(found)}{p}, {_shuffles(found)}{left_out}; {words}."


def _verdict(result: Result, tests: int) -> str:
    found, words = result.overall, _VERDICTS[result.verdict]
    if result.verdict == "unknown":
        return words
    if math.isnan(found.low):
        return f"{words}; {_no_interval(result)}"
    beyond = found.low > 0 or found.high < 0
    # Interval and test are near twins, and may still part at the edge.
    if result.verdict in ("gain", "loss"):
        return words if beyond else f"{words}, at the edge: the interval holds 0"
    if (least := least_p(found.n, tests)) >= ALPHA:
        return f"{words}; {found.n} shuffles are too few to show one, with no corrected p below {least:.3f}"
    if found.p < ALPHA:
        return f"{words} once corrected for the number of contrasts"
    return f"{words}, at the edge: the interval leaves 0 out" if beyond else words


def _no_interval(result: Result) -> str:
    alone = [name for name, there in result.by_set if there.n == 1]
    if not alone:
        return "no interval, since no shuffle differs from another"
    # Nothing says then how far shuffles of that set lie apart, and the test compares plain means.
    of_many = f" of {', '.join(alone)}" if result.overall.sets > 1 else ""
    return f"no interval, since there is a single shuffle{of_many}"


def _shuffles(found: Effect) -> str:
    count = counted(found.n, "shuffle")
    by_t = ", by Student's t" if found.method == "student-t" else ""
    return f"{count} of {found.sets} data sets{by_t}" if found.sets > 1 else f"{count}{by_t}"
