"""How often does the interval of a study hold the truth, where the truth is known? Beside Student's t and bootstrap-t.

    python -m evaluation.bench.cover

Differences are drawn from made-up distributions, a study's worth at a time, and each method makes its 95 % interval of
their mean. Printed: the share of studies whose interval held the true mean, and the mean width beside ours. On real
runs of the loop `evaluation.bench.calibration` counts the same for ours alone.
"""

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.compare import LEVEL, Limits
from evaluation.metrics import Floats
from evaluation.shuffles import counts, interval, student_t

DRAWS = 2000
LAYOUTS = ((1, 6), (1, 8), (1, 10), (1, 20), (4, 3), (4, 6), (4, 10))
"""Sets x shuffles of each."""
OFF = 0.1
"""Share of shuffles that go wrong, in the last two shapes."""

Draw = Callable[[np.random.Generator, int], Floats]


def _off_by(distance: float) -> Draw:
    """Standard normal, but for one in ten that is lower by `distance`; the mean is 0."""

    def draw(rng: np.random.Generator, n: int) -> Floats:
        return rng.normal(size=n) - distance * (rng.random(n) < OFF) + distance * OFF

    return draw


SHAPES: Mapping[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "skewed (-1)": lambda rng, n: 4 - rng.gamma(4, size=n),
    "three values, as on a small test set": lambda rng, n: rng.integers(-1, 2, size=n).astype(np.float64),
    "one in ten off by 3": _off_by(3),
    "one in ten off by 8": _off_by(8),
}
"""Distributions of a difference whose true mean is 0."""


def bootstrap_t(groups: Sequence[Floats], seed: int = 0) -> Limits:
    """The equal-tailed bootstrap-t (Efron 1982): shuffles are drawn with replacement within their set."""
    mean = float(np.mean([group.mean() for group in groups]))
    moved, squared, error = 0.0, 0.0, 0.0
    for i, group in enumerate(groups):
        n, drawn = len(group), counts(len(group), seed + i)
        means = drawn @ group / n
        moved = moved + (means - group.mean())
        squared = squared + np.maximum(drawn @ group**2 / n - means**2, 0) / (n - 1)
        error += group.var(ddof=1) / n
    spread = np.sqrt(squared)
    without = np.where(moved == 0, 0.0, np.copysign(np.inf, moved))
    ratios = np.divide(moved, spread, out=without, where=spread > 0)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail], method="nearest")
    scale = math.sqrt(error) / len(groups)
    return mean - float(high) * scale, mean - float(low) * scale


METHODS: Mapping[str, Callable[[Sequence[Floats]], Limits]] = {
    "ours": lambda groups: interval(groups)[0],
    "Student's t": lambda groups: student_t(groups),
    "bootstrap-t": bootstrap_t,
}


@dataclass(frozen=True)
class Found:
    """Of one method, one shape and one layout."""

    cover: float
    """Share of studies whose interval held the truth; one without limits did not."""
    width: float
    """Mean over intervals of finite width."""


def found(shape: str, sets: int, shuffles: int, draws: int = DRAWS) -> dict[str, Found]:
    """Each method on the same studies."""
    rng = np.random.default_rng([sets, shuffles, *shape.encode()])
    held, widths = dict.fromkeys(METHODS, 0), {method: list[float]() for method in METHODS}
    for _ in range(draws):
        groups = [SHAPES[shape](rng, shuffles) for _ in range(sets)]
        for method, limits in METHODS.items():
            low, high = limits(groups)
            held[method] += low <= 0 <= high
            if math.isfinite(high - low):
                widths[method].append(high - low)
    return {method: Found(held[method] / draws, float(np.mean(widths[method]))) for method in METHODS}


def main() -> None:
    parser = argparse.ArgumentParser(description="how often intervals of studies hold a truth that is known")
    parser.add_argument("--draws", type=int, default=DRAWS, help="studies for each line")
    draws = parser.parse_args().draws
    error = 100 * math.sqrt(LEVEL * (1 - LEVEL) / draws)
    print(f"Share of {draws:,} studies whose 95 % interval holds the truth (Monte-Carlo error {error:.1f} points),")
    print("and the mean width beside ours.\n")
    print(f"{'differences':38}{'sets x shuffles':17}{''.join(f'{method:>20}' for method in METHODS)}")
    for shape in SHAPES:
        for sets, shuffles in LAYOUTS:
            there = found(shape, sets, shuffles, draws)
            said = [f"{100 * each.cover:.1f} % x {each.width / there['ours'].width:.2f}" for each in there.values()]
            print(f"{shape:38}{f'{sets} x {shuffles}':17}{''.join(f'{each:>20}' for each in said)}", flush=True)


if __name__ == "__main__":
    main()
