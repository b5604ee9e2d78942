"""The figures of a study: what each arm reached over all sets, and mean curves of one set over labels and costs."""

import math
from collections.abc import Mapping, Sequence

from evaluation import figures
from evaluation.axes import WORDS, Axis
from evaluation.contrasts import At, values
from evaluation.curves import Height
from evaluation.document import Figure
from evaluation.figures import Final, Line, short
from evaluation.findings import shown
from evaluation.overall import Overall
from evaluation.palette import Ink
from evaluation.raw_rows import Row
from evaluation.records import Arm
from evaluation.shuffles import Effect


def arms(overall: Overall) -> dict[str, Arm]:
    """Of all sets, by name."""
    return {arm.name: arm for each in overall.comparisons for arm in each.arms}


def reached_figure(overall: Overall, student: str, inks: Mapping[str, Ink]) -> str:
    """What each arm reached at the budget with one student, best first; empty where nothing is known."""
    finals: list[Final] = []
    for arm in arms(overall).values():
        theirs = next((each for each in (student, "") if overall.cells(arm.name, each)), None)
        value = Effect(math.nan, math.nan, math.nan, 0, 0) if theirs is None else overall.estimate(arm.name, theirs)
        if theirs is not None and not math.isnan(value.mean):
            finals.append((arm, _name(overall, arm, theirs), value, _single(overall, arm.name, theirs)))
    title, single = f"{overall.study.name}: {student}", "shuffles" if len(overall.sets) == 1 else "data sets"
    return figures.dots(title, f"Accuracy at the budget with {student}", finals, inks, single)


def _single(overall: Overall, arm: str, student: str) -> list[float]:
    """The mean of each set; of one set alone each shuffle."""
    if len(overall.sets) > 1:
        return [overall.alone(name).estimate(arm, student).mean for name in overall.sets]
    return list(values(overall.cells(arm, student), At(), overall.study.budget).values())


def _name(overall: Overall, arm: Arm, student: str) -> str:
    of = next(each for each in overall.comparisons if each.of(arm.name, student))
    return short(shown(of, arm, student))


def curve_figure(
    own: Overall, name: str, rows: Sequence[Row], student: str, axis: Axis, inks: Mapping[str, Ink]
) -> Figure:
    """Mean curves of one set with one student, from the rows of `evaluation.overall.curve_rows`."""
    lines: list[Line] = []
    for arm in arms(own).values():
        for theirs in (student, ""):
            there = [r for r in rows if (r["arm"], r["student"], r["axis"]) == (arm.name, theirs, axis)]
            places = [_height(row) for row in there]
            known = tuple(each for each in places if not math.isnan(each.value.mean))
            if known:
                lines.append((arm, _name(own, arm, theirs), known))
                break
    banded = {side[0] for contrast in own.study.contrasts for side in contrast.sides}
    end = own.study.budget if axis == "labels" else max((curve[-1].labels for _, _, curve in lines), default=0.0)
    label = f"{name}: accuracy over {WORDS[axis]} with {student}"
    drawn = figures.curves(f"{name}, {student}", label, lines, inks, end, banded, WORDS[axis])
    return Figure(f"curve-{name}-{student}-{axis}", drawn)


def _height(row: Row) -> Height:
    found = [float(str(row[key])) for key in ("amount", "accuracy", "accuracy_low", "accuracy_high")]
    return Height(found[0], Effect(found[1], found[2], found[3], int(str(row["shuffles"])), 1))
