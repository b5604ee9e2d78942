"""Do the statistics of studies keep what they promise? Found out on real runs of the loop, not on invented numbers.

One fixed pool of 500 real texts, one fixed test set of 1,000, the linear student on cached embeddings, simulated
people, 8 to 32 labels. A *study* is ten paired shuffles of two arms, handed to `evaluation.contrasts` as the record of
a study is; no two studies share a run.

1. **False alarms**: random against random, on the same shuffles with other random streams, 300 studies.
2. **Cover**: how often the 95 % interval of the difference between two curves (margin minus random) holds the truth,
   500 studies. The truth is the mean over all 5,000 paired shuffles: a study's own ten are 0.2 % of it.
3. **Power**: random with people who never err against random with people who err one time in five, 300 studies. The
   gain goes through the loop; its size and spread over 3,000 shuffles say, by the noncentral t, how often it should be
   found. And the same for a gain added to the curves of 1. that should be found 80 times in 100.
4. **Three seeds**: the interval of `evaluation.compare`, which covers other test items as well: 500 studies of three
   seeds, each with 500 test items of its own drawn from the 1,000.

Where several data sets are given, each is done alone, and then all together with sets as strata.

    python -m evaluation.bench.calibration
    python -m evaluation.bench.calibration --data FOLDER --data FOLDER --keep FOLDER
"""

import argparse
import hashlib
import math
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from evaluation.bench.bank import ROUNDS, SIZE, ArmName, Material, Runs, bank, material
from evaluation.contrasts import ALPHA, Area, At, Contrast, MeasureSpec, Result, paired_values, results
from evaluation.curves import Evidence
from evaluation.records import Arm, Cell, Comparison, Point

POOL, TEST, SHUFFLES, SEEDS, ITEMS = 500, 1000, 10, 3, 500
STUDIES, INTERVALS = 300, 500
RUNS: dict[ArmName, int] = {
    "random": INTERVALS * SHUFFLES,
    "margin": INTERVALS * SHUFFLES,
    "other random": STUDIES * SHUFFLES,
    "erring": STUDIES * SHUFFLES,
}
# The bounds, fixed before anything was run.
ERRORS = 2.0
"""Monte-Carlo standard errors that a share may lie off what was promised."""
COVER = (0.93, 0.97)
WANTED_POWER = 0.8
AREA, BUDGET = Area(), At()


@dataclass(frozen=True)
class Bank:
    """All runs on one data set."""

    made_of: Material
    runs: dict[ArmName, Runs]

    def study(self, arms: Sequence[ArmName], rows: Sequence[int], gain: float = 0.0) -> Comparison:
        """The record of a study of these shuffles; `gain` is added to every accuracy of the first arm."""
        cells = tuple(self._cell(arm, row, gain if arm == arms[0] else 0.0) for arm in arms for row in rows)
        return self._record(arms, cells)

    def small_study(self, arms: Sequence[ArmName], rows: Sequence[int], items: Sequence[int]) -> Comparison:
        """The same at the budget only, measured on some of the test items, with predictions."""
        truth, cells = self.made_of.truth[items], list[Cell]()
        for arm in arms:
            for row in rows:
                told = self.runs[arm].predicted[row][items]
                point = Point(
                    human_labels=ROUNDS * SIZE,
                    accuracy=float(np.mean(told == truth)),
                    predictions=tuple(int(each) for each in told),
                )
                cells.append(Cell(arm=arm, seed=row, student="linear", curve=(point,)))
        record = self._record(arms, tuple(cells))
        return record.model_copy(update={"gold": tuple(int(each) for each in truth), "test_size": len(items)})

    def _record(self, arms: Sequence[ArmName], cells: tuple[Cell, ...]) -> Comparison:
        return Comparison(
            name="calibration",
            task=self.made_of.name,
            classes=self.made_of.task.names,
            budget=ROUNDS * SIZE,
            arms=tuple(Arm(name=arm) for arm in arms),
            cells=cells,
        )

    def _cell(self, arm: ArmName, row: int, gain: float) -> Cell:
        runs = self.runs[arm]
        points = tuple(
            Point(
                human_labels=SIZE * (i + 1),
                accuracy=float(runs.accuracy[row, i]) + gain,
                macro_f1=float(runs.macro_f1[row, i]),
            )
            for i in range(ROUNDS)
        )
        return Cell(arm=arm, seed=row, student="linear", curve=points)


class Findings:
    """Prints each share beside what it should be, and remembers whether all were."""

    def __init__(self) -> None:
        self.kept = True

    def share(self, what: str, found: float, low: float, high: float) -> None:
        ok = low <= found <= high
        self.kept = self.kept and ok
        print(f"  {what}: {100 * found:.1f} %, bounds {100 * low:.1f} to {100 * high:.1f} %: {'ok' if ok else 'OFF'}")

    def told(self, what: str) -> None:
        print(f"  {what}")


def main() -> None:
    parser = argparse.ArgumentParser(description="false alarms, cover and power of the statistics, on real runs")
    parser.add_argument("--data", action="append", default=[], help="folder with train.jsonl and test.jsonl")
    parser.add_argument("--keep", type=Path, help="where runs are kept, so that a second call only counts")
    options = parser.parse_args()
    begun, findings = time.monotonic(), Findings()
    with tempfile.TemporaryDirectory() as folder:
        home = options.keep or Path(folder)
        banks = [_bank(home, source) for source in options.data or [""]]
    print(f"{len(banks)} x {sum(RUNS.values()):,} runs of the loop, {time.monotonic() - begun:.0f} s")
    for each in banks:
        print(f"{each.made_of.name}: {_described(each)}")
        judged([each], findings)
        three_seeds(each, findings)
    if len(banks) > 1:
        print(f"all {len(banks)} sets together, as strata")
        judged(banks, findings)
    print(f"{time.monotonic() - begun:.0f} s; {'all within bounds' if findings.kept else 'NOT all within bounds'}")
    sys.exit(0 if findings.kept else 1)


def _bank(home: Path, source: str) -> Bank:
    whose = hashlib.sha256(str(Path(source).resolve()).encode()).hexdigest()[:8]
    folder = home / (f"{Path(source).name}-{whose}" if source else "packaged")
    made_of = material(folder, source, POOL, TEST)
    return Bank(made_of, {arm: bank(made_of, arm, count, folder) for arm, count in RUNS.items()})


def _described(each: Bank) -> str:
    ends = [f"{arm} {100 * runs.accuracy[:, -1].mean():.1f} %" for arm, runs in each.runs.items()]
    return f"accuracy at {ROUNDS * SIZE} labels: {', '.join(ends)}"


def judged(banks: Sequence[Bank], findings: Findings) -> None:
    """False alarms, cover and power of contrasts on these sets."""
    error = math.sqrt(ALPHA * (1 - ALPHA) / STUDIES)
    for measure in (AREA, BUDGET):
        alarms = [each.verdict != "none" for each in _drawn(banks, "random", "other random", STUDIES, measure)]
        bounds = ALPHA - ERRORS * error, ALPHA + ERRORS * error
        findings.share(f"false alarms in {STUDIES} studies, {measure.kind}", float(np.mean(alarms)), *bounds)
    for measure in (AREA, BUDGET):
        truth = float(np.mean(_differences(banks, "margin", "random", measure)))
        found = [each.overall for each in _drawn(banks, "margin", "random", INTERVALS, measure)]
        held = [each.low <= truth <= each.high for each in found]
        width = 100 * float(np.median([each.high - each.low for each in found]))
        findings.share(
            f"95 % intervals of {INTERVALS} that hold the truth, {measure.kind}", float(np.mean(held)), *COVER
        )
        findings.told(f"    the truth is {100 * truth:+.2f} points; the intervals are {width:.1f} points wide (median)")
    _power(banks, "erring", 0.0, findings)
    _power(banks, "other random", _gain(banks), findings)


def _power(banks: Sequence[Bank], other: ArmName, gain: float, findings: Findings) -> None:
    """How often random beats another arm, beside what the noncentral t says of a paired t-test of that effect."""
    gaps = _differences(banks, "random", other, AREA)
    mean, error = float(np.mean(gaps)) + gain, _error(gaps)
    said = _noncentral(mean, error, len(banks))
    found = [each.verdict == "gain" for each in _drawn(banks, "random", other, STUDIES, AREA, gain)]
    off = ERRORS * math.sqrt(said * (1 - said) / STUDIES)
    what = "people who err" if other == "erring" else "added"
    findings.share(f"gain of {100 * mean:.2f} points found ({what})", float(np.mean(found)), said - off, said + off)
    drawn = 100 * _by_t(gaps, gain)
    findings.told(
        f"    the noncentral t says {100 * said:.1f} %; a t-test on 20,000 random studies finds {drawn:.1f} %"
    )


def _noncentral(mean: float, error: float, sets: int) -> float:
    """Power of the two-sided t-test to find a gain as a gain; error is that of the mean of one study."""
    freedom = sets * (SHUFFLES - 1)
    limit = float(stats.t.ppf(1 - ALPHA / 2, freedom))
    return float(stats.nct.sf(limit, freedom, mean / error))


def _by_t(gaps: Sequence[Sequence[float]], gain: float) -> float:
    """How often the plain t-test finds it, in studies drawn at random: what is not normal in real runs shows here."""
    rng, sets = np.random.default_rng(0), len(gaps)
    drawn = [rng.choice(np.array(each), size=(20_000, SHUFFLES)) + gain for each in gaps]
    mean = np.mean([each.mean(axis=1) for each in drawn], axis=0)
    error = np.sqrt(np.sum([each.var(axis=1, ddof=1) / SHUFFLES for each in drawn], axis=0)) / sets
    return float(np.mean(mean / error > stats.t.ppf(1 - ALPHA / 2, sets * (SHUFFLES - 1))))


def _gain(banks: Sequence[Bank]) -> float:
    """The gain that the noncentral t says is found 80 times in 100, over the mean that is there by chance."""
    gaps = _differences(banks, "random", "other random", AREA)
    error = _error(gaps)
    steps = np.linspace(0, 6, 6001) * error
    powers = np.array([_noncentral(float(step), error, len(banks)) for step in steps])
    return float(steps[int(np.searchsorted(powers, WANTED_POWER))]) - float(np.mean(gaps))


def _error(gaps: Sequence[Sequence[float]]) -> float:
    """Standard error of the mean over sets in a study of ten shuffles each, from the spread over all shuffles."""
    variances = [float(np.var(each, ddof=1)) / SHUFFLES for each in gaps]
    return math.sqrt(sum(variances)) / len(gaps)


def _differences(banks: Sequence[Bank], a: ArmName, b: ArmName, measure: MeasureSpec) -> list[list[float]]:
    """By set: a - b on every shuffle that both arms have, measured as in a study."""
    rows, contrast = range(min(RUNS[a], RUNS[b])), Contrast(a=a, b=b, student="linear", measure=measure)
    pairs = [paired_values(each.study((a, b), rows), contrast) for each in banks]
    return [[x - y for x, y in zip(pair.a, pair.b, strict=True)] for pair in pairs]


def _drawn(
    banks: Sequence[Bank], a: ArmName, b: ArmName, count: int, measure: MeasureSpec, gain: float = 0.0
) -> Iterator[Result]:
    """The results of `count` studies, none of which shares a shuffle with another."""
    contrast = Contrast(a=a, b=b, student="linear", measure=measure)
    for study in range(count):
        rows = range(study * SHUFFLES, (study + 1) * SHUFFLES)
        yield results([each.study((a, b), rows, gain) for each in banks], [contrast])[0]


def three_seeds(each: Bank, findings: Findings) -> None:
    """The interval of `evaluation.compare`: shuffles and test items are both drawn anew for each study."""
    rng, held, alarms = np.random.default_rng(0), list[bool](), list[bool]()
    right = [np.mean(each.runs[arm].predicted == each.made_of.truth, axis=1) for arm in ("margin", "random")]
    truth = float(np.mean(right[0] - right[1]))
    for study in range(INTERVALS):
        rows = range(study * SEEDS, (study + 1) * SEEDS)
        items = rng.integers(0, TEST, ITEMS).tolist()
        found = Evidence(each.small_study(("margin", "random"), rows, items)).difference("margin", "random", "linear")
        held.append(found.low <= truth <= found.high)
        none = Evidence(each.small_study(("random", "other random"), rows, items))
        alarms.append(none.difference("random", "other random", "linear").evidence)
    # It errs on the wide side, and says so: only the narrow side has a bound.
    error = math.sqrt(ALPHA * (1 - ALPHA) / INTERVALS)
    findings.share(f"{SEEDS} seeds, items too: intervals that hold the truth", float(np.mean(held)), COVER[0], 1.0)
    findings.share(f"{SEEDS} seeds, items too: false alarms", float(np.mean(alarms)), 0.0, ALPHA + ERRORS * error)


if __name__ == "__main__":
    main()
