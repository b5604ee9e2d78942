"""Raw records of a study or an ablation as rows of plain values, for CSV and Parquet."""

import json
import math

from evaluation.ablation import arm_name
from evaluation.ablation_design import Combination, named
from evaluation.ablation_effects import effects
from evaluation.ablation_watch import Run, Selected, ece
from evaluation.overall import curve_rows
from evaluation.records import Cell, Choosing
from evaluation.study import Planned
from evaluation.study_record import AblationRecord, Left, StudyLeft

Row = dict[str, object]


def raw_rows(left: Left) -> dict[str, list[Row]]:
    """By name of the table: `cells`, and the `curves` of a study or the `effects` of an ablation.

    All rows of a table have the same keys.
    """
    if isinstance(left, StudyLeft):
        return {"cells": study_cells(left), "curves": curve_rows(left.overall)}
    return {"cells": ablation_cells(left), "effects": effect_rows(left)}


def study_cells(left: StudyLeft) -> list[Row]:
    """A row for each point of the curve, in the order of the plan; then those of shuffles that are not whole.

    Last come the references, which belong to no shuffle: a student trained on every gold label (`full`). The LLM's own
    row (`zero-shot`) stands with its set, without a student.
    """
    whole = [(_plan(name, cell), cell) for name, each in left.sets.items() for cell in each.cells]
    rest = [(raw.plan, raw.cell) for raw in left.record.unfinished]
    full = [(_plan(name, cell), cell) for name, cells in left.record.full.items() for cell in cells]
    rows = [row for plan, cell in whole for row in _points(plan, cell, True)]
    rows += [row for plan, cell in rest for row in _points(plan, cell, False)]
    return rows + [row for plan, cell in full for row in _points(plan, cell, True)]


def _plan(data: str, cell: Cell) -> Planned:
    return Planned(data=data, student=cell.student, shuffle=cell.seed, training=cell.training, arm=cell.arm)


def _points(plan: Planned, cell: Cell, whole: bool) -> list[Row]:
    return [
        {
            **plan.model_dump(),
            "whole": whole,
            "human_labels": point.human_labels,
            "machine_labels": point.machine_labels,
            "generated": point.generated,
            "accuracy": point.accuracy,
            "macro_f1": point.macro_f1,
            "human_seconds": point.cost.human_seconds,
            "calls": point.cost.calls,
            "tokens_in": point.cost.tokens_in,
            "cached_tokens": point.cost.cached_tokens,
            "tokens_out": point.cost.tokens_out,
            "llm_seconds": point.cost.seconds,
            "money": point.cost.money,
            "filled_share": cell.filled_share,
            **_chosen(cell.choosing or Choosing()),
            "stop": cell.stop,
            "spec": cell.spec,
        }
        for point in cell.curve
    ]


def _chosen(by: Choosing) -> Row:
    shares: Row = by.model_dump(include={"progressions", "refused", "miscounted", "unknown", "repeated"})
    return {**shares, **_price(by), "classes": _balance(by), "own_picks": " ".join(by.own)}


def _balance(by: Choosing) -> str:
    return json.dumps(by.model_dump(mode="json", include={"classes"})["classes"])


def _price(by: Choosing) -> Row:
    return {"tokens_per_pick": by.tokens, "seconds_per_pick": by.seconds}


def ablation_cells(record: AblationRecord) -> list[Row]:
    """A row for each run, whole shuffles first."""
    levels = {arm_name(each): each for each in record.ablation.design}
    runs = [(run, True) for run in record.runs] + [(run, False) for run in record.unfinished]
    return [_run(run, levels[run.plan.arm], whole) for run, whole in runs]


def _run(run: Run, levels: Combination, whole: bool) -> Row:
    last, cost = run.cell.curve[-1], run.cell.cost
    row: Row = {
        "data": run.plan.data,
        "shuffle": run.plan.shuffle,
        "whole": whole,
        **{f"factor_{name}": str(level) for name, level in levels.items()},
        "human_labels": last.human_labels,
        "accuracy": last.accuracy,
        "macro_f1": last.macro_f1,
        "calls": cost.calls,
        "tokens_in": cost.tokens_in,
        "tokens_out": cost.tokens_out,
        "llm_seconds": cost.seconds,
    }
    return row | _beside(run)


def _beside(run: Run) -> Row:
    watched, cell = run.watched, run.cell
    if isinstance(watched, Selected):
        by, quarters = cell.choosing or Choosing(), cell.quartiles or (math.nan,) * 4
        own: Row = {"filled": cell.filled_share, "no_answer": by.refused, "wrong_number": by.miscounted}
        own |= {"progressions": by.progressions}
        return {**own, **{f"q{i}": share for i, share in enumerate(quarters, 1)}, "classes": _balance(by), **_price(by)}
    return {
        "texts": watched.texts,
        "ece": ece(watched),
        "label_mass": watched.mass,
        "abstained": watched.abstained,
        "no_answer": watched.failures,
        "tokens_per_text": watched.tokens,
        "seconds_per_text": watched.seconds,
    }


def effect_rows(record: AblationRecord) -> list[Row]:
    """A row for each effect that the design can show, over all sets and of each set alone."""
    if not record.runs:
        return []
    found: list[Row] = []
    for each in effects(record.results):
        for name, value in (("", each.effect), *each.by_set):
            found.append(
                {
                    "effect": named(each.contrast, record.ablation.factors),
                    "data": name or "all",
                    "measure": record.ablation.measure,
                    "tested": each.tested and not name,
                    "mean": value.mean,
                    "low": value.low,
                    "high": value.high,
                    "shuffles": value.n,
                    "p_corrected": each.p if not name else float("nan"),
                    "jaccard": each.overlap.jaccard if each.overlap and not name else float("nan"),
                    "jaccard_by_chance": each.overlap.chance if each.overlap and not name else float("nan"),
                }
            )
    return found
