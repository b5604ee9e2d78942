"""From cells to what people read: the comparison or the summary of a run, and the files in the user's folder."""

from collections import Counter
from pathlib import Path

import numpy as np

from agent.domain import Annotation, Cost
from agent.loop import Outcome
from agent.pool import Pool
from agent.query.diagnose import MOST_FILLED
from evaluation.asides import asides, chosen
from evaluation.audit import audit
from evaluation.cards import cards
from evaluation.records import Arm, Comparison, LabelAudit, ModelCard, RunSummary
from evaluation.report import write_report
from evaluation.table import table
from serving.runs import outputs
from serving.runs.job import Job, People
from serving.runs.outputs import Record
from serving.runs.worker import Worker, gold_of
from serving.system import atomic

FILES = ("labels.jsonl", "student", "report.html", "report.json", "run.json")


def leave(worker: Worker, record: Record, folder: Path) -> str:
    """Writes everything and returns what to tell the user.

    Each file appears whole; `run.json` comes last, so that its presence means the rest is there.
    """
    outcome = worker.outcome(worker.job.main)
    folder.mkdir(parents=True, exist_ok=True)
    outputs.write_labels(folder / "labels.jsonl", outcome.pool)
    outputs.write_student(folder / "student", outcome)
    report = report_of(worker, record, outcome)
    write_report(report, folder / "report.html")
    atomic.write(folder / "report.json", report.model_dump_json())
    outputs.write_record(folder / "run.json", record)
    return f"\n{said(report)}\n\n{folder}: {', '.join(FILES)}"


def said(report: Comparison | RunSummary) -> str:
    """A report in the lines of a terminal."""
    return f"{table(report)}\n\n{asides(report)}" if isinstance(report, Comparison) else told(report)


def told(run: RunSummary) -> str:
    """A run without a comparison, for the terminal."""
    labels = ", ".join(f"{each.label} {each.human + each.confirmed + each.machine}" for each in run.labels)
    people = sum(each.human + each.confirmed for each in run.labels)
    stop = f"{run.stop.rule}: {run.stop.reason}" if run.stop else "–"
    lines = [
        f"labels: {labels}, of which people gave {people}; {run.generated} texts were generated",
        f"stopped: {stop}",
    ]
    if run.renamed:
        why = f"the fallback made more than {MOST_FILLED:.0%} of the LLM's picks"
        lines.insert(0, f"{run.renamed} (was {run.recipe}): {why}")
    lines += chosen([run])
    if run.curve:
        lines.append(f"student: {run.curve[-1].accuracy:.1%} of the test texts right")
    return "\n".join(lines)


def report_of(worker: Worker, record: Record, outcome: Outcome) -> Comparison | RunSummary:
    """A comparison where several arms ran and a test set is known, else the summary of the one run."""
    if len(worker.job.arms) > 1 and worker.test is not None:
        return comparison(worker, record, outcome)
    return summary(worker, record, outcome)


def comparison(worker: Worker, record: Record, outcome: Outcome) -> Comparison:
    """All arms at equal human labels."""
    job, test = worker.job, worker.test
    assert test is not None
    arms = [each.arm for each in job.arms]
    if any(cell.arm == "zero-shot" for cell in record.cells):
        note = f"read from the first {job.test_reads} test texts, nothing is trained"
        arms.append(Arm(name="zero-shot", title="the LLM itself, zero-shot", role="machine", note=note, fixed=True))
    names = job.task.names
    return Comparison(
        name=job.id,
        task=job.task.name,
        item=job.task.item,
        classes=names,
        budget=job.budget,
        pool_size=len(worker.table.columns),
        test_size=len(test.columns),
        gold=tuple(int(i) for i in gold_of(test, names)),
        arms=tuple(arms),
        cells=record.cells,
        student=job.learners[0].name,
        models=models(job),
        data=next((card for card in cards() if card.name == job.data_card), None),
        split=job.split,
        labels=label_audit(worker, outcome.pool),
        prompts={p.split("@")[0]: p for p in job.prompts},
        settings=_settings(job),
        machine=record.machine,
        seconds=record.seconds,
        made=record.made,
        caveats=caveats(job),
    )


def summary(worker: Worker, record: Record, outcome: Outcome) -> RunSummary:
    """One run on the user's own texts."""
    job, pool, cell = worker.job, outcome.pool, record.cells[0]
    standing, (machine, people) = list(pool.standing().values()), _repeats(outcome)
    return RunSummary(
        run=job.id,
        title=job.title,
        task=job.task.name,
        item=job.task.item,
        classes=job.task.names,
        pool_size=len(worker.table.columns),
        budget=job.budget,
        recipe=job.arms[0].recipe.name,
        student=cell.student,
        seed=cell.seed,
        labels=outputs.label_counts(pool),
        by=dict(Counter(a.by for a in standing if a.answer.label is not None)),
        abstained=sum(a.answer.label is None for a in standing),
        generated=sum(r.accepted for r in outcome.history),
        rejected=sum(r.rejected for r in outcome.history),
        rounds=outcome.history,
        stop=outcome.stop,
        cost=sum((r.cost for r in outcome.history), Cost()),
        agreement=machine,
        agreement_human=people,
        audit=label_audit(worker, pool),
        curve=cell.curve if worker.test is not None else (),
        scouts=cell.scouts,
        filled_share=cell.filled_share,
        quartiles=cell.quartiles,
        renamed=cell.renamed,
        notes=cell.notes,
        models=models(job),
        prompts={p.split("@")[0]: p for p in job.prompts},
        settings=_settings(job),
        machine=record.machine,
        seconds=record.seconds,
        made=record.made,
        files=FILES,
        caveats=caveats(job),
    )


def label_audit(worker: Worker, pool: Pool) -> LabelAudit | None:
    """The LLM's labels beside gold where all gold is known, else beside people's where both labelled a text."""
    machine = {a.example: a for a in pool.annotations if a.provenance == "machine" and a.answer.calibrated}
    standing = pool.standing().values()  # where several people answered, what they came to
    people = {a.example: str(a.answer.label) for a in standing if a.provenance != "machine" and a.answer.label}
    simulated = worker.job.people.kind == "simulated"
    truth = worker.table.gold if simulated else people
    rows = [(pool.row[id_], a) for id_, a in machine.items() if id_ in truth]
    if not rows:
        return None
    names = pool.task.names
    return audit(
        np.asarray([names.index(truth[a.example]) for _, a in rows], dtype=np.intp),
        pool.targets([a for _, a in rows]),
        [pool.columns.texts[row] for row, _ in rows],
        names,
        raw=np.stack([_raw(a, names) for _, a in rows]),
        model=worker.job.llm.name if worker.job.llm else "",
        against="gold labels" if simulated else "people's labels, on texts where the LLM was unsure or disputed",
    )


def _raw(a: Annotation, names: tuple[str, ...]) -> np.ndarray:
    assert a.answer.raw is not None
    return np.asarray([a.answer.raw[name] for name in names])


def _repeats(outcome: Outcome) -> tuple[float | None, float | None]:
    """Shares of machine and of people's labels that the final student repeats."""
    labelled = outcome.pool.labelled()
    same = outcome.student.predict(labelled.columns).argmax(axis=1) == labelled.targets.argmax(axis=1)
    shares = [float(same[rows].mean()) if rows.any() else None for rows in (~labelled.human, labelled.human)]
    return shares[0], shares[1]


def models(job: Job) -> tuple[ModelCard, ...]:
    used = (("LLM", job.llm), ("student and encoder", job.encoder))
    return tuple(
        ModelCard(role=role, name=each.name, variant=each.variant, hash=each.hash, source=each.source)
        for role, each in used
        if each is not None
    )


def _answering(people: People) -> str:
    match people.kind:
        case "simulated":
            return "simulated from gold"
        case "file":
            return "a person, through a file"
        case "queue":
            each = f", {people.overlap} for each text" if people.overlap > 1 else ""
            return f"people{each}, through the review queue; suggestions hidden on {people.blind:.0%} of the texts"


def _settings(job: Job) -> dict[str, str]:
    return {
        "seeds": ", ".join(map(str, job.seeds)),
        "people": _answering(job.people),
        "error rate of simulated people": f"{job.people.noise:.0%}" if job.people.kind == "simulated" else "–",
        "texts the LLM labels": str(job.reads),
        "texts its prior is estimated from": str(job.sample),
        "students": "; ".join(learner.model_dump_json() for learner in job.learners),
    }


def caveats(job: Job) -> tuple[str, ...]:
    found: list[str] = []
    if job.llm is not None and "coder" in job.llm.variant.casefold():
        bits = ", its weights quantised to four bits" if "q4" in job.llm.variant.casefold() else ""
        found.append(f"The LLM is {job.llm.variant}: the Coder variant, not the plain instruct model{bits}.")
    if job.people.kind == "simulated":
        found.append("People are simulated from gold labels; real people err and take longer on hard texts.")
    if job.people.kind != "simulated":
        found.append(
            "Texts for people were chosen where the LLM was unsure: agreement on them is no estimate for the rest."
        )
    return tuple(found)
