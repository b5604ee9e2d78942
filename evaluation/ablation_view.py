"""A prompt ablation as its page shows it: effects with intervals, beside what they cost and whom they chose."""

import math
from collections.abc import Sequence

from evaluation import figures, study_method
from evaluation.ablation import Selecting
from evaluation.ablation_design import named
from evaluation.ablation_effects import Found, Results, effects
from evaluation.ablation_table import (
    BY_SET,
    UNITS,
    by_set,
    cells,
    effect_sheet,
    how_tested,
    levels,
    notes,
    other_measures,
)
from evaluation.contrasts import ALPHA
from evaluation.document import Block, Document, Figure, Pairs, Section
from evaluation.findings import Tone
from evaluation.study_record import AblationRecord
from evaluation.table import Sheet, count


def ablation_document(record: AblationRecord) -> Document:
    """The whole page."""
    results, ablation = record.results, record.ablation
    found = effects(results) if results.runs else ()
    tone, finding = _finding(found)
    tested = [each for each in found if each.tested]
    sections = [_effects(results, found), _tables(results)] if results.runs else []
    return Document(
        title=f"Ablation {ablation.name}" + (f": {ablation.about}" if ablation.about else ""),
        tone=tone,
        finding=finding,
        sentences=tuple(f"{named(each.contrast, ablation.factors)}: {each.verdict}." for each in tested),
        facts=_facts(record),
        sections=(
            *sections,
            Section("costs", "What it cost", (Block(sheet=_costs(record)), study_method.time_block(record.study))),
            study_method.data_section(record.study),
            study_method.method_section(record.study, _settings(record), ablation.model_dump_json(indent=1)),
            study_method.prompt_section(record.study),
            study_method.caveat_section(record.study, notes(results) if results.runs else (), len(record.unfinished)),
            study_method.files_section(),
        ),
    )


def _finding(found: Sequence[Found]) -> tuple[Tone, str]:
    tested = [each for each in found if each.tested]
    if not tested:
        return "unknown", "No shuffle is whole: there is no effect to speak of."
    real, undefined = sum(each.p < ALPHA for each in tested), sum(math.isnan(each.p) for each in tested)
    many = "1 effect was" if len(tested) == 1 else f"{len(tested)} effects were"
    said = "there is evidence of none" if not real else f"there is evidence of {real}"
    said += f", and {undefined} cannot be told: too few shuffles, or a value is missing" if undefined else ""
    if undefined == len(tested):
        return "unknown", f"{many} named before the run: none can be told, with too few shuffles or a value missing."
    return ("gain" if real == len(tested) else "mixed" if real else "none"), f"{many} named before the run: {said}."


def _facts(record: AblationRecord) -> Pairs:
    n = [len(each) for each in record.results.shuffles.values()]
    shuffles = f"{min(n)}" if min(n) == max(n) else f"{min(n)} to {max(n)}"
    return (
        (f"{len(record.ablation.factors)}", "factors"),
        (f"{len(record.ablation.design)}", f"cells ({record.ablation.fraction} design)"),
        (f"{len(n)}", "data set" if len(n) == 1 else "data sets"),
        (shuffles, "whole shuffles"),
        (f"{record.study.done:,}", "runs"),
    )


def _effects(results: Results, found: Sequence[Found]) -> Section:
    factors = results.ablation.factors
    unit = UNITS[results.ablation.measure]
    drawn: list[Figure] = []
    for order, title in ((1, "Main effects"), (2, "Interactions of two")):
        rows = [(named(e.contrast, factors), e.effect, e.tested) for e in found if e.contrast.order == order]
        picture = figures.forest(title, f"{title} on {unit}", rows)
        drawn += [Figure(title.split()[0].lower() + "-effects", picture)] if picture else []
    return Section(
        "effects",
        f"What each factor changes in {unit}",
        (
            Block(
                lines=(how_tested(results, found),),
                figures=tuple(drawn),
                caption="Dot: effect in points. Bar: 95 % interval. Filled and bold: named before the run and tested. "
                "Open: descriptive. An interaction is a difference of differences.",
                sheet=effect_sheet(results, found),
                note="Tokens and replies: with the reference → with the level.",
            ),
            Block(title=BY_SET, bullets=tuple(by_set(results, found))),
            Block(title="On other measures", bullets=tuple(other_measures(results))),
        ),
    )


def _tables(results: Results) -> Section:
    blocks = (Block(title="Levels", sheet=levels(results)), Block(title="Cells of the design", sheet=cells(results)))
    return Section("levels", "Levels and cells", blocks)


def _costs(record: AblationRecord) -> Sheet:
    """Sums over the runs of whole shuffles, the calibration samples among them."""
    rows: list[tuple[str, ...]] = []
    for name in record.ablation.sets:
        costs = [run.cell.cost for run in record.runs if run.plan.data == name]
        totals = ("calls", "tokens_in", "cached_tokens", "tokens_out", "seconds", "human_labels")
        rows.append((name, f"{len(costs)}", *(count(sum(getattr(cost, what) for cost in costs)) for what in totals)))
    head = ("data set", "runs", "LLM calls", "tokens in", "cached", "tokens out", "LLM s", "human labels")
    return Sheet(head, tuple(rows))


def _settings(record: AblationRecord) -> Pairs:
    ablation = record.ablation
    subject = ablation.subject
    if isinstance(subject, Selecting):
        what = f"the LLM selects {subject.budget} texts in batches of {subject.batch}; student {subject.learner.name}"
    else:
        what = f"the LLM labels {subject.texts} texts a shuffle; people label {subject.labelled}"
        what += f"; the prior is read from {subject.sample} others"
    factors = "; ".join(f"{name}: {', '.join(map(str, levels))}" for name, levels in ablation.factors.items())
    return (
        ("subject", what),
        ("factors, the reference first", factors),
        ("what is the same in all cells", subject.base.model_dump_json()),
        ("tested on", UNITS[ablation.measure]),
        ("rows used", ablation.part),
        ("pool and test part, texts", f"{ablation.pool:,} and {ablation.test:,}"),
    )
