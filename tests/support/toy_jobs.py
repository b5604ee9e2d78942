"""Whole jobs that cost nothing: toy sentences, the toy LLM and encoder, small students, a database in a folder."""

from io import StringIO
from pathlib import Path

from rich.console import Console

from agent.protocols import Columns
from agent.recipe import WeightsUsed
from agent.recipes import RECIPES
from agent.students import FrozenLinear, LearnerSpec, TfidfSvm
from evaluation.records import Arm
from serving.database import open_database
from serving.runs.job import Job, JobArm, People
from serving.runs.screen import Screen
from serving.runs.store import Store
from serving.runs.tables import Table
from serving.runs.worker import Worker
from tests.support.questions import TASK, texts
from tests.support.toy_runs import ENCODER, Remembering

SVM, LINEAR = TfidfSvm(), FrozenLinear()


def toy_table(n: int, seed: int = 1, *, gold: bool = True) -> Table:
    columns, classes = texts(n, seed=seed)
    labels = {i: TASK.names[c] for i, c in zip(columns.ids, classes, strict=True)}
    return Table(columns, labels if gold else {}, Path("toy.csv"))


def toy_job(
    *names: str,
    budget: int = 8,
    reads: int = 24,
    learners: tuple[LearnerSpec, ...] = (SVM,),
    seeds: tuple[int, ...] = (0,),
    test_reads: int = 0,
    people: str = "simulated",
    tested: bool = True,
) -> Job:
    arms = tuple(
        JobArm(
            arm=Arm(name=name, title=name, role="agent" if i == 0 else "classic"),
            recipe=RECIPES[name](budget, learners[0], reads),
        )
        for i, name in enumerate(names or ("random",))
    )
    return Job(
        task=TASK,
        data="pool",
        test="test" if tested else "",
        budget=budget,
        reads=reads,
        test_reads=test_reads,
        sample=24,
        arms=arms,
        learners=learners,
        seeds=seeds,
        people=People.model_validate({"kind": people}),
        llm=WeightsUsed(name="toy", variant="Toy Coder", hash="0" * 64),
    )


def toy_worker(job: Job, folder: Path, chat: Remembering | None = None, pool: int = 48, test: int = 30) -> Worker:
    """A worker over `folder`; made again with the same folder, it goes on from what is recorded there."""
    store = Store(open_database(folder / "thresher.db"))
    store.begin(job.id, job.model_dump_json(), str(folder / "out"))
    return Worker(
        job=job,
        table=toy_table(pool),
        test=toy_table(test, seed=9) if job.test else None,
        journal=lambda prefix: store.journal(job.id, prefix),
        students=folder / "students",
        screen=Screen(job, Console(file=StringIO())),
        chat=chat or Remembering(),
        embed=ENCODER,
    )


def said(worker: Worker) -> str:
    """What the worker's screen has shown."""
    out = worker.screen.console.file
    assert isinstance(out, StringIO)
    return out.getvalue()


def no_columns() -> Columns:
    return Columns([], [])
