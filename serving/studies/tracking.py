"""A study or an ablation in MLflow: one function, and nothing of MLflow is imported before it is called."""

import math
from importlib import import_module
from pathlib import Path
from typing import Any

from agent.errors import BadInput
from evaluation.ablation_design import named
from evaluation.ablation_effects import effects
from evaluation.shuffles import Effect
from evaluation.study_record import AblationRecord, Left, StudyLeft
from evaluation.verdicts import named as contrast_name
from serving.studies import folders

EXPERIMENT = "thresher"
_LONGEST = 500
"""Letters of a parameter that every version of MLflow takes."""


def log(folder: Path, store: str, experiment: str = EXPERIMENT) -> str:
    """Logs what lies in the folder as one finished run: parameters, numbers at the budget, and every file.

    Args:
        store: tracking store of MLflow, such as `sqlite:///mlflow.db` or the address of a server.

    Returns:
        The id of the run.

    Raises:
        BadInput: MLflow is missing, the store refuses, or there is no study in the folder.
    """
    left = folders.load(folder)
    library = _library()
    try:
        client = library.MlflowClient(tracking_uri=store)
        known = client.get_experiment_by_name(experiment)
        place = known.experiment_id if known else client.create_experiment(experiment)
        run: str = client.create_run(place, run_name=_name(left), tags=_tags(left)).info.run_id
        for key, value in params(left).items():
            client.log_param(run, key, value[:_LONGEST])
        for key, value in metrics(left).items():
            client.log_metric(run, key, value)
        client.log_artifacts(run, str(folder))
        client.set_terminated(run)
    except library.exceptions.MlflowException as error:
        said = str(error).splitlines()[0]
        raise BadInput(
            f"MLflow refuses {store!r}: {said}", "see that the store is one that this MLflow takes"
        ) from error
    return run


def params(left: Left) -> dict[str, str]:
    """What was done, as MLflow keeps it: names and values as words."""
    record = left.record if isinstance(left, StudyLeft) else left.study
    study = record.study
    found = {
        "sets": ", ".join(study.sets),
        "arms": ", ".join(arm.name for arm in study.arms),
        "students": ", ".join(student.name for student in study.students),
        "budget": str(study.budget),
        "pool": str(study.pool),
        "test": str(study.test),
        "part": study.part,
        "shuffles": str(study.shuffles),
        "llm": record.llm.name if record.llm else "none",
        "encoder": record.encoder.name if record.encoder else "none",
        "ended": record.ended,
    }
    if isinstance(left, AblationRecord):
        found |= {f"factor {k}": ", ".join(map(str, levels)) for k, levels in left.ablation.factors.items()}
    return found


def metrics(left: Left) -> dict[str, float]:
    """Every mean and difference with its interval and p; what is undefined is left out."""
    found: dict[str, float] = {}
    if isinstance(left, StudyLeft):
        for arm, student in left.overall.pairs:
            where = f"{arm} {student}".strip()
            for metric in ("accuracy", "macro_f1"):
                found |= _three(f"{metric}/{where}", left.overall.estimate(arm, student, metric))
        for each in left.overall.results():
            found |= _three(f"contrast/{contrast_name(each.contrast)}", each.overall, each.p)
    elif left.runs:
        for each in effects(left.results):
            found |= _three(f"effect/{named(each.contrast, left.ablation.factors)}", each.effect, each.p)
    return {_key(name): value for name, value in found.items() if not math.isnan(value)}


def _three(name: str, value: Effect, p: float = math.nan) -> dict[str, float]:
    return {f"{name}/mean": value.mean, f"{name}/low": value.low, f"{name}/high": value.high, f"{name}/p": p}


def _key(name: str) -> str:
    """MLflow takes letters of the alphabet, digits and a few signs."""
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_-./ ") else "_" for letter in name)


def _name(left: Left) -> str:
    return left.record.study.name if isinstance(left, StudyLeft) else left.ablation.name


def _tags(left: Left) -> dict[str, str]:
    record = left.record if isinstance(left, StudyLeft) else left.study
    kind, what = ("study", "cell") if isinstance(left, StudyLeft) else ("ablation", "run")
    return {"thresher.kind": kind, "thresher.version": record.thresher, "thresher.machine": record.worked.where(what)}


def _library() -> Any:
    try:
        return import_module("mlflow")
    except ImportError as error:
        raise BadInput("MLflow cannot be imported here", "pip install 'thresher[mlflow]'") from error
