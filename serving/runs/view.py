"""A run as others see it: where it stands, what its rounds came to, what it has spent."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from pydantic import Field

from agent.domain import Batch, Cost, Pick, Round
from evaluation.records import Point
from prompts.messages import Frozen
from serving.runs import open_round
from serving.runs.job import Job
from serving.runs.open_round import People
from serving.runs.spending import Spending
from serving.runs.store import NoRun, Store, StoredRun
from serving.shapes_runs import AskedNow, Charged, Chosen, Progress, RoundShown, RunShown


class History(Frozen):
    """What the user's own cell has come to, round by round."""

    rounds: tuple[Round, ...]
    points: tuple[Point, ...] = Field(description="The learning curve on the test set; empty where there is none.")
    scouts: tuple[Point, ...] = Field(
        default=(),
        description="The same of the scout: the quick student that serves the rounds of a recipe that has one.",
    )


def chosen(store: Store, run: StoredRun, index: int) -> RoundShown:
    """The picks of a round of the user's own cell, in order. Raises NoRun where it has chosen none yet."""
    key = f"{job_of(run.job).main.key()}/{index}/query"
    found = store.recorded(run.id, key, key).get(key)
    if found is None:
        raise NoRun(f"round {index} of run {run.id!r} has chosen nothing yet", "see /v1/runs/{run}/history")
    batch = Batch.model_validate_json(found)
    return RoundShown(index=index, by=batch.by, picks=tuple(map(_pick, batch.picks)), notes=batch.notes)


def _pick(pick: Pick) -> Chosen:
    example = pick.example
    given = {name: getattr(pick, name) for name in ("score", "why", "shown", "listed", "filled")}
    return Chosen(example=example.id, text=example.text, text_b=example.text_b, origin=example.origin, **given)


def shown(store: Store, run: StoredRun) -> RunShown:
    """One run, with what its unfinished round has come to, and its progress while it is being worked on."""
    past = _past(store, [run])[0]
    found, key = _shown(run, past), past.job.main.key()
    more = open_round.cost(store, run.id, key, past.summed, queue=past.people is not None)
    labels = found.human_labels + more.human_labels  # none of them where people answer through the queue
    cost = (found.cost + more).model_copy(update={"human_labels": labels})  # people who answer are ahead of the steps
    changed: dict[str, object] = {"cost": cost, "human_labels": labels}
    if past.job.caps.of_llm:
        changed["charged"] = Charged.model_validate(vars(Spending(store.engine, run.id).used()))
    told = store.told(run.id) if run.state == "running" else None
    if told is not None:
        changed["progress"] = Progress.model_validate(told)
    return found.model_copy(update=changed)


def shown_all(store: Store, found: Sequence[StoredRun]) -> tuple[RunShown, ...]:
    """Runs in the same order, looked up together."""
    return tuple(map(_shown, found, _past(store, found)))


@dataclass(frozen=True)
class _Past:
    """What is recorded of a run."""

    job: Job
    rounds: tuple[Round, ...]
    """Of the user's own cell."""
    finished: int
    people: People | None

    @property
    def summed(self) -> int:
        return self.rounds[-1].index if self.rounds else -1


def _past(store: Store, found: Sequence[StoredRun]) -> list[_Past]:
    """In the same order, in two queries."""
    progress = store.progress([run.id for run in found])
    past: list[_Past] = []
    for run in found:
        job, steps = job_of(run.job), progress[run.id]
        rounds = _rounds({key: value for key, value in steps.items() if _of_main(job, key)})
        past.append(_Past(job, rounds, sum(key.endswith("/cell") for key in steps), None))
    given = open_round.people(store.engine, {run.id: each.summed for run, each in zip(found, past, strict=True)})
    return [replace(each, people=given.get(run.id)) for run, each in zip(found, past, strict=True)]


def _shown(run: StoredRun, past: _Past) -> RunShown:
    job, last = past.job, past.rounds[-1] if past.rounds else None
    people = past.people or People(0, None)
    asked = people.asked if run.state in ("running", "waiting") else None
    return RunShown(
        id=run.id,
        title=job.title or job.task.name,
        task=job.task.name,
        recipe=job.arms[0].recipe.name,
        state=run.state,
        why=_waits_for(asked) if asked is not None and run.state == "waiting" else run.why,
        created=run.created,
        updated=run.updated,
        origin=run.origin,
        budget=job.budget,
        cells=len(job.cells()),
        finished=past.finished,
        human_labels=(last.human_labels if last else 0) + people.labels,
        machine_labels=last.machine_labels if last else 0,
        cost=sum((each.cost for each in past.rounds), Cost()),
        caps=job.caps,
        asked=asked,
    )


def _waits_for(asked: AskedNow) -> str:
    count = f"{asked.done} of {asked.total}"
    what = f"given {count} labels" if asked.kind == "labels" else f"looked over {count} picks of the LLM"
    return f"people have {what} in round {asked.round + 1}"


def history(store: Store, run: StoredRun) -> History:
    """The recorded rounds and measurements of the user's own cell, in order."""
    start = f"{job_of(run.job).main.key()}/"
    rounds = store.recorded(run.id, start, "/round")
    points, scouts = (_measured(store.recorded(run.id, start, end)) for end in ("/test", "/scout"))
    return History(rounds=_rounds(rounds), points=points, scouts=scouts)


def _measured(recorded: dict[str, str]) -> tuple[Point, ...]:
    found = (Point.model_validate_json(recorded[key]) for key in sorted(recorded, key=_index))
    return tuple(point for point in found if point.predictions is not None)


@lru_cache(maxsize=512)
def job_of(text: str) -> Job:
    """What a run is to do. Never changed after it was recorded, and asked for with every look at a run."""
    return Job.model_validate_json(text)


def _of_main(job: Job, key: str) -> bool:
    return key.startswith(f"{job.main.key()}/") and key.endswith("/round")


def _rounds(recorded: dict[str, str]) -> tuple[Round, ...]:
    return tuple(Round.model_validate_json(recorded[key]) for key in sorted(recorded, key=_index))


def _index(key: str) -> int:
    return int(key.split("/")[-2])
