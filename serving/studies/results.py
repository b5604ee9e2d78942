"""What a study leaves: a record for each data set, the study itself resolved, and all that is made from these."""

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from agent.recipe import Recipe
from evaluation.records import Arm, Cell, Comparison
from evaluation.study import Planned, Study, complete
from evaluation.study_arms import ZERO_SHOT
from evaluation.study_record import WHOLE, Raw, SetUsed, StudyLeft, StudyRecord
from evaluation.walltime import Worked, worked
from serving.roles.fingerprints import wordings
from serving.runs import outputs
from serving.runs.job import Job
from serving.runs.results import caveats, models
from serving.runs.worker import gold_of
from serving.studies import folders
from serving.studies.data import DataSet
from serving.studies.jobs import Item, Kind
from serving.studies.runner import Ended, Ready

KINDS = ("training", "LLM", "choosing", "measuring")
_PACKAGES = ("numpy", "scipy", "scikit-learn", "scikit-activeml", "torch", "transformers", "ray")


def leave(work: Ready, ended: Ended, out: Path, source: str = "") -> str:
    """Writes everything and returns what to tell the user; `manifest.json` comes last.

    Args:
        source: the study file as it was given.
    """
    study = work.study
    done = {
        item.plan: curved(ended.done[item.key].record, study.recipe(item.plan.arm, item.plan.student))
        for item in work.items
        if item.plan and item.key in ended.done
    }
    whole = {plan: done[plan] for plan in complete(study, done)}
    rest = tuple(Raw(plan=plan, cell=cell) for plan, cell in done.items() if plan not in whole)
    record = record_of(work, ended, done, whole).model_copy(update={"unfinished": rest})
    sets = {name: comparison(work, ended, name, whole, record) for name in study.sets}
    said = folders.keep(StudyLeft(record, sets), out, source)
    work.store.mark(work.bundle.run, "done", record.ended)
    return said


def curved(cell: Cell, recipe: Recipe) -> Cell:
    """A scout that is the learner is the student before its end: what it was after each round is on the curve."""
    if recipe.scout != recipe.learner:
        return cell
    return cell.model_copy(update={"curve": (*cell.scouts[:-1], *cell.curve), "scouts": ()})


def comparison(work: Ready, ended: Ended, name: str, whole: Mapping[Planned, Cell], record: StudyRecord) -> Comparison:
    """One data set: every cell of whole shuffles, trainings apart."""
    study, used = work.study, record.sets[name]
    arms = [arm.shown(record.recipes[arm.name]) for arm in study.arms]
    cells = [cell for plan, cell in whole.items() if plan.data == name]
    if study.llm.test_reads:  # an arm of every set, read or not: a contrast may name it
        note = f"read from the first {study.llm.test_reads} test texts, nothing is trained"
        arms.append(Arm(name=ZERO_SHOT, title="the LLM itself, zero-shot", role="machine", note=note, fixed=True))
        cells += _referred(work, ended, ZERO_SHOT, name) if cells else []
    by = _worked([item for item in work.items if item.data == name], ended)
    early = () if record.ended == WHOLE else (f"The study is not whole: {record.ended}.",)
    return Comparison(
        name=f"{study.name}-{name}",
        task=name,
        item=used.card.item,
        classes=used.card.task().names,
        budget=study.budget,
        pool_size=len(work.bundle.sets[name].pool.columns),
        test_size=len(used.gold),
        gold=used.gold,
        arms=tuple(arms),
        cells=tuple(cells),
        student=study.students[0].name,
        models=record.models,
        data=used.card,
        split=used.split,
        prompts={p.split("@")[0]: p for p in record.prompts},
        settings=_settings(study, record, name),
        machine=by.where("cell"),
        seconds=None if by.lacking else by.wall,
        made=record.made,
        caveats=(*record.caveats, *early),
    )


def record_of(work: Ready, ended: Ended, done: Mapping[Planned, Cell], whole: Mapping[Planned, Cell]) -> StudyRecord:
    """The study as it was run."""
    study, learner = work.study, work.study.students[0].learner
    full = {name: tuple(_referred(work, ended, "full", name)) for name in study.sets}
    job: Job = work.items[0].job.model_copy(update={"llm": work.weights.llm})
    prompts, texts = _prompts(work)
    return StudyRecord(
        study=study,
        recipes={arm.name: arm.built(learner, study.budget, study.llm.reads) for arm in study.arms},
        thresher=outputs.thresher_version(),
        python=platform.python_version(),
        packages={name: found for name in _PACKAGES if (found := _version(name))},
        sets={name: _used(data) for name, data in work.bundle.sets.items()},
        encoder=work.weights.encoder,
        llm=work.weights.llm,
        models=models(job),
        prompts=prompts,
        wordings=texts,
        planned=sum(item.plan is not None for item in work.items),
        done=len(done),
        shuffles=_shuffles(study, whole),
        ended=_ended(study.minutes) if ended.late else WHOLE,
        full={name: cells for name, cells in full.items() if cells},
        worked=_worked(work.items, ended),
        spent=_spent(ended),
        caveats=caveats(job),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _ended(minutes: float | None) -> str:
    return f"ended by its time limit of {minutes:g} minute{'' if minutes == 1 else 's'}"


def _prompts(work: Ready) -> tuple[tuple[str, ...], dict[str, str]]:
    """Fingerprints of all prompts that jobs name, and the wording of each."""
    used = sorted({p for item in work.items for p in item.job.prompts})
    known: dict[str, str] = {}
    for item in work.items:
        for each in item.job.arms:
            known |= wordings(each.recipe)
    return tuple(used), {each: known[each] for each in used if each in known}


def _used(data: DataSet) -> SetUsed:
    gold = tuple(int(i) for i in gold_of(data.test, data.card.task().names))
    return SetUsed(pool=data.pool.digest, test=data.test.digest, split=data.split, card=data.card, gold=gold)


def _shuffles(study: Study, whole: Mapping[Planned, Cell]) -> dict[str, dict[str, int]]:
    return {
        name: {
            student.name: len({p.shuffle for p in whole if p.data == name and p.student == student.name})
            for student in study.students
        }
        for name in study.sets
    }


def _referred(work: Ready, ended: Ended, kind: Kind, name: str) -> list[Cell]:
    """The reference rows of a set that were done."""
    wanted = [item.key for item in work.items if item.kind == kind and item.data == name]
    return [ended.done[key].record for key in wanted if key in ended.done]


def _worked(items: Sequence[Item], ended: Ended) -> Worked:
    """When and where these items were done, reference rows among them."""
    found = [(item, ended.done[item.key].spent) for item in items if item.key in ended.done]
    references = sum(item.plan is None for item, _ in found)
    return worked([None if spent is None else spent.span for _, spent in found], references)


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


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
