"""A run as others see it: where it stands, what its rounds came to, what it has spent."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from pydantic import Field

from agent.domain import Batch, Cost, Pick, Round
from evaluation.records import Point
from prompts.messages import Frozen
from serving.runs.job import Job
from serving.runs.store import NoRun, State, Store, StoredRun


class Progress(Frozen):
    """How far a run was when it last said so."""

    share: float = Field(description="Of the time that it takes in all, as far as that is known; 0 to 1.")
    left: float = Field(description="Seconds that are left, as far as that is known.")
    doing: str


class RunShown(Frozen):
    """One run."""

    id: str
    title: str
    task: str = Field(description="Name of the task.")
    recipe: str
    state: State
    why: str = Field(description="Why it stopped, what it waits for, or what went wrong.")
    created: str = Field(description="ISO 8601, UTC.")
    updated: str = Field(description="When its state last changed.")
    origin: str = Field(description="`service`, or `cli` for a run that a command line works on.")
    budget: int = Field(description="Labels that people give, in all.")
    cells: int = Field(description="Runs of the loop that it consists of: arms by students by seeds.")
    finished: int = Field(description="Cells that are done.")
    human_labels: int = Field(description="People's labels so far, in the user's own cell.")
    machine_labels: int
    cost: Cost = Field(description="Spent so far by the user's own cell.")
    progress: Progress | None = Field(default=None, description="While it is being worked on; null in a list.")


class RunList(Frozen):
    items: tuple[RunShown, ...]
    next: str | None = Field(description="Give it as `after` for the rest; null where this is all.")


class History(Frozen):
    """What the user's own cell has come to, round by round."""

    rounds: tuple[Round, ...]
    points: tuple[Point, ...] = Field(description="The learning curve on the test set; empty where there is none.")


class PickShown(Frozen):
    """One text that was chosen, and why."""

    example: str
    text: str
    text_b: str | None
    origin: str = Field(description="`pool`, or `generated` for one that the LLM wrote.")
    score: float | None
    why: str = Field(description="What the chooser said.")
    shown: int | None = Field(description="Position in the list that the LLM was shown, from 0.")
    listed: int | None = Field(description="Length of that list.")
    filled: bool = Field(description="Whether the fallback chose it because the LLM did not.")


class RoundShown(Frozen):
    """What one round chose."""

    index: int
    by: str
    picks: tuple[PickShown, ...]
    notes: dict[str, float] = Field(description="Counts of refused replies, unknown ids and the like.")


def chosen(store: Store, run: StoredRun, index: int) -> RoundShown:
    """The picks of a round of the user's own cell, in order. Raises NoRun where it has chosen none yet."""
    key = f"{job_of(run.job).main.key()}/{index}/query"
    found = store.recorded(run.id, key, key).get(key)
    if found is None:
        raise NoRun(f"round {index} of run {run.id!r} has chosen nothing yet", "see /v1/runs/{run}/history")
    batch = Batch.model_validate_json(found)
    return RoundShown(index=index, by=batch.by, picks=tuple(map(_pick, batch.picks)), notes=batch.notes)


def _pick(pick: Pick) -> PickShown:
    example = pick.example
    given = {name: getattr(pick, name) for name in ("score", "why", "shown", "listed", "filled")}
    return PickShown(example=example.id, text=example.text, text_b=example.text_b, origin=example.origin, **given)


def shown(store: Store, run: StoredRun) -> RunShown:
    """One run, with its progress while it is being worked on."""
    found = shown_all(store, [run])[0]
    told = store.told(run.id) if run.state == "running" else None
    return found if told is None else found.model_copy(update={"progress": Progress.model_validate(told)})


def shown_all(store: Store, found: Sequence[StoredRun]) -> tuple[RunShown, ...]:
    """Runs in the same order, looked up together."""
    progress = store.progress([run.id for run in found])
    return tuple(_shown(run, progress[run.id]) for run in found)


def _shown(run: StoredRun, progress: Mapping[str, str]) -> RunShown:
    job = job_of(run.job)
    rounds = _rounds({key: value for key, value in progress.items() if _of_main(job, key)})
    return RunShown(
        id=run.id,
        title=job.title or job.task.name,
        task=job.task.name,
        recipe=job.arms[0].recipe.name,
        state=run.state,
        why=run.why,
        created=run.created,
        updated=run.updated,
        origin=run.origin,
        budget=job.budget,
        cells=len(job.cells()),
        finished=sum(key.endswith("/cell") for key in progress),
        human_labels=rounds[-1].human_labels if rounds else 0,
        machine_labels=rounds[-1].machine_labels if rounds else 0,
        cost=sum((each.cost for each in rounds), Cost()),
    )


def history(store: Store, run: StoredRun) -> History:
    """The recorded rounds and measurements of the user's own cell, in order."""
    start = f"{job_of(run.job).main.key()}/"
    rounds = store.recorded(run.id, start, "/round")
    points = store.recorded(run.id, start, "/test")
    measured = [Point.model_validate_json(points[key]) for key in sorted(points, key=_index)]
    return History(
        rounds=_rounds(rounds),
        points=tuple(point for point in measured if point.predictions is not None),
    )


@lru_cache(maxsize=512)
def job_of(text: str) -> Job:
    """What a run is to do. Never changed after it was recorded, and asked for with every look at a run."""
    return Job.model_validate_json(text)


def _of_main(job: Job, key: str) -> bool:
    return key.startswith(f"{job.main.key()}/") and key.endswith("/round")


def _rounds(recorded: Mapping[str, str]) -> tuple[Round, ...]:
    return tuple(Round.model_validate_json(recorded[key]) for key in sorted(recorded, key=_index))


def _index(key: str) -> int:
    return int(key.split("/")[-2])
