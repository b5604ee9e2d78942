"""Figures about the LLM: is its confidence to be believed, and does it choose by content or by position."""

import math
from collections.abc import Iterator

from evaluation import svg
from evaluation.records import Bin, LabelAudit
from evaluation.svg import Scale

_FAINT = "stroke:currentColor;stroke-opacity:0.16;stroke-width:1"
_DASHED = "stroke:currentColor;stroke-opacity:0.5;stroke-dasharray:4 4"
_QUIET = "fill-opacity:0.72"
_BAR = "fill:var(--llm,#0f766e)"
_LLM = "stroke:var(--llm,#0f766e);stroke-width:2.2"


def reliability(audit: LabelAudit) -> str:
    """Accuracy by confidence bin; the diagonal is perfect calibration, the number of labels stands on each bar."""
    filled = [each for each in audit.bins if each.n]
    if not filled:
        return ""
    width, height = 400.0, 320.0
    low = min(math.floor(each.low * 10) / 10 for each in filled)
    x, y = Scale(low, 1, 46, width - 12), Scale(0, 1, height - 46, 34)
    content = [
        svg.text(46, 12, "Is its confidence right?", size=13, extra="font-weight:600"),
        *_frame(x, y, "confidence, %", "accuracy, %"),
        *(_bar(each, x, y) for each in filled),
        svg.line(x(low), y(low), x(1), y(1), _DASHED),
    ]
    return svg.picture(width, height, "Reliability of the LLM's confidence", content)


def coverage(audit: LabelAudit) -> str:
    """Accuracy among the most confident labels, over the share of labels kept."""
    if len(audit.coverage) < 2:
        return ""
    width, height = 400.0, 320.0
    least = min(accuracy for _, accuracy in audit.coverage)
    x, y = Scale(0, 1, 46, width - 12), Scale(max(0.0, math.floor(least * 10) / 10 - 0.1), 1, height - 46, 34)
    content = [
        svg.text(46, 12, "What is left to people?", size=13, extra="font-weight:600"),
        *_frame(x, y, "share of labels kept, most confident first, %", "accuracy, %"),
        svg.polyline([(x(share), y(accuracy)) for share, accuracy in audit.coverage], _LLM),
    ]
    return svg.picture(width, height, "Accuracy over coverage", content)


def quartiles(shares: tuple[float, float, float, float], name: str) -> str:
    """Picks by quarter of the list that the LLM was shown; the dashed line is what a blind choice gives."""
    width, height = 400.0, 210.0
    x, y = Scale(0, 4, 46, width - 12), Scale(0, max(0.5, *shares), height - 46, 34)
    content = [svg.text(46, 12, name, size=13, extra="font-weight:600"), *_grid(y, "picks, %", width - 12)]
    for i, share in enumerate(shares):
        left = x(i + 0.15)
        content.append(svg.rect(left, y(share), x(i + 0.85) - left, y(0) - y(share), f"{_BAR};fill-opacity:0.45"))
        content.append(svg.text(x(i + 0.5), y(0) - 9, f"{100 * share:.0f}", anchor="middle", size=11.5))
        content.append(svg.text(x(i + 0.5), y(0) + 14, _QUARTERS[i], anchor="middle", size=11.5, extra=_QUIET))
    content.append(svg.line(x(0), y(0.25), x(4), y(0.25), _DASHED))
    content.append(
        svg.text((x(0) + x(4)) / 2, y(0) + 32, "quarter of the list", anchor="middle", size=11.5, extra=_QUIET)
    )
    return svg.picture(width, height, f"Picks of {name} by position", content)


_QUARTERS = ("first", "second", "third", "last")


def _bar(each: Bin, x: Scale, y: Scale) -> str:
    left, right = x(each.low) + 1, x(each.high) - 1
    top = y(each.accuracy)
    # Inside the bar where there is room for the number, above it where there is not.
    inside = y(0) - top > 24
    words = svg.text((left + right) / 2, y(0) - 9 if inside else top - 9, str(each.n), anchor="middle", size=10.5)
    shade = svg.rect(left, top, right - left, y(0) - top, f"{_BAR};fill-opacity:0.45")
    says = f"confidence {100 * each.low:.0f} to {100 * each.high:.0f} %: {100 * each.accuracy:.1f} % of {each.n} right"
    return svg.titled(shade + words, says)


def _frame(x: Scale, y: Scale, below: str, beside: str) -> Iterator[str]:
    yield from _grid(y, beside, x.end)
    for value in svg.ticks(x.low, x.high):
        yield svg.text(x(value), y.start + 14, f"{100 * value:.0f}", anchor="middle", size=11.5, extra=_QUIET)
    yield svg.text((x.start + x.end) / 2, y.start + 32, below, anchor="middle", size=11.5, extra=_QUIET)


def _grid(y: Scale, label: str, right: float) -> Iterator[str]:
    for value in svg.ticks(y.low, y.high):
        yield svg.line(46, y(value), right, y(value), _FAINT)
        yield svg.text(39, y(value), f"{100 * value:.0f}", anchor="end", size=11.5, extra=_QUIET)
    yield svg.text(right, 12, label, anchor="end", size=11.5, extra=_QUIET)
