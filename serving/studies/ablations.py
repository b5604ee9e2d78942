"""Prompt ablations: studies whose arms are the cells of a design, held against that design before they run."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from agent.domain import Batch
from agent.errors import BadInput
from agent.students import InContext
from evaluation.ablation import Ablation, Annotating, Selecting, arm_name, task_of
from evaluation.ablation_alike import demand_alike
from evaluation.ablation_design import Combination
from evaluation.ablation_watch import Labelled, Run, Selected, selected
from evaluation.datasets import Fetcher
from evaluation.study import Planned, complete, planned
from evaluation.study_record import AblationRecord
from serving.connect import Setting
from serving.roles.fingerprints import fingerprints
from serving.runs import wiring
from serving.runs.store import Store
from serving.studies import folders, runner
from serving.studies.data import DataSet
from serving.studies.hand import Bundle
from serving.studies.jobs import Item, Weights, cell, items
from serving.studies.readings import WATCHED
from serving.studies.results import record_of
from serving.studies.runner import Ended, Ready


def prepare(ablation: Ablation, setting: Setting, out: Path, fetcher: Fetcher | None = None) -> Ready:
    """Brings data and models, and records that the ablation begins. Raises ThresherError as a study does."""
    study = ablation.study()
    if isinstance(ablation.subject, Selecting):
        return ready(ablation, *runner.brought(study, setting, fetcher), out)
    sets = runner.data_sets(study, setting, fetcher)
    served = runner.connected(study, setting)
    bundle = Bundle(run="", settings=setting.settings, sets=sets, vectors={}, served=served)  # labels need no vectors
    return ready(ablation, bundle, Weights(None, wiring.used(served)), out)


def ready(ablation: Ablation, bundle: Bundle, weights: Weights, out: Path) -> Ready:
    """Everything is at hand.

    Raises:
        BadInput: runs would differ in something that is no factor, or not at all.
    """
    study = ablation.study()
    work = items(study, bundle.sets, weights)
    if isinstance(ablation.subject, Annotating):
        levels = {arm_name(each): each for each in ablation.design}
        work = tuple(_reading(ablation, levels, bundle.sets, weights, plan) for plan in planned(study))
    check(ablation, work)
    return runner.ready(study, replace(bundle, run=f"ablation-{ablation.name}"), weights, out, work)


def check(ablation: Ablation, work: tuple[Item, ...]) -> None:
    """Holds what is about to run against the design, for each set and shuffle. Raises BadInput as `demand_alike`."""
    names = [arm_name(each) for each in ablation.design]
    blocks: dict[tuple[str, int], dict[str, Item]] = {}
    for item in work:
        assert item.plan is not None
        blocks.setdefault((item.data, item.plan.shuffle), {})[item.plan.arm] = item
    for (data, _), block in blocks.items():
        try:
            demand_alike([block[name].job.model_dump(mode="json") for name in names], ablation.design, names)
        except BadInput as error:
            raise BadInput(f"{ablation.name}, {data}: {error.what}", error.hint) from error


def leave(ablation: Ablation, work: Ready, ended: Ended, out: Path, source: str = "") -> str:
    """Writes everything and returns what to tell the user; `manifest.json` comes last.

    Args:
        source: the ablation file as it was given.
    """
    done = {item.plan: ended.done[item.key].record for item in work.items if item.plan and item.key in ended.done}
    whole = {plan: done[plan] for plan in complete(work.study, done)}
    watched = {item.plan: _watched(ablation, item, work) for item in work.items if item.plan in done}
    runs = {plan: Run(plan=plan, cell=each, watched=watched[plan]) for plan, each in done.items()}
    left = AblationRecord(
        ablation=ablation,
        study=record_of(work, ended, done, whole),
        runs=tuple(runs[plan] for plan in whole),
        unfinished=tuple(run for plan, run in runs.items() if plan not in whole),
    )
    said = folders.keep(left, out, source)
    work.store.mark(work.bundle.run, "done", left.study.ended)
    return said


def _reading(
    ablation: Ablation,
    levels: Mapping[str, Combination],
    sets: Mapping[str, DataSet],
    weights: Weights,
    plan: Planned,
) -> Item:
    """A run in which the LLM labels: the job names the wording of the labels, the demonstrations and the reads."""
    subject = ablation.cell(levels[plan.arm])
    assert isinstance(subject, Annotating)
    job = cell(ablation.study(), sets, weights, plan).job
    learner = InContext(shown=subject.shots, reads=subject.base)
    recipe = job.arms[0].recipe.model_copy(update={"learner": learner})
    update = {
        "task": task_of(job.task, subject),
        "arms": (job.arms[0].model_copy(update={"recipe": recipe}),),
        "learners": (learner,),
        "sample": subject.sample,
        "prompts": tuple(sorted(fingerprints(recipe))),
    }
    return Item("reading", plan.data, job.model_copy(update=update), plan)


def _watched(ablation: Ablation, item: Item, work: Ready) -> Selected | Labelled:
    """What the steps that a run has recorded say of it."""
    store, run = work.store, work.bundle.run
    if item.kind == "reading":
        (found,) = store.recorded(run, f"{item.key}/", f"/{WATCHED}").values()
        return Labelled.model_validate_json(found)
    batches = _batches(store, run, f"{item.key}/{item.job.main.key()}/")
    subject = ablation.cell(next(each for each in ablation.design if arm_name(each) == item.job.main.arm))
    assert isinstance(subject, Selecting)
    pool = work.bundle.sets[item.data].pool.columns
    window = subject.base.window(min(subject.batch, subject.budget), len(pool))
    return selected(batches, window)


def _batches(store: Store, run: str, prefix: str) -> list[Batch]:
    """In the order of the rounds."""
    found = store.recorded(run, prefix, "/query")
    index = partial(_round, prefix)
    return [Batch.model_validate_json(found[key]) for key in sorted(found, key=index)]


def _round(prefix: str, key: str) -> int:
    return int(key.removeprefix(prefix).removesuffix("/query"))
