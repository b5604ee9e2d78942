"""The critical-difference picture of Demšar (2006): mean ranks on a line, bars over arms that are not told apart."""

from collections.abc import Iterator

from evaluation import svg
from evaluation.ranks import Ranks
from evaluation.svg import Scale

_FAINT = "stroke:currentColor;stroke-opacity:0.45;stroke-width:1"
_BAR = "stroke:currentColor;stroke-width:4;stroke-linecap:round"
_LETTER = 6.8
_STEP, _TOP = 21, 62


def critical_difference_svg(found: Ranks) -> str:
    """Best arms on the left, rank 1 at the left end; the bar above the line is as long as the critical difference."""
    k = len(found.arms)
    side = 26 + _LETTER * max(len(_named(found, i)) for i in range(k))
    width, rows = 2 * side + 300, (k + 1) // 2
    x = Scale(1, k, side, width - side)
    below = _TOP + 16 + 11 * len(found.groups)
    content = [*_line(found, x), *_bars(found, x)]
    for place in range(k):
        left = place < rows
        row = place if left else k - 1 - place
        content += _arm(found, place, x, below + 14 + _STEP * row, left=left, width=width)
    height = below + 14 + _STEP * rows + 16
    content.append(
        svg.text(width / 2, height - 10, _short(found), anchor="middle", size=11.5, extra="fill-opacity:0.72")
    )
    return svg.picture(width, height, found.said, [svg.titled("".join(content), found.said)])


def _line(found: Ranks, x: Scale) -> Iterator[str]:
    """The axis with its ranks, and the critical difference above it."""
    yield svg.line(x.start, _TOP, x.end, _TOP, "stroke:currentColor;stroke-width:1")
    for rank in range(1, len(found.arms) + 1):
        yield svg.line(x(rank), _TOP - 5, x(rank), _TOP, "stroke:currentColor;stroke-width:1")
        yield svg.text(x(rank), _TOP - 13, str(rank), anchor="middle", size=11.5)
    # With few sets it is longer than the axis: it is then cut, and its number says so.
    end = min(1 + found.distance, float(len(found.arms)))
    words = f"critical difference {found.distance:.2f}"
    yield svg.line(x(1), 24, x(end), 24, "stroke:currentColor;stroke-width:1.6")
    yield svg.line(x(1), 20, x(1), 28, "stroke:currentColor;stroke-width:1.6")
    if end == 1 + found.distance:
        yield svg.line(x(end), 20, x(end), 28, "stroke:currentColor;stroke-width:1.6")
    else:
        words = f"{words}, more than the whole line"
    yield svg.text(x(1), 10, words, size=11.5)


def _bars(found: Ranks, x: Scale) -> Iterator[str]:
    for row, (first, last) in enumerate(found.groups):
        y = _TOP + 12 + 11 * row
        yield svg.line(x(found.means[first]) - 3, y, x(found.means[last]) + 3, y, _BAR)


def _arm(found: Ranks, place: int, x: Scale, y: float, *, left: bool, width: float) -> list[str]:
    """A line down from the arm's mean rank and out to its name."""
    at, end = x(found.means[place]), x.start - 8 if left else x.end + 8
    anchor, side = ("end", x.start - 12) if left else ("start", x.end + 12)
    return [
        svg.polyline([(at, _TOP), (at, y), (end, y)], _FAINT),
        svg.text(min(max(side, 4), width - 4), y, _named(found, place), anchor=anchor),
    ]


def _named(found: Ranks, place: int) -> str:
    return f"{found.arms[place]} {found.means[place]:.2f}"


def _short(found: Ranks) -> str:
    if found.evidence:
        return f"{found.sets} data sets; bars join arms that are not told apart"
    return f"{found.sets} data sets; no evidence that the arms differ"
