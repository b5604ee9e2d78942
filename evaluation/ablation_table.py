"""An ablation for a terminal: levels, cells, and effects beside what they cost and what they changed in who chose."""

import math
from collections.abc import Sequence

from agent.query.diagnose import Overlap
from evaluation.ablation import Measure
from evaluation.ablation_design import Combination, aliases, named
from evaluation.ablation_effects import ALPHA, Found, Results, effects
from evaluation.ablation_watch import Summary
from evaluation.findings import p_value, points
from evaluation.shuffles import BY_T, ENOUGH, Effect, least_p
from evaluation.table import Sheet, beside

BY_SET = "Named effects set by set (descriptive)"
COVERS = {
    "select": "95 % intervals cover other shuffles of these pools, measured on these test sets; not other texts.",
    "annotate": "A shuffle reads texts of its own, so that 95 % intervals cover other texts of these sets, other"
    " demonstrations and other calibration samples.",
}
_LEGEND = {
    "select": "No answer: lists without a usable one. Wrong number: lists that were answered with too few or too many"
    " texts. In rows: lists whose picks stand in an arithmetic progression, beside the share that random picks would"
    " have. q1 to q4: share of the LLM's own picks by quarter of its list. Overlap: Jaccard of the LLM's own picks of"
    " the first batch in runs of one shuffle that differ in this factor alone.",
    "annotate": "An abstention counts as wrong, and is not in ECE. ECE is over the texts of all shuffles of a cell; a"
    " level has the mean of its cells. Tokens and seconds are those of the reads; what the calibration sample took is"
    " in cells.csv as well.",
}
_BESIDE: dict[str, tuple[str, ...]] = {
    "select": (
        "filled",
        "no answer",
        "wrong number",
        "in rows (chance)",
        "q1",
        "q2",
        "q3",
        "q4",
        "tokens/pick",
        "s/pick",
    ),
    "annotate": ("ECE", "label mass", "abstained", "no answer", "tokens/text", "s/text"),
}
_CHOSEN = {"select": ("wrong number", "overlap (chance)"), "annotate": ()}
UNITS: dict[Measure, str] = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "ece": "calibration error of a shuffle's texts",
    "label_mass": "label mass",
}


def told(results: Results) -> str:
    """Levels and cells of every set together, effects with named ones first, and what the numbers cover."""
    ablation = results.ablation
    n = ", ".join(f"{name} {len(shuffles)}" for name, shuffles in results.shuffles.items())
    lines = [f"{len(ablation.design)} cells ({ablation.fraction} design), whole shuffles: {n}", ""]
    if not results.runs:
        return "\n".join([*lines, "no whole shuffle"])
    lines += [*levels(results).lines, "", *cells(results).lines, "", *_effects(results), "", *notes(results)]
    return "\n".join(lines)


def levels(results: Results) -> Sheet:
    """A row for each level of each factor."""
    factors = results.ablation.factors.items()
    named_ = [(f"{f}: {level}", _with(results, f, level)) for f, each in factors for level in each]
    return _sheet(results, "level", named_)


def cells(results: Results) -> Sheet:
    """A row for each cell of the design."""
    found = [(" · ".join(map(str, cell.values())), [cell]) for cell in results.ablation.design]
    return _sheet(results, " · ".join(results.ablation.factors), found)


def _sheet(results: Results, title: str, wanted: Sequence[tuple[str, list[Combination]]]) -> Sheet:
    head = (title, "accuracy [95 %]", "macro-F1 [95 %]", *_BESIDE[results.ablation.subject.kind])
    return Sheet(head, tuple(_row(results, name, cells) for name, cells in wanted))


def _with(results: Results, factor: str, level: object) -> list[Combination]:
    """The cells of a level; of one factor at a time, the one that differs in nothing else."""
    ablation = results.ablation
    found = [cell for cell in ablation.design if cell[factor] == level]
    if ablation.fraction != "one-at-a-time":
        return found
    rest = {name: levels[0] for name, levels in ablation.factors.items() if name != factor}
    return [cell for cell in found if all(cell[name] == reference for name, reference in rest.items())]


def _row(results: Results, name: str, wanted: Sequence[Combination]) -> tuple[str, ...]:
    scores = (_percent(results.mean(wanted, measure)) for measure in ("accuracy", "macro_f1"))
    return (name, *scores, *_beside(results.ablation.subject.kind, results.summary(wanted)))


def _beside(kind: str, found: Summary) -> tuple[str, ...]:
    ends = (_count(found.tokens), _count(found.seconds, 2))
    if kind == "select":
        rows = beside(found.progressions, found.by_chance)
        asked = (found.filled, found.failures, found.miscounted)
        return *map(_share, asked), rows, *map(_share, found.quartiles), *ends
    return _count(found.ece, 3), _count(found.mass, 3), _share(found.abstained), _share(found.failures), *ends


def _effects(results: Results) -> list[str]:
    found = effects(results)
    lines = [how_tested(results, found), "", *effect_sheet(results, found).lines]
    for line in other_measures(results):
        lines += ["", line]
    alone = by_set(results, found)
    return [*lines, *(["", f"{BY_SET}:", *(f"  {line}" for line in alone)] if alone else [])]


def how_tested(results: Results, found: Sequence[Found]) -> str:
    """How many effects were named, and what that does to p."""
    tested = [each for each in found if each.tested]
    many = "1 effect was" if len(tested) == 1 else f"{len(tested)} effects were"
    how = "" if results.ablation.effects else ": every main effect"
    return f"{many} named before the run{how}; p is corrected for their number (Holm). All else is descriptive."


def effect_sheet(results: Results, found: Sequence[Found]) -> Sheet:
    """A row for each effect, those that were named first, with what it cost and what it changed in who chose."""
    ablation = results.ablation
    head = (
        "effect",
        f"{UNITS[ablation.measure]} [95 %]",
        "p",
        "tokens",
        "no answer",
        *_CHOSEN[ablation.subject.kind],
        "verdict",
    )
    return Sheet(head, tuple(_effect_row(results, each) for each in found))


def other_measures(results: Results) -> list[str]:
    """Main effects on what was not tested, a line for each measure."""
    ablation, lines = results.ablation, list[str]()
    others: tuple[Measure, ...] = ("ece", "label_mass") if ablation.subject.kind == "annotate" else ()
    for measure in ("accuracy", "macro_f1", *others):
        if measure != ablation.measure:
            mains = [each for each in effects(results, measure) if each.contrast.order == 1]
            said = "; ".join(f"{named(each.contrast, ablation.factors)} {points(each.effect)}" for each in mains)
            lines.append(f"{UNITS[measure]} (descriptive): {said}")
    return lines


def _effect_row(results: Results, found: Found) -> tuple[str, ...]:
    ablation = results.ablation
    also = [named(each, ablation.factors) for each in aliases(found.contrast, ablation.factors, ablation.fraction)]
    a, b = found.beside
    main, chosen = found.contrast.order == 1, _CHOSEN[ablation.subject.kind]
    return (
        " = ".join([named(found.contrast, ablation.factors), *also]),
        points(found.effect) + (", t" if found.effect.method == "student-t" else ""),
        "" if math.isnan(found.p) else p_value(found.p).removeprefix("= "),
        f"{_count(b.tokens)} → {_count(a.tokens)}" if main else "",
        _change(b.failures, a.failures) if main else "",
        *((_change(b.miscounted, a.miscounted) if main else "", _overlap(found.overlap)) if chosen else ()),
        found.verdict,
    )


def by_set(results: Results, found: Sequence[Found]) -> list[str]:
    """The named effects on each of several sets, a line each; descriptive."""
    return [
        f"{named(each.contrast, results.ablation.factors)}: "
        + "; ".join(f"{name} {points(there)}" for name, there in each.by_set)
        for each in found
        if each.by_set and each.tested
    ]


def notes(results: Results) -> list[str]:
    """What the numbers cover, and how they are to be read."""
    ablation = results.ablation
    kind = ablation.subject.kind
    lines = [COVERS[kind]]
    if any(len(each) < ENOUGH for each in results.shuffles.values()):
        lines.append(BY_T)
    n, tests = sum(map(len, results.shuffles.values())), len(ablation.tested)
    if (least := least_p(n, tests)) >= ALPHA:
        lines.append(f"Too few shuffles to show anything: {n} cannot give a corrected p below {least:.3f}.")
    lines.append(_LEGEND[kind])
    if ablation.fraction == "half":
        lines.append(
            "Half a design: what is written with = cannot be told apart, nor from interactions of three factors."
        )
    return lines


def _overlap(found: Overlap | None) -> str:
    return "" if found is None else f"{_count(found.jaccard, 2)} ({_count(found.chance, 2)})"


def _change(before: float, after: float) -> str:
    return f"{_share(before)} → {_share(after)}"


def _percent(value: Effect) -> str:
    if math.isnan(value.mean):
        return "–"
    limits = "" if math.isnan(value.low) else f" [{100 * value.low:.1f}, {100 * value.high:.1f}]"
    return f"{100 * value.mean:.1f} %{limits}"


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.0f} %"


def _count(value: float, places: int = 0) -> str:
    return "–" if math.isnan(value) else f"{value:,.{places}f}"
