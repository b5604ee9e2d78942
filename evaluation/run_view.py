"""One run without gold labels as its page shows it."""

import math

from evaluation import diagrams
from evaluation.audit_view import audit_figures, audit_view, share
from evaluation.curves import Evidence
from evaluation.figures import learning_curves
from evaluation.records import Arm, Cell, Comparison, LabelCount, RunSummary
from evaluation.views import View, shares

Pairs = list[tuple[str, str]]


def run_view(run: RunSummary) -> View:
    """Everything that the page of a run prints; what is not known is absent."""
    measures = list(dict.fromkeys(name for each in run.rounds for name in each.measures))
    return {
        "title": f"{run.title or run.task}: report of run {run.run}",
        "lead": _lead(run),
        "sentences": _sentences(run),
        "facts": _facts(run),
        "counts": [_count(each) for each in run.labels],
        "by": [(who, f"{n:,}") for who, n in run.by.items()],
        "curves": _curve(run),
        "rounds": _rounds(run, measures),
        "measures": measures,
        "spend": _spend(run),
        "agreement": _agreement(run),
        "audit": audit_view(run.audit, run.classes) if run.audit else None,
        "audit_figures": audit_figures(run.audit) if run.audit else [],
        "classes": run.classes,
        "quartiles": diagrams.quartiles(run.quartiles, "Picks by position") if run.quartiles else "",
        "filled": "" if run.filled_share is None else share(run.filled_share),
        "settings": _settings(run),
        "cards": list(run.models),
        "files": run.files,
        "caveats": run.caveats,
        "inks": [],
    }


def _lead(run: RunSummary) -> str:
    human = sum(each.human + each.confirmed for each in run.labels)
    machine = sum(each.machine for each in run.labels)
    return f"{human + machine:,} {run.item}s labelled: {human:,} by people, {machine:,} by the LLM."


def _sentences(run: RunSummary) -> list[str]:
    said: list[str] = []
    if run.stop:
        said.append(f"It stopped because {run.stop.reason}.")
    if run.curve and not math.isnan(run.curve[-1].accuracy):
        said.append(f"The student is right on {share(run.curve[-1].accuracy)} of the test set that was given.")
    elif not run.audit:
        said.append("Nothing here says how accurate the labels are: there was no test set and no audit by people.")
    return said


def _facts(run: RunSummary) -> Pairs:
    facts = [
        (run.pool_size, f"{run.item}s in the pool"),
        (run.budget, "human labels allowed"),
        (run.cost.human_labels, "human labels spent"),
        (run.generated, "texts written by the LLM and kept"),
        (run.abstained, "texts the LLM abstained on"),
    ]
    return [(f"{value:,}", name) for value, name in facts if value]


def _count(each: LabelCount) -> View:
    counts = {"human": each.human, "confirmed": each.confirmed, "machine": each.machine}
    bar = shares({kind: float(n) for kind, n in counts.items()})
    return {"name": each.label, **counts, "all": sum(counts.values()), "shares": bar}


def _curve(run: RunSummary) -> str:
    """The run as a comparison of one arm, so that its curve is drawn as every other."""
    if len(run.curve) < 2 or len(run.classes) < 2:
        return ""
    student = run.student or "student"
    alone = Comparison(
        name=run.run,
        task=run.task,
        classes=run.classes,
        budget=max(point.human_labels for point in run.curve),
        arms=(Arm(name=run.recipe or "this run", role="agent"),),
        cells=(Cell(arm=run.recipe or "this run", seed=run.seed or 0, student=student, curve=run.curve),),
    )
    return learning_curves(alone, Evidence(alone), student)


def _rounds(run: RunSummary, measures: list[str]) -> list[list[str]]:
    rows: list[list[str]] = []
    for each in run.rounds:
        numbers = (each.index + 1, each.human_labels, each.machine_labels, each.picked, each.filled)
        cost = each.cost
        row = [f"{number:,}" for number in numbers]
        row += [f"{each.accepted:,} / {each.rejected:,}", f"{cost.calls:,}", f"{cost.tokens_in + cost.tokens_out:,}"]
        row += [f"{cost.seconds:,.0f}"]
        rows.append(row + [_measure(each.measures.get(name, math.nan)) for name in measures])
    return rows


def _measure(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _spend(run: RunSummary) -> Pairs:
    cost = run.cost
    rows = [
        ("human labels", f"{cost.human_labels:,}"),
        ("human minutes", f"{cost.human_seconds / 60:,.1f}"),
        ("LLM calls", f"{cost.calls:,}"),
        ("tokens in", f"{cost.tokens_in:,} ({cost.cached_tokens:,} cached)"),
        ("tokens out", f"{cost.tokens_out:,}"),
        ("LLM seconds", f"{cost.seconds:,.0f}"),
    ]
    if cost.money:
        rows.append(("money", f"{cost.money:,.2f}"))
    return rows + ([("wall time", f"{run.seconds / 60:,.1f} minutes")] if run.seconds is not None else [])


def _agreement(run: RunSummary) -> Pairs:
    rows = (
        ("student repeats the LLM's labels", run.agreement),
        ("student repeats people's labels", run.agreement_human),
    )
    return [(name, share(value)) for name, value in rows if value is not None]


def _settings(run: RunSummary) -> Pairs:
    head = (("recipe", run.recipe), ("student", run.student), ("seed", "" if run.seed is None else str(run.seed)))
    tail = (("machine", run.machine), ("made", run.made))
    prompts = [(f"prompt: {use}", fingerprint) for use, fingerprint in run.prompts.items()]
    known = [pair for pair in (*head, *run.settings.items(), *prompts, *tail) if pair[1]]
    return [(name, value) for name, value in known]
