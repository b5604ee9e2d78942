"""The main job from beginning to end: check what was asked, do it, leave the results. `thresher run` and `resume`."""

import os
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from agent.annotate import Llm
from agent.errors import BadInput, EngineError, StoreError, ThresherError, Unanswered, Waiting
from agent.exchange import ChatReply
from agent.protocols import Bench, ChatModel, Columns
from agent.protocols import People as Answering
from evaluation.records import Cell as CellRecord
from serving.connect import Served, Setting
from serving.llm.ledger import LedgeredChat
from serving.models.resolve import Loaded
from serving.runs import beside, outputs, wiring
from serving.runs.job import Job
from serving.runs.journal import LostLease
from serving.runs.people import FilePeople
from serving.runs.picks import Picks
from serving.runs.results import FILES, leave
from serving.runs.reviews import Reviews
from serving.runs.reviews_people import QueueExperts, QueuePeople
from serving.runs.screen import Screen
from serving.runs.store import Store
from serving.runs.tables import Table
from serving.runs.wishes import Wish, asks_llm, check, plan
from serving.runs.worker import Worker
from serving.settings import Settings
from serving.system import machine

FEW = 3
"""Texts that are read before a run is recorded."""


@dataclass(frozen=True)
class Begun:
    """A recorded run."""

    job: Job
    store: Store
    folder: Path
    served: Served | None = None
    """The LLM, where it is connected already."""


def begin(wish: Wish, setting: Setting, out: Path | None) -> Begun:
    """Checks, connects, and records the run before it does anything; the run that is there where it is known."""
    check(wish)
    if out is not None:
        _demand_room(out)
    encoder, _ = wiring.encoder(setting)
    store = wiring.open_store(setting.settings)
    served = wiring.connect(setting) if asks_llm(wish) else None
    if served is not None and not wish.caps.of_llm:  # a cap counts every request, and there is no run yet
        with closing(wiring.chat(setting.settings, served, store)) as chat:
            demand_words(wish, chat)
    job = plan(wish, served, encoder)
    folder = (out or Path("runs") / job.id).resolve()
    if not pool_of(job.id, setting.settings).exists():
        _demand_no_loss(folder)
    keep_inputs(job, wish, setting.settings)
    stored = store.begin(job.id, job.model_dump_json(), str(folder))
    return Begun(job, store, Path(stored.folder), served)


def _demand_room(out: Path) -> None:
    """Before anything is paid for: a folder that can be written."""
    if out.exists() and not out.is_dir():
        raise BadInput(f"--out {out} is a file", "name a folder")
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "no permission in" if there.is_dir() else "there is a file"
        raise BadInput(f"--out {out} cannot be made: {why} {there}", "name another folder")


def _demand_no_loss(folder: Path) -> None:
    """A new run replaces the results of another run, never files of somebody else's that bear their names."""
    if not (folder / "run.json").exists() and (held := [name for name in FILES if (folder / name).exists()]):
        raise BadInput(f"{folder} holds {held[0]}, which is of no run and would be lost", "name another folder: --out")


def demand_words(wish: Wish, chat: ChatModel) -> None:
    """Reads a few texts before people are asked for anything: what would fail for every text fails here.

    Raises:
        BadInput: the LLM cannot tell the label words apart.
        EngineError: it does not answer, or would say none of them.
    """
    few = wish.table.columns.take(range(min(FEW, len(wish.table.columns))))
    replies = Llm().read(few, chat, Bench(wish.task)).replies
    masses = [r.reading.label_mass for r in replies if isinstance(r, ChatReply) and r.reading is not None]
    if masses and max(masses) < Llm().least_mass:
        words = ", ".join(map(repr, wish.task.words))
        what = f"the model would begin no answer with {words}: {max(masses):.2%} of its probability at most"
        raise EngineError(what, "use an instruct model, or label words that it would say (`word` in the task file)")


def keep_inputs(job: Job, wish: Wish, settings: Settings) -> None:
    """Before the run is recorded, so that a recorded run has them."""
    inputs = pool_of(job.id, settings).parent
    inputs.mkdir(parents=True, exist_ok=True)
    keep(wish.table, inputs / "pool.parquet")
    if wish.test is not None:
        keep(wish.test, inputs / "test.parquet")


def recall(name: str, setting: Setting) -> Begun:
    """A recorded run by its id or its folder."""
    store = wiring.open_store(setting.settings)
    stored = store.find(Path(name).name, str(Path(name).resolve()))
    if stored.origin == "study":
        raise BadInput(f"{stored.id!r} is a study", "start it again with its file: thresher study FILE")
    try:
        return Begun(Job.model_validate_json(stored.job), store, Path(stored.folder))
    except ValidationError as error:
        what = f"run {stored.id!r} was recorded by another version ({error.error_count()} differences)"
        raise StoreError(what, "continue it with the version that began it") from error


@dataclass(frozen=True)
class Work:
    """A job with everything it needs, ready to be done."""

    worker: Worker
    store: Store
    folder: Path
    screen: Screen
    second_log: Path
    """Of the process beside this one, where there is one."""
    fence: int | None = None


def prepare(
    begun: Begun,
    setting: Setting,
    fence: int | None = None,
    *,
    asks_llm: bool = True,
    screen: Screen | None = None,
) -> Work:
    """Connects what the job needs; nothing is asked yet. Without `asks_llm` only cells that need no LLM can be done.

    What is written carries the number `fence` of the claim under which this process works.
    """
    job, store, folder = begun.job, begun.store, begun.folder
    settings, inputs = setting.settings, pool_of(job.id, setting.settings).parent
    encoder, embed = wiring.encoder(setting)
    _same_encoder(job, encoder)
    served = (begun.served or wiring.connect(setting)) if job.llm and asks_llm else None
    _same(job, served)
    screen = screen or Screen(job)
    told = partial(screen.doing, what="LLM calls")
    worker = Worker(
        job=job,
        table=kept(inputs / "pool.parquet"),
        test=kept(inputs / "test.parquet") if job.test else None,
        journal=lambda prefix: store.journal(job.id, prefix, fence),
        students=inputs / "students",
        screen=screen,
        chat=None if served is None else wiring.chat(settings, served, store, told, wiring.capped(job, store)),
        embed=embed,
        checkpoint=encoder.path,
        people=_people(job, store, folder),
        experts=QueueExperts(Picks(store.engine), job.id) if job.people.experts else None,
    )
    return Work(worker, store, folder, screen, inputs / "second.log", fence)


def _people(job: Job, store: Store, folder: Path) -> Answering | None:
    """Simulated people are made where the gold labels are."""
    match job.people.kind:
        case "file":
            return FilePeople(folder, job.task)
        case "queue":
            who = job.people
            minutes = job.caps.human_minutes
            most = None if minutes is None else 60 * minutes
            return QueuePeople(Reviews(store.engine), job.id, job.task.names, who.overlap, who.blind, most)
        case "simulated":
            return None


def execute(work: Work, *, patient: bool = False) -> str:
    """Does what is not done yet and leaves the results in the folder; returns what to tell the user.

    Args:
        patient: a run whose LLM is away is queued again, instead of failed: somebody takes it up later.

    Raises Waiting where people have to answer first.
    """
    begun, job = time.monotonic(), work.worker.job
    try:
        work.store.mark(job.id, "running", fence=work.fence)
        with work.screen:
            cells = _cells(work)
    except Waiting as waiting:
        work.store.mark(job.id, "waiting", waiting.what, work.fence)
        onward = f", then: thresher resume {job.id}" if job.people.kind == "file" else ""
        raise Waiting(waiting.missing, f"{waiting.hint}{onward}") from waiting
    except LostLease:
        raise
    except Unanswered as error:
        work.store.mark(job.id, "queued" if patient else "failed", str(error), work.fence)
        raise
    except ThresherError as error:
        work.store.mark(job.id, "failed", str(error), work.fence)
        raise
    finally:
        if isinstance(work.worker.chat, LedgeredChat):
            work.worker.chat.close()
    record = outputs.Record(
        id=job.id,
        thresher=outputs.thresher_version(),
        job=job,
        cells=cells,
        seconds=time.monotonic() - begun,
        machine=machine.line(),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    text = _left(work, record)
    work.store.mark(job.id, "done", _ended(cells), work.fence)
    return text


def _left(work: Work, record: outputs.Record) -> str:
    """Raises StoreError where the results cannot be written; all that they are made from is kept."""
    try:
        return leave(work.worker, record, work.folder)
    except OSError as error:
        what = f"the results cannot be written: {error.filename or work.folder}: {error.strerror or error}"
        work.store.mark(record.id, "failed", what, work.fence)
        raise StoreError(what, f"make room, then: thresher resume {record.id}") from error


def _ended(cells: tuple[CellRecord, ...]) -> str:
    """Why the user's own cell stopped."""
    return cells[0].stop or ""


def _cells(work: Work) -> tuple[CellRecord, ...]:
    """All cells, with a second process beside this one where that is worth it."""
    job, worker = work.worker.job, work.worker
    if beside.worthwhile(job, machine.inspect()):
        with beside.Beside(job, work.store, work.second_log, work.fence) as second:
            work.screen.elsewhere(second.cells)
            worker.run([cell for cell in job.cells() if cell not in second.cells])
            worker.zero_shot()
            second.finish(lambda cell: worker.run([cell]), work.screen.elsewhere)
    return worker.run()


def keep(table: Table, path: Path) -> None:
    """A copy of the input, so that a resumed run does not depend on the user's file."""
    if path.exists():
        return
    columns = table.columns
    rows = pa.table(
        {
            "id": list(columns.ids),
            "text": list(columns.texts),
            "text_b": pa.array(list(columns.texts_b) if columns.texts_b else [None] * len(columns), pa.string()),
            "label": pa.array([table.gold.get(id_) for id_ in columns.ids], pa.string()),
            "meta": pa.array([table.meta.get(id_) for id_ in columns.ids], pa.string()),
        }
    )
    beside = path.with_suffix(".part")
    pq.write_table(rows, beside)
    beside.replace(path)


def kept(path: Path) -> Table:
    """What `keep` wrote."""
    if not path.exists():
        raise StoreError(f"the input of this run is gone: {path}", "run it again from the original file")
    rows = pq.read_table(path, columns=["id", "text", "text_b", "label"]).to_pydict()
    pairs: list[str] | None = rows["text_b"] if any(rows["text_b"]) else None
    gold = {id_: label for id_, label in zip(rows["id"], rows["label"], strict=True) if label}
    return Table(Columns(rows["id"], rows["text"], pairs), gold, path)


def pool_of(run: str, settings: Settings) -> Path:
    """The copy of a run's texts."""
    return settings.home / "runs" / run / "pool.parquet"


def _same_encoder(job: Job, encoder: Loaded) -> None:
    if job.encoder is not None and encoder.hash != job.encoder.hash:
        raise BadInput(
            f"this run began with the encoder {job.encoder.name} (SHA-256 {job.encoder.hash[:12]}), {encoder.name} "
            f"({encoder.hash[:12]}) is set now",
            "name the encoder it began with: THRESHER_ENCODER",
        )


def _same(job: Job, served: Served | None) -> None:
    if served is not None and job.llm is not None and wiring.used(served) != job.llm:
        raise BadInput(
            f"this run began with {job.llm.name} (SHA-256 {job.llm.hash[:12] or 'unknown'}), {served} answers now",
            "name the model it began with: THRESHER_MODEL or THRESHER_ENGINE_URL",
        )
