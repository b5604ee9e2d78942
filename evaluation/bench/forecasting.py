"""How often held-out rounds of a learning curve lie in the 95 % intervals of `evaluation.forecast`.

    python -m evaluation.bench.forecasting
    python -m evaluation.bench.forecasting --data FOLDER --data FOLDER

First on made-up curves of known shape, only one of them a power law; with `--data` (`--data ""`: film sentences) on
curves of real runs of the loop as well. Beside it what the resampled shuffles alone would say, which is what the
interval was before it knew of held-out rounds.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.bench.bank import ArmName, Material, material, run
from evaluation.compare import LEVEL
from evaluation.forecast import Fan, backtest, heights
from evaluation.metrics import Floats
from evaluation.records import Cell, Point

LABELS = tuple(range(8, 81, 8))
SHUFFLES, SPREAD, SHARED = 10, 0.06, 0.5
"""Shuffles of a curve; standard deviation of one of them at 16 labels, falling with the root; the share of its variance
that a shuffle keeps over all rounds."""

SHAPES: dict[str, Callable[[Floats], Floats]] = {
    "power law": lambda n: 0.9 - 0.9 * n**-0.5,
    "level": lambda n: np.full_like(n, 0.7),
    "exponential": lambda n: 0.85 - 0.35 * np.exp(-n / 30),
    "logarithm": lambda n: np.minimum(0.97, 0.45 + 0.09 * np.log(n)),
    "rise, then level": lambda n: np.minimum(0.8, 0.6 + 0.2 * (n - 8) / 32),
    "late take-off": lambda n: 0.5 + 0.35 / (1 + np.exp(-(np.log(n) - np.log(40)) / 0.4)),
}
"""Mean accuracy over labels. Before the last one takes off nothing tells that it will."""


@dataclass(frozen=True)
class Cover:
    """Share of held-out rounds inside, and mean width in points."""

    held: float
    width: float

    @classmethod
    def of(cls, held: Sequence[bool], widths: Sequence[float]) -> "Cover":
        return cls(float(np.mean(held)), 100 * float(np.mean(widths)))


def made_up(shape: str, seed: int, labels: Sequence[int] = LABELS) -> list[Cell]:
    """One curve: a cell a shuffle."""
    rng, n = np.random.default_rng([seed, list(SHAPES).index(shape)]), np.array(labels, dtype=np.float64)
    own, each = rng.normal(size=(SHUFFLES, 1)), rng.normal(size=(SHUFFLES, len(n)))
    off = np.sqrt(SHARED) * own + np.sqrt(1 - SHARED) * each
    return curve(labels, SHAPES[shape](n) + SPREAD * np.sqrt(16 / n) * off)


def curve(labels: Sequence[int], heights: Floats) -> list[Cell]:
    return [
        Cell(
            arm="a",
            seed=seed,
            student="s",
            curve=tuple(Point(human_labels=n, accuracy=float(height)) for n, height in zip(labels, row, strict=True)),
        )
        for seed, row in enumerate(heights)
    ]


def real(made_of: Material, arm: ArmName, curves: int, first: int = 0) -> list[list[Cell]]:
    """Curves of runs of the loop; no two share a run."""
    return [
        curve(
            LABELS,
            np.array([run(made_of, arm, first + SHUFFLES * each + i, len(LABELS)).accuracy for i in range(SHUFFLES)]),
        )
        for each in range(curves)
    ]


def cover(curves: Sequence[Sequence[Cell]]) -> tuple[Cover, Cover]:
    """Of our intervals, and of percentiles of resampled shuffles alone."""
    ours, alone = (list[bool](), list[float]()), (list[bool](), list[float]())
    for cells in curves:
        x, y = heights(cells)
        for test in backtest([cells]).tests:
            ours[0].append(test.held)
            ours[1].append(test.forecast.high - test.forecast.low)
            fan = Fan.of(x[: test.from_points], y[:, : test.from_points], 0)
            low, high = np.quantile(fan.resampled.value(test.labels), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
            alone[0].append(bool(low <= test.came <= high))
            alone[1].append(float(high - low))
    return Cover.of(*ours), Cover.of(*alone)


def line(what: str, curves: Sequence[Sequence[Cell]]) -> str:
    ours, alone = cover(curves)
    return f"{what:28}{100 * ours.held:8.1f} %{ours.width:8.1f}{100 * alone.held:12.1f} %{alone.width:8.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", default=[], help="folder with train.jsonl and test.jsonl")
    parser.add_argument("--keep", type=Path, help="where texts and vectors are kept for a second call")
    parser.add_argument("--curves", type=int, default=40, help="of each shape, and of each arm of a data set")
    given = parser.parse_args()
    print(f"{given.curves} curves each, {SHUFFLES} shuffles, {len(LABELS)} rounds; widths in points")
    print(f"{'':28}{'inside':>10}{'width':>8}{'alone':>14}{'width':>8}")
    for shape in SHAPES:
        print(line(shape, [made_up(shape, seed) for seed in range(given.curves)]), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for i, source in enumerate(given.data):
            home = (given.keep or Path(folder)) / (Path(source).name or f"films-{i}")
            made_of = material(home, source, 500, 1000)
            for arm in ("random", "margin"):
                print(line(f"{made_of.name}, {arm}", real(made_of, arm, given.curves)), flush=True)


if __name__ == "__main__":
    main()
