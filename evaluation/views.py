"""A comparison as its page shows it: rows of words and numbers. The template escapes whatever it prints."""

import math
from typing import Any

from evaluation import diagrams, figures
from evaluation.audit_view import audit_figures, audit_view, share
from evaluation.curves import Evidence, grid
from evaluation.findings import Finding, agent, filled_share, findings, headline, p_value, percent, shown, verdict
from evaluation.palette import palette
from evaluation.records import Arm, Cell, Comparison
from evaluation.sources import Origin
from evaluation.split import SplitReport
from evaluation.table import count, covers, mean, part_of_test, used

View = dict[str, Any]


def comparison_view(comparison: Comparison) -> View:
    """Everything that the page of a comparison prints."""
    evidence = Evidence(comparison)
    found = findings(comparison, evidence)
    focus = agent(comparison)
    audit = comparison.labels
    return {
        "title": f"{comparison.task}: what {comparison.budget} human labels buy",
        "headline": headline(comparison, found, evidence),
        "facts": _facts(comparison),
        "budget": comparison.budget,
        "covers": covers(evidence),
        "parts": part_of_test(comparison, evidence),
        "curves": [figures.learning_curves(comparison, evidence, student) for student in comparison.students],
        "dots": [figures.dot_plot(comparison, evidence, student) for student in comparison.students],
        "focus": focus.shown if focus else "",
        "student": comparison.students[0] if comparison.students else "",
        "findings": [_finding(comparison, each) for each in sorted(found, key=lambda each: not each.named)],
        "named": sum(each.named for each in found),
        "notes": [(arm.shown, arm.note) for arm in comparison.arms if arm.note],
        **_tables(comparison, evidence),
        "audit": audit_view(audit, comparison.classes) if audit else None,
        "audit_figures": audit_figures(audit) if audit else [],
        "classes": comparison.classes,
        **_method(comparison),
        "inks": list(palette(comparison.arms).values()),
    }


def _tables(comparison: Comparison, evidence: Evidence) -> View:
    macro = Evidence(comparison, "macro_f1")
    lines = [
        (arm, student, comparison.of(arm.name, student))
        for student in (*comparison.students, "")
        for arm in comparison.arms
        if comparison.of(arm.name, student)
    ]
    picked = [line for line in lines if any(cell.filled_share is not None or cell.quartiles for cell in line[2])]
    provenance = [_provenance(comparison, *line) for line in lines]
    return {
        "arms": [_arm(comparison, evidence, macro, *line) for line in lines],
        "spend": [_spend(comparison, *line) for line in lines],
        "extra": _noted(comparison),
        "provenance": [row for row in provenance if row["shares"]],
        "selectors": [_selector(comparison, *line) for line in picked],
        "quartiles": [_quartile_figure(comparison, *line) for line in picked if _quartiles(line[2])],
    }


def _facts(comparison: Comparison) -> list[tuple[str, str]]:
    seeds = len({cell.seed for cell in comparison.cells})
    facts = [
        (f"{comparison.pool_size:,}" if comparison.pool_size else "", f"unlabelled {comparison.item}s"),
        (f"{comparison.test_size:,}" if comparison.test_size else "", "test items"),
        (f"{comparison.budget:,}", "human labels an arm"),
        (f"{seeds}", "seed" if seeds == 1 else "seeds"),
        (f"{comparison.seconds / 60:,.0f}" if comparison.seconds else "", "minutes of wall time"),
    ]
    return [(value, name) for value, name in facts if value]


def _name(comparison: Comparison, arm: Arm, student: str) -> View:
    ink = palette(comparison.arms)[arm.name].variable
    return {
        "name": shown(comparison, arm, student),
        "student": student or "(LLM itself)",
        "role": arm.role,
        "ink": ink,
    }


def _arm(
    comparison: Comparison, evidence: Evidence, macro: Evidence, arm: Arm, student: str, cells: tuple[Cell, ...]
) -> View:
    # Curves are compared over the range that every arm with a curve has.
    curved = [cell for cell in comparison.cells if len(cell.curve) > 1]
    low = grid(curved)[0] if curved else 0
    has_curve = any(len(cell.curve) > 1 for cell in cells)
    height = evidence.area(arm.name, student, low).mean if has_curve else math.nan
    return {
        **_name(comparison, arm, student),
        "seeds": "any" if arm.fixed else len(cells),
        "human": count(used(cells, comparison.budget, "human_labels")),
        "machine": count(used(cells, comparison.budget, "machine_labels")),
        "accuracy": percent(evidence.estimate(arm.name, student)).replace(" %", ""),
        "f1": share(macro.mean(arm.name, student)).replace(" %", ""),
        "area": share(height).replace(" %", ""),
    }


def _spend(comparison: Comparison, arm: Arm, student: str, cells: tuple[Cell, ...]) -> View:
    return {
        **_name(comparison, arm, student),
        "human": count(mean(cells, lambda cell: cell.cost.human_labels)),
        "minutes": f"{mean(cells, lambda cell: cell.cost.human_seconds) / 60:.1f}",
        "calls": count(mean(cells, lambda cell: cell.cost.calls)),
        "tokens_in": count(mean(cells, lambda cell: cell.cost.tokens_in)),
        "cached": count(mean(cells, lambda cell: cell.cost.cached_tokens)),
        "tokens_out": count(mean(cells, lambda cell: cell.cost.tokens_out)),
        "seconds": count(mean(cells, lambda cell: cell.cost.seconds)),
        "extra": [_extra(cells, name) for name in _noted(comparison)],
    }


def _noted(comparison: Comparison) -> list[str]:
    return list(dict.fromkeys(name for cell in comparison.cells for name in cell.notes))


def _extra(cells: tuple[Cell, ...], name: str) -> str:
    """Mean of a note over the cells that have it."""
    known = [cell.notes[name] for cell in cells if name in cell.notes]
    return f"{sum(known) / len(known):,.4g}" if known else "–"


def _provenance(comparison: Comparison, arm: Arm, student: str, cells: tuple[Cell, ...]) -> View:
    counts = {
        "human": used(cells, comparison.budget, "human_labels"),
        "machine": used(cells, comparison.budget, "machine_labels"),
        "generated": used(cells, comparison.budget, "generated"),
    }
    return {
        **_name(comparison, arm, student),
        **{kind: count(value) for kind, value in counts.items()},
        "shares": shares(counts),
    }


def shares(counts: dict[str, float]) -> list[tuple[str, str]]:
    """(kind, percentage of the total) for a stacked bar; empty where there is nothing or something is undefined."""
    total = sum(counts.values())
    if math.isnan(total) or not total:
        return []
    return [(kind, f"{100 * value / total:.2f}") for kind, value in counts.items() if value]


def _selector(comparison: Comparison, arm: Arm, student: str, cells: tuple[Cell, ...]) -> View:
    quarters = _quartiles(cells)
    return {
        **_name(comparison, arm, student),
        "filled": share(filled_share(cells)),
        "quartiles": ", ".join(f"{100 * value:.0f} %" for value in quarters) if quarters else "–",
    }


def _quartiles(cells: tuple[Cell, ...]) -> tuple[float, float, float, float] | None:
    known = [cell.quartiles for cell in cells if cell.quartiles is not None]
    if not known:
        return None
    first, second, third, last = (sum(column) / len(known) for column in zip(*known, strict=True))
    return first, second, third, last


def _quartile_figure(comparison: Comparison, arm: Arm, student: str, cells: tuple[Cell, ...]) -> str:
    quarters = _quartiles(cells)
    return diagrams.quartiles(quarters, f"{shown(comparison, arm, student)}, {student}") if quarters else ""


def _finding(comparison: Comparison, finding: Finding) -> View:
    value = finding.difference
    known = not math.isnan(value.low)
    p = "–" if math.isnan(finding.p) else p_value(finding.p).removeprefix("= ")
    return {
        "name": shown(comparison, finding.other, finding.student),
        "named": finding.named,
        "mean": "–" if math.isnan(value.mean) else f"{100 * value.mean:+.1f}",
        "interval": f"[{100 * value.low:+.1f}, {100 * value.high:+.1f}]" if known else "–",
        "p": p,
        "verdict": verdict(finding),
    }


def _method(comparison: Comparison) -> View:
    settings = list(comparison.settings.items())
    settings += [(f"prompt: {use}", fingerprint) for use, fingerprint in comparison.prompts.items()]
    settings += [("seeds", ", ".join(str(seed) for seed in sorted({cell.seed for cell in comparison.cells})))]
    settings += [(name, value) for name, value in (("machine", comparison.machine), ("made", comparison.made)) if value]
    data = comparison.data
    caveats = (*comparison.caveats, *(data.caveats if data else ()))
    return {
        "settings": settings,
        "cards": comparison.models,
        "data": _data(comparison),
        "data_title": data.title if data else "",
        "caveats": caveats,
    }


def _data(comparison: Comparison) -> list[tuple[str, str]]:
    card, split = comparison.data, comparison.split
    rows: list[tuple[str, str]] = []
    if card:
        rows += [("source", card.source), ("licence", card.licence), ("citation", card.citation)]
        rows += [(f"label {label.name!r}", label.description) for label in card.labels]
        rows += [("guidelines", card.guidelines), ("splits", card.splits)]
        if split is None or split.origin is None:
            rows += [("can be had as", "; ".join(str(source) for source in card.sources))]
    return rows + (split_rows(split) if split else [])


def split_rows(split: SplitReport) -> list[tuple[str, str]]:
    """Where the rows came from, and what cleaning and splitting did, as pairs of words."""
    leaks = f"{split.leaked_text:,} for their text, {split.leaked_group:,} for their group"
    part = f"{split.part}; {split.other_part:,} rows belong to the other part" if split.part else "all rows"
    if split.part and split.other_copies is not None:
        part += f", {split.other_copies:,} of them copies or near copies of texts used here"
    like = "near copies were not looked for" if split.near_threshold is None else f"{split.near:,} near copies"
    rows = origin_rows(split.origin) if split.origin else []
    rows += [
        ("rows read", f"{split.source:,}"),
        ("part used", part),
        ("split", "the data set's own" if split.official else "drawn at random, whole groups on one side"),
        ("taken out", f"{split.exact:,} copies, {like}, {split.contradictory:,} contradictory"),
    ]
    if split.official:
        of_test = f"{split.test_exact:,} copies, {split.test_contradictory:,} contradictory"
        rows += [("taken out of the test part", of_test)]
    rows += [
        ("taken out of the pool to guard the test set", leaks),
        ("pool", f"{split.pool:,} ({_counts(split.pool_labels)})"),
        ("test", f"{split.test:,} ({_counts(split.test_labels)})"),
    ]
    if split.absent:
        rows += [("labels that the pool lacks", ", ".join(split.absent))]
    return [*rows, ("seed of the split", str(split.seed))]


def origin_rows(origin: Origin) -> list[tuple[str, str]]:
    """What was read, as pairs of words."""
    verified = "yes" if origin.verified else "no: these are not known to be the rows that the card was written for"
    rows = [("read from", str(origin.source)), ("verified", verified)]
    rows += [(f"SHA-256 of {name}", digest) for name, digest in origin.files.items()]
    rows += [("SHA-256 over the rows", origin.sha256)]
    return rows + [(note, f"{count:,}") for note, count in origin.notes.items()]


def _counts(labels: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in labels.items())
