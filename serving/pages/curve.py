"""A learning curve as shapes."""

import math
from typing import NamedTuple

from evaluation.records import Point

LEFT, RIGHT, TOP, BOTTOM = 76.0, 620.0, 16.0, 216.0


class Spot(NamedTuple):
    x: float
    y: float
    text: str = ""


class Curve(NamedTuple):
    """What is drawn, in a field of 640 by 260."""

    points: str
    band: str
    dots: list[Spot]
    bars: list[Spot]
    """The interval of each dot: from `y` to `text`."""
    lines: list[Spot]
    ticks: list[Spot]
    said: str


def curve(points: tuple[Point, ...], budget: int) -> Curve | None:
    """Accuracy over people's labels, from none to the budget, with 95 % Wilson intervals over test items.

    None where nothing was measured.
    """
    kept = [p for p in points if not math.isnan(p.accuracy)]
    if not kept:
        return None
    most = max(budget, *(p.human_labels for p in kept), 1)
    bounds = [_wilson(p.accuracy, sum(i != -1 for i in p.predictions or ())) for p in kept]
    low, high = min(b[0] for b in bounds), max(b[1] for b in bounds)

    def x(labels: int) -> float:
        return round(LEFT + (RIGHT - LEFT) * labels / most, 1)

    def y(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (value - low) / max(high - low, 1e-9), 1)

    spots = [Spot(x(p.human_labels), y(p.accuracy)) for p in kept]
    bars = [Spot(spot.x, y(b[0]), str(y(b[1]))) for spot, b in zip(spots, bounds, strict=True)]
    edge = [f"{bar.x},{bar.text}" for bar in bars] + [f"{bar.x},{bar.y}" for bar in reversed(bars)]
    said = "; ".join(f"{p.human_labels} labels: {p.accuracy:.1%}" for p in kept)
    return Curve(
        points=" ".join(f"{s.x},{s.y}" for s in spots),
        band=" ".join(edge) if len(kept) > 1 else "",
        dots=spots,
        bars=bars,
        lines=[Spot(0, y(v), f"{v:.0%}") for v in dict.fromkeys((low, (low + high) / 2, high))],
        ticks=[Spot(x(n), 0, str(n)) for n in sorted({0, most // 2, most})],
        said=f"Accuracy over people's labels. {said}",
    )


def _wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Interval of a share of n (Wilson, 1927)."""
    if not n:
        return share, share
    middle, spread = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n)
