"""What a study leaves: a record for each data set, the raw cells as tables, reports, and the study itself resolved."""

import csv
import io
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from agent.recipe import Recipe, WeightsUsed
from evaluation.overall import Overall, aside, curve_rows, of_set, summary
from evaluation.ranks_figure import critical_difference_svg
from evaluation.records import Arm, Cell, Comparison
from evaluation.report import write_report
from evaluation.split import SplitReport
from evaluation.study import Planned, Study, complete
from evaluation.study_arms import ZERO_SHOT
from prompts.messages import Frozen
from serving.runs import outputs
from serving.runs.results import caveats, models
from serving.runs.running import machine_line
from serving.runs.worker import gold_of
from serving.studies.jobs import Kind
from serving.studies.runner import Ended, Ready
from serving.system import atomic

WHOLE = "whole"
KINDS = ("training", "LLM", "choosing", "measuring")
_PACKAGES = ("numpy", "scipy", "scikit-learn", "scikit-activeml", "torch", "transformers", "ray")


class SetUsed(Frozen):
    """The data of a set as they were really used."""

    pool: str
    """SHA-256 over ids, texts and labels."""
    test: str
    split: SplitReport


class StudyRecord(Frozen):
    """The study as it was run: enough to see what was done, with what, and to do it again."""

    record: int = 1
    study: Study
    recipes: dict[str, Recipe]
    """What the arms amount to, by their names, with the first student."""
    thresher: str
    python: str
    packages: dict[str, str]
    machine: str
    sets: dict[str, SetUsed]
    encoder: WeightsUsed | None
    llm: WeightsUsed | None
    prompts: tuple[str, ...]
    planned: int
    """Cells."""
    done: int
    shuffles: dict[str, dict[str, int]]
    """Whole ones, by set and student."""
    ended: str
    full: dict[str, dict[str, float]]
    """Accuracy of students trained on every gold label of the pool, by set and student."""
    seconds: float
    """Of the process that finished it; a study that was started again took longer."""
    spent: dict[str, float]
    """Seconds inside all cells, by what took them."""
    made: str


def leave(work: Ready, ended: Ended, out: Path) -> str:
    """Writes everything and returns what to tell the user; `study.json` comes last."""
    study = work.study
    done = {item.plan: ended.done[item.key].record for item in work.items if item.plan and item.key in ended.done}
    whole = {plan: done[plan] for plan in complete(study, done)}
    record = record_of(work, ended, done, whole)
    sets = {name: comparison(work, ended, name, whole, record) for name in study.sets}
    out.mkdir(parents=True, exist_ok=True)
    overall = Overall(study, sets, record.full)
    for name, each in sets.items():
        said = overall.said(name)
        atomic.write(out / f"{name}.json", each.model_copy(update={"said": said}).model_dump_json())
        if each.cells:
            write_report(overall.sets[name].model_copy(update={"said": said}), out / f"{name}.html")
    for student, found in overall.ranks().items():
        atomic.write(out / f"ranks-{student}.svg", critical_difference_svg(found))
    write_rows(out, "cells", [row for plan, cell in done.items() for row in _rows(plan, cell, plan in whole)])
    write_rows(out, "curves", curve_rows(overall))
    text = told(overall, record)
    atomic.write(out / "tables.txt", f"{text}\n")
    atomic.write(out / "study.json", record.model_dump_json(indent=1))
    work.store.mark(work.bundle.run, "done", record.ended)
    files = "study.json, tables.txt, cells and curves (over labels and over costs) as .csv and .parquet"
    return f"{text}\n\n{out}: {files}, .json and .html of each data set"


def comparison(work: Ready, ended: Ended, name: str, whole: Mapping[Planned, Cell], record: StudyRecord) -> Comparison:
    """One data set: every cell of whole shuffles, trainings apart."""
    study, data = work.study, work.bundle.sets[name]
    names = data.card.task().names
    arms = [arm.shown(record.recipes[arm.name]) for arm in study.arms]
    cells = [cell for plan, cell in whole.items() if plan.data == name]
    if cells and (read := _referred(work, ended, ZERO_SHOT, name)):
        note = f"read from the first {study.llm.test_reads} test texts, nothing is trained"
        arms.append(Arm(name=ZERO_SHOT, title="the LLM itself, zero-shot", role="machine", note=note, fixed=True))
        cells += read
    job = next(i.job for i in work.items if i.data == name).model_copy(update={"llm": work.weights.llm})
    early = () if record.ended == WHOLE else (f"The study is not whole: {record.ended}.",)
    return Comparison(
        name=f"{study.name}-{name}",
        task=name,
        item=data.card.item,
        classes=names,
        budget=study.budget,
        pool_size=len(data.pool.columns),
        test_size=len(data.test.columns),
        gold=tuple(int(i) for i in gold_of(data.test, names)),
        arms=tuple(arms),
        cells=tuple(cells),
        student=study.students[0].name,
        models=models(job),
        data=data.card,
        split=data.split,
        prompts={p.split("@")[0]: p for p in record.prompts},
        settings=_settings(study, record, name),
        machine=record.machine,
        seconds=record.seconds,
        made=record.made,
        caveats=(*caveats(job), *early),
    )


def told(overall: Overall, record: StudyRecord) -> str:
    """For a terminal: each of several sets, then all of them together."""
    lines: list[str] = []
    for name, each in overall.sets.items():
        n = ", ".join(f"{student} {n}" for student, n in record.shuffles[name].items())
        lines += [f"{name}: whole shuffles: {n}", ""]
        if len(overall.sets) > 1:
            lines += [of_set(overall, name) if each.cells else "no whole shuffle", ""]
    if len(overall.sets) > 1:
        lines += ["all data sets", "", summary(overall), ""]
    else:
        lines += [summary(overall), *(line for name in overall.sets for line in aside(overall, name)), ""]
    lines.append(f"{record.done} of {record.planned} cells, {record.ended}; {record.seconds:.0f} s, {record.machine}")
    return "\n".join([*lines, *_where(record.spent)])


def _where(spent: Mapping[str, float]) -> list[str]:
    total = sum(spent.values())
    if not total:
        return []
    shares = ", ".join(f"{what} {seconds / total:.1%}" for what, seconds in spent.items())
    return [f"Time inside the cells, {total:.0f} s: {shares}."]


def record_of(work: Ready, ended: Ended, done: Mapping[Planned, Cell], whole: Mapping[Planned, Cell]) -> StudyRecord:
    """The study as it was run."""
    study = work.study
    shuffles = {
        name: {
            student.name: len({p.shuffle for p in whole if p.data == name and p.student == student.name})
            for student in study.students
        }
        for name in study.sets
    }
    full = {
        name: {cell.student: cell.curve[-1].accuracy for cell in _referred(work, ended, "full", name)}
        for name in study.sets
    }
    planned = sum(item.plan is not None for item in work.items)
    learner = study.students[0].learner
    return StudyRecord(
        study=study,
        recipes={arm.name: arm.built(learner, study.budget, study.llm.reads) for arm in study.arms},
        thresher=outputs.thresher_version(),
        python=platform.python_version(),
        packages={name: found for name in _PACKAGES if (found := _version(name))},
        machine=machine_line(),
        sets={n: SetUsed(pool=d.pool.digest, test=d.test.digest, split=d.split) for n, d in work.bundle.sets.items()},
        encoder=work.weights.encoder,
        llm=work.weights.llm,
        prompts=tuple(sorted({p for item in work.items for p in item.job.prompts})),
        planned=planned,
        done=len(done),
        shuffles=shuffles,
        ended=f"ended by its time limit of {study.minutes:g} minutes" if ended.late else WHOLE,
        full={name: row for name, row in full.items() if row},
        seconds=ended.seconds,
        spent=_spent(ended),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _referred(work: Ready, ended: Ended, kind: Kind, name: str) -> list[Cell]:
    """The reference rows of a set that were done."""
    wanted = [item.key for item in work.items if item.kind == kind and item.data == name]
    return [ended.done[key].record for key in wanted if key in ended.done]


def _spent(ended: Ended) -> dict[str, float]:
    """Seconds by what took them, over all cells whose times are known; `other` is what is none of these."""
    total: dict[str, float] = dict.fromkeys((*KINDS, "other"), 0.0)
    for spent in (each.spent for each in ended.done.values()):
        if spent is not None:
            for what in KINDS:
                total[what] += spent.parts.get(what, 0.0)
            total["other"] += spent.seconds - sum(spent.parts.values())
    return total


def _settings(study: Study, record: StudyRecord, name: str) -> dict[str, str]:
    return {
        "study": study.name,
        "whole shuffles": ", ".join(f"{student} {n}" for student, n in record.shuffles[name].items()),
        "trainings of each shuffle": ", ".join(f"{s.name} {s.trainings or study.trainings}" for s in study.students),
        "rows used": study.part,
        "people": "simulated from gold",
        "error rate of simulated people": f"{study.people.noise:.0%}",
        "texts the LLM labels": str(study.llm.reads),
        "students": "; ".join(student.learner.model_dump_json() for student in study.students),
    }


def write_rows(out: Path, stem: str, rows: Sequence[Mapping[str, object]]) -> None:
    """As CSV and as Parquet; all rows have the same keys."""
    columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else {})}
    beside = out / f".{stem}.parquet.part"
    pq.write_table(pa.table(columns), beside)
    beside.replace(out / f"{stem}.parquet")
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(row.values() for row in rows)
    atomic.write(out / f"{stem}.csv", text.getvalue())


def _rows(plan: Planned, cell: Cell, whole: bool) -> list[dict[str, object]]:
    """A row for each point of the curve, also of shuffles that are not whole."""
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
            "tokens_out": point.cost.tokens_out,
            "llm_seconds": point.cost.seconds,
            "filled_share": cell.filled_share,
            "stop": cell.stop,
            "spec": cell.spec,
        }
        for point in cell.curve
    ]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
