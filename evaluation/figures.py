"""The figures of a comparison as SVG. They inherit the page's ink and take colours from its variables."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

from evaluation import svg
from evaluation.compare import Estimate
from evaluation.curves import Evidence, Height, at
from evaluation.findings import percent, points, shown
from evaluation.palette import Ink, palette
from evaluation.records import Arm, Comparison
from evaluation.shuffles import Effect
from evaluation.svg import Scale

_FAINT = "stroke:currentColor;stroke-opacity:0.16;stroke-width:1"
_QUIET = "fill-opacity:0.72"
_LETTER = 6.5
LONGEST = 30
_WIDEST = 66
_EFFECT = "#0f766e"
_MARGIN = 0.1
"""How far beyond the means a picture goes for the sake of their intervals."""

Line = tuple[Arm, str, tuple[Height, ...]]
"""An arm, its printed name and its curve."""
Final = tuple[Arm, str, Estimate | Effect, list[float]]
"""An arm, its printed name, what it reached, and the single values behind that."""


def learning_curves_svg(comparison: Comparison, *, standalone: bool = True) -> str:
    """Learning curves of every student side by side in one picture, on white unless a page holds it."""
    evidence = Evidence(comparison)
    panels = [learning_curves(comparison, evidence, student) for student in comparison.students]
    width, height = 520, 360
    placed = [panel.replace("<svg ", f'<svg x="{i * width}" y="0" ', 1) for i, panel in enumerate(panels) if panel]
    label = f"Learning curves on {comparison.task}"
    return svg.picture(width * max(len(placed), 1), height, label, placed, standalone=standalone)


def learning_curves(comparison: Comparison, evidence: Evidence, student: str) -> str:
    """Mean accuracy over human labels for every arm with that student; empty where there is nothing to draw.

    Bands are the 95 % intervals of the arm under test and its controls. An arm measured at one number of human labels
    only is drawn level from there. The LLM's own labels, which have no student, are in every student's picture.
    """
    lines = list(_lines(comparison, evidence, student))
    banded = [arm.name for arm in comparison.arms if arm.role in ("agent", "control")]
    return curves(
        student, f"Learning curves with {student}", lines, palette(comparison.arms), comparison.budget, banded
    )


def curves(
    title: str,
    label: str,
    lines: Sequence[Line],
    inks: Mapping[str, Ink],
    end: float,
    banded: Collection[str] = (),
    over: str = "human labels",
) -> str:
    """Curves with their names at their ends; empty where there is nothing to draw.

    Args:
        end: where the axis ends at least; a curve stays level after its last point.
        banded: arms whose 95 % intervals are drawn.
        over: what the horizontal axis counts.
    """
    if not lines:
        return ""
    width, height = 520.0, max(360.0, 90.0 + 15 * len(lines))
    ends = [f"{name} {100 * curve[-1].value.mean:.1f}" for _, name, curve in lines]
    right = width - 12 - min(_LETTER * max(map(len, ends)) + 10, 232)
    x = Scale(min(curve[0].labels for _, _, curve in lines), max(end, 1), 46, right)
    y = Scale(*_range(lines, banded), height - 46, 34)
    content = [
        svg.text(46, 14, title, size=14, extra="font-weight:600"),
        *_axes(x, y, over, "accuracy, %"),
        *(_band(curve, inks[arm.name], x, y) for arm, _, curve in lines if arm.name in banded),
        *(_stroke(name, curve, inks[arm.name], x, y) for arm, name, curve in lines),
    ]
    places = svg.spread([y(curve[-1].value.mean) for _, _, curve in lines], 15, 30, height - 48)
    for (arm, _, curve), words, place in zip(lines, ends, places, strict=True):
        ink = inks[arm.name]
        weight = ";font-weight:600" if arm.role == "agent" else ""
        content.append(
            svg.line(right + 3, y(curve[-1].value.mean), right + 11, place, f"stroke:{ink.colour};opacity:0.5")
        )
        content.append(svg.text(right + 14, place, words, size=11.5, extra=f"fill:{ink.colour}{weight}"))
    return svg.picture(width, height, label, content)


def dot_plot(comparison: Comparison, evidence: Evidence, student: str) -> str:
    """Accuracy at the budget by arm, best first: mean (dot), 95 % interval (bar) and each seed (ticks)."""
    label = f"Accuracy at the budget with {student}"
    return dots(student, label, list(_finals(comparison, evidence, student)), palette(comparison.arms), "seeds")


def dots(title: str, label: str, finals: Sequence[Final], inks: Mapping[str, Ink], single: str) -> str:
    """A row for each arm, best first: mean (dot), 95 % interval (bar), single values (ticks); empty where no row is.

    Args:
        single: what a tick is one of, in the plural.
    """
    rows = sorted(finals, key=lambda row: -row[2].mean)
    if not rows:
        return ""
    left = 18 + _LETTER * max(len(name) for _, name, _, _ in rows)
    width, height, step = 520.0, 94.0 + 27 * len(rows), 27
    known = [v for _, _, e, seeds in rows for v in (e.mean, e.low, e.high, *seeds) if not math.isnan(v)]
    x = Scale(*_rounded(min(known), max(known)), left, width - 62)
    content = [svg.text(6, 14, title, size=14, extra="font-weight:600"), *_below(x, 30, height - 62, "accuracy, %")]
    content.append(svg.text(6, height - 6, f"dot: mean; bar: 95 % interval; ticks: single {single}", size=11))
    for i, (arm, name, value, seeds) in enumerate(rows):
        ink, middle = inks[arm.name], 44 + i * step
        marks = [
            svg.line(x(v), middle - 6, x(v), middle + 6, f"stroke:{ink.colour};opacity:0.55")
            for v in seeds
            if not math.isnan(v)
        ]
        if not math.isnan(value.low):
            low, high = x(max(value.low, x.low)), x(min(value.high, x.high))
            marks.append(svg.line(low, middle, high, middle, f"stroke:{ink.colour};stroke-width:2"))
        marks.append(svg.circle(x(value.mean), middle, 5 if arm.role == "agent" else 4, f"fill:{ink.colour}"))
        weight = "font-weight:600" if arm.role == "agent" else ""
        content.append(svg.text(left - 10, middle, name, anchor="end", size=11.5, extra=weight))
        content.append(svg.titled("".join(marks), f"{name}: {percent(value)}"))
        content.append(svg.text(width - 8, middle, f"{100 * value.mean:.1f}", anchor="end", extra=weight))
    return svg.picture(width, height, label, content)


def forest(title: str, label: str, rows: Sequence[tuple[str, Effect, bool]]) -> str:
    """Effects in points around 0, a row each: filled where it was named before the run, open where it is descriptive.

    Effects without a value have no row; empty where none has one.
    """
    known = [row for row in rows if not math.isnan(row[1].mean)]
    if not known:
        return ""
    width, height, step = 520.0, 84.0 + 38 * len(known), 38
    reach = 1.05 * max(0.01, *(abs(v) for _, e, _ in known for v in (e.mean, e.low, e.high) if not math.isnan(v)))
    x = Scale(-reach, reach, 14, width - 62)
    content = [svg.text(6, 14, title, size=14, extra="font-weight:600"), *_below(x, 30, height - 46, "points")]
    content.append(svg.line(x(0), 30, x(0), height - 46, "stroke:currentColor;stroke-opacity:0.7"))
    for i, (name, value, tested) in enumerate(known):
        middle, ink, weight = 62 + i * step, f"var(--llm,{_EFFECT})", "font-weight:600" if tested else ""
        marks: list[str] = []
        if not math.isnan(value.low):
            marks.append(svg.line(x(value.low), middle, x(value.high), middle, f"stroke:{ink};stroke-width:2"))
        fill = ink if tested else "var(--ground,#fff)"
        marks.append(svg.circle(x(value.mean), middle, 4.5, f"fill:{fill};stroke:{ink};stroke-width:1.8"))
        # The name stands on its own line, on ground of its own, since it may be long and cross the axis.
        words = short(name, _WIDEST)
        content.append(svg.rect(12, middle - 25, _LETTER * len(words) + 8, 15, "fill:var(--ground,#fff)"))
        content.append(svg.text(14, middle - 17, words, size=11.5, extra=weight))
        content.append(svg.titled("".join(marks), f"{name}: {points(value)}"))
        content.append(svg.text(width - 8, middle, f"{100 * value.mean:+.1f}", anchor="end", extra=weight))
    return svg.picture(width, height, label, content)


def _lines(comparison: Comparison, evidence: Evidence, student: str) -> Iterator[Line]:
    for arm in comparison.arms:
        for theirs in (student, ""):
            heights = evidence.curve(arm.name, theirs) if comparison.of(arm.name, theirs) else ()
            known = tuple(height for height in heights if not math.isnan(height.value.mean))
            if known:
                yield arm, short(shown(comparison, arm, theirs)), known
                break


def _finals(comparison: Comparison, evidence: Evidence, student: str) -> Iterator[Final]:
    """The estimate of each arm at the budget, and the value of each seed."""
    for arm in comparison.arms:
        theirs = student if comparison.of(arm.name, student) else ""
        value = evidence.estimate(arm.name, theirs)
        if not math.isnan(value.mean):
            points = [at(cell, comparison.budget) for cell in comparison.of(arm.name, theirs)]
            seeds = [point.accuracy for point in points if point is not None]
            yield arm, short(shown(comparison, arm, theirs)), value, seeds


def _range(lines: Sequence[Line], banded: Collection[str]) -> tuple[float, float]:
    values = [height.value for _, _, curve in lines for height in curve]
    wide = [h.value for arm, _, curve in lines if arm.name in banded for h in curve]
    means = [v.mean for v in values]
    # Of very few shuffles intervals may be wider than the whole axis, and would flatten every curve.
    low, high = min(means) - _MARGIN, max(means) + _MARGIN
    known = [min(max(v, low), high) for e in wide for v in (e.low, e.high) if not math.isnan(v)]
    return _rounded(min([*means, *known]), max([*means, *known]))


def _rounded(low: float, high: float) -> tuple[float, float]:
    """Out to the next multiple of 5 %, within 0 to 1, and at least 10 % wide."""
    low, high = math.floor(low * 20 + 1e-9) / 20, math.ceil(high * 20 - 1e-9) / 20
    low, high = max(0.0, low), min(1.0, high)
    return (low, high) if high - low >= 0.1 else (max(0.0, min(low, 0.9)), min(1.0, low + 0.1))


def _axes(x: Scale, y: Scale, below: str, beside: str) -> Iterator[str]:
    for value in svg.ticks(y.low, y.high):
        yield svg.line(x.start, y(value), x.end, y(value), _FAINT)
        yield svg.text(x.start - 7, y(value), f"{100 * value:.0f}", anchor="end", size=11.5, extra=_QUIET)
    yield svg.text(x.end, y.end - 14, beside, anchor="end", size=11.5, extra=_QUIET)
    yield from _below(x, y.end, y.start, below, percentage=False)


def _below(x: Scale, top: float, bottom: float, label: str, *, percentage: bool = True) -> Iterator[str]:
    """The horizontal axis: ticks with their numbers, and what they count."""
    marks = svg.ticks(x.low, x.high)
    if not percentage:
        # The budget is where arms are compared, so it is always named; a round number too close to it gives way.
        room = {mark: _LETTER * (len(_count(mark)) + len(_count(x.high)) + 2) / 2 for mark in marks}
        marks = (*(mark for mark in marks if x.end - x(mark) > room[mark]), x.high)
    for value in marks:
        if percentage:
            yield svg.line(x(value), top, x(value), bottom, _FAINT)
        shown_value = f"{100 * value:g}" if percentage else _count(value)
        yield svg.text(x(value), bottom + 14, shown_value, anchor="middle", size=11.5, extra=_QUIET)
    yield svg.text((x.start + x.end) / 2, bottom + 31, label, anchor="middle", size=11.5, extra=_QUIET)


def _band(curve: Sequence[Height], ink: Ink, x: Scale, y: Scale) -> str:
    known = [height for height in curve if not math.isnan(height.value.low)]
    if len(known) < 2:
        return ""
    upper = [(x(height.labels), y(_within(height.value.high, y))) for height in known]
    lower = [(x(height.labels), y(_within(height.value.low, y))) for height in reversed(known)]
    return svg.polygon([*upper, *lower], f"fill:{ink.colour};fill-opacity:0.11")


def _count(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _within(value: float, y: Scale) -> float:
    return min(max(value, y.low), y.high)


def _stroke(name: str, curve: Sequence[Height], ink: Ink, x: Scale, y: Scale) -> str:
    places = [(x(height.labels), y(height.value.mean)) for height in curve]
    run = [*places, (x.end, places[-1][1])]
    dots = [svg.circle(px, py, ink.width + 0.9, f"fill:{ink.colour}") for px, py in places]
    return svg.titled(svg.polyline(run, ink.stroke()) + "".join(dots), f"{name}: {percent(curve[-1].value)}")


def short(name: str, longest: int = LONGEST) -> str:
    """The name, cut where it is too long for a picture."""
    return name if len(name) <= longest else name[: longest - 1].rstrip() + "…"
