"""A run as others see it: where it stands, what its rounds came to, what it has spent."""

from pydantic import Field

from agent.domain import Cost, Round
from evaluation.records import Point
from prompts.messages import Frozen
from serving.runs.job import Job
from serving.runs.store import State, Store, StoredRun


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


class RunList(Frozen):
    items: tuple[RunShown, ...]
    next: str | None = Field(description="Give it as `after` for the rest; null where this is all.")


class History(Frozen):
    """What the user's own cell has come to, round by round."""

    rounds: tuple[Round, ...]
    points: tuple[Point, ...] = Field(description="The learning curve on the test set; empty where there is none.")


def shown(store: Store, run: StoredRun) -> RunShown:
    job = Job.model_validate_json(run.job)
    rounds = history(store, run).rounds
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
        finished=store.count(run.id, "/cell"),
        human_labels=rounds[-1].human_labels if rounds else 0,
        machine_labels=rounds[-1].machine_labels if rounds else 0,
        cost=sum((each.cost for each in rounds), Cost()),
    )


def history(store: Store, run: StoredRun) -> History:
    """The recorded rounds and measurements of the user's own cell, in order."""
    start = f"{Job.model_validate_json(run.job).main.key()}/"
    rounds = store.recorded(run.id, start, "/round")
    points = store.recorded(run.id, start, "/test")
    measured = [Point.model_validate_json(points[key]) for key in sorted(points, key=_index)]
    return History(
        rounds=tuple(Round.model_validate_json(rounds[key]) for key in sorted(rounds, key=_index)),
        points=tuple(point for point in measured if point.predictions is not None),
    )


def _index(key: str) -> int:
    return int(key.split("/")[-2])
