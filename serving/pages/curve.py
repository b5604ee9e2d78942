"""Learning curves as shapes: the student's, and where a scout serves the rounds, the scout's."""

import math
from typing import NamedTuple

from evaluation.records import Point

LEFT, RIGHT, TOP, BOTTOM = 76.0, 620.0, 16.0, 216.0


class Spot(NamedTuple):
    x: float
    y: float
    text: str = ""


class Line(NamedTuple):
    """One student's measurements, in order."""

    kind: str
    """`student` or `scout`, by which it is drawn."""
    points: str
    band: str
    """Empty where there is one point only."""
    dots: list[Spot]
    bars: list[Spot]
    """The interval of each dot: from `y` to `text`."""


class Curve(NamedTuple):
    """What is drawn, in a field of 640 by 260."""

    lines: list[Line]
    """The one that counts is the last, so that it lies on top."""
    grid: list[Spot]
    ticks: list[Spot]
    said: str

    @property
    def kinds(self) -> list[str]:
        return [line.kind for line in self.lines]


class Scale(NamedTuple):
    """Of a field: people's labels from none to `most`, shares from `low` to `high`."""

    most: int
    low: float
    high: float

    def x(self, labels: int) -> float:
        return round(LEFT + (RIGHT - LEFT) * labels / self.most, 1)

    def y(self, value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (value - self.low) / max(self.high - self.low, 1e-9), 1)


def curve(points: tuple[Point, ...], budget: int, scouts: tuple[Point, ...] = ()) -> Curve | None:
    """Accuracy over people's labels, from none to the budget, with 95 % Wilson intervals over test items.

    None where nothing was measured.
    """
    measured = {"scout": _known(scouts), "student": _known(points)}
    kept = {kind: found for kind, found in measured.items() if found}
    every = [point for found in kept.values() for point in found]
    if not every:
        return None
    most = max(budget, *(p.human_labels for p in every), 1)
    bounds = [_interval(p) for p in every]
    scale = Scale(most, min(b[0] for b in bounds), max(b[1] for b in bounds))
    levels = dict.fromkeys((scale.low, (scale.low + scale.high) / 2, scale.high))
    said = " ".join(_said(kind, found) for kind, found in reversed(kept.items()))
    return Curve(
        lines=[_line(kind, found, scale) for kind, found in kept.items()],
        grid=[Spot(0, scale.y(v), f"{v:.0%}") for v in levels],
        ticks=[Spot(scale.x(n), 0, str(n)) for n in sorted({0, most // 2, most})],
        said=f"Accuracy over people's labels. {said}",
    )


def _known(points: tuple[Point, ...]) -> list[Point]:
    return [p for p in points if not math.isnan(p.accuracy)]


def _line(kind: str, points: list[Point], scale: Scale) -> Line:
    spots = [Spot(scale.x(p.human_labels), scale.y(p.accuracy)) for p in points]
    ends = [tuple(map(scale.y, _interval(p))) for p in points]
    bars = [Spot(spot.x, low, str(high)) for spot, (low, high) in zip(spots, ends, strict=True)]
    edge = [f"{bar.x},{bar.text}" for bar in bars] + [f"{bar.x},{bar.y}" for bar in reversed(bars)]
    band = " ".join(edge) if len(points) > 1 else ""
    return Line(kind, " ".join(f"{s.x},{s.y}" for s in spots), band, spots, bars)


def _said(kind: str, points: list[Point]) -> str:
    listed = "; ".join(f"{p.human_labels} labels: {p.accuracy:.1%}" for p in points)
    return f"The {kind}: {listed}."


def _interval(point: Point) -> tuple[float, float]:
    return _wilson(point.accuracy, sum(i != -1 for i in point.predictions or ()))


def _wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Interval of a share of n (Wilson, 1927)."""
    if not n:
        return share, share
    middle, spread = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n)
