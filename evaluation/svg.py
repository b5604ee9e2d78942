"""Small parts of SVG pictures: scales, ticks, text. Colours are CSS variables, so that a page can set them."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

_VARIABLE = re.compile(r"var\(--[\w-]+,([^()]+)\)")


@dataclass(frozen=True)
class Scale:
    """Maps values from `low` to `high` onto pixels from `start` to `end`, linearly."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low
        return self.start + (self.end - self.start) * ((value - self.low) / span if span else 0.5)


def ticks(low: float, high: float, wanted: int = 5) -> tuple[float, ...]:
    """Round values (1, 2 or 5 times a power of ten apart) within low to high, about `wanted` of them."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return (low,) if math.isfinite(low) else ()
    rough = (high - low) / max(wanted, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(i * step, 12) for i in range(first, last + 1))


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions as near as possible to those wanted, at least `gap` apart, between low and high, order kept.

    Where they cannot all fit, they are spaced evenly over the whole range.
    """
    n = len(wanted)
    if n > 1 and gap * (n - 1) > high - low:
        gap = (high - low) / (n - 1)
    order = sorted(range(n), key=lambda i: wanted[i])
    placed = [0.0] * n
    # Blocks of labels that touch: each sits at the mean of what its members want (pool adjacent violators).
    blocks: list[tuple[float, int]] = []
    for rank, i in enumerate(order):
        blocks.append((wanted[i] - rank * gap, 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (a, na), (b, nb) = blocks[-2], blocks[-1]
            blocks[-2:] = [((a * na + b * nb) / (na + nb), na + nb)]
    offsets = [offset for offset, size in blocks for _ in range(size)]
    top = high - (n - 1) * gap
    for rank, i in enumerate(order):
        placed[i] = min(max(offsets[rank], low), top) + rank * gap
    return placed


def text(x: float, y: float, words: str, *, anchor: str = "start", size: float = 12, extra: str = "") -> str:
    """A line of text with its middle at height y; `words` is escaped."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" dy="0.34em" text-anchor="{anchor}" font-size="{size:g}" {_ink(extra)}>'
        f"{escape(words)}</text>"
    )


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" style="{style}"/>'


def polyline(points: Iterable[tuple[float, float]], style: str) -> str:
    return (
        f'<polyline points="{_points(points)}" style="fill:none;stroke-linejoin:round;stroke-linecap:round;{style}"/>'
    )


def polygon(points: Iterable[tuple[float, float]], style: str) -> str:
    return f'<polygon points="{_points(points)}" style="stroke:none;{style}"/>'


def circle(x: float, y: float, radius: float, style: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" style="{style}"/>'


def rect(x: float, y: float, width: float, height: float, style: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" style="{style}"/>'


def titled(content: str, title: str) -> str:
    """The content with a tooltip that says `title`; it is also what a screen reader says."""
    return f"<g><title>{escape(title)}</title>{content}</g>"


def picture(width: float, height: float, label: str, content: Iterable[str], *, standalone: bool = False) -> str:
    """A whole SVG picture; `standalone` adds a white ground and black ink for use outside a page."""
    ground = rect(0, 0, width, height, "fill:#fff") if standalone else ""
    ink = "color:#1c1f24;" if standalone else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" aria-label="{escape(label)}" style="{ink}font-family:{escape(FONT)}">'
        f"{ground}{''.join(content)}</svg>"
    )


def alone(drawn: str) -> str:
    """A picture of a page for use outside of it: white ground, black ink, colours written out."""
    head, rest = drawn.split(">", 1)
    head = head.replace('style="', 'style="color:#1c1f24;', 1)
    return _VARIABLE.sub(r"\1", f'{head}><rect width="100%" height="100%" style="fill:#fff"/>{rest}')


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _ink(extra: str) -> str:
    return f'style="{extra}"' if "fill:" in extra else f'fill="currentColor" style="{extra}"'
