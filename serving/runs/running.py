"""The main job from beginning to end: check what was asked, do it, leave the results. `thresher run` and `resume`."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from agent.domain import Task
from agent.errors import BadInput, StoreError, ThresherError, Waiting
from agent.generate.filters import digest
from agent.protocols import Columns
from agent.recipes import RECIPES
from agent.students import Bert, LearnerSpec, TfidfSvm
from evaluation.records import Arm, Role
from evaluation.records import Cell as CellRecord
from evaluation.split import SplitReport
from serving.connect import Served, Setting
from serving.llm.ledger import LedgeredChat
from serving.models.resolve import Loaded
from serving.roles.fingerprints import fingerprints
from serving.runs import beside, outputs, wiring
from serving.runs.job import Job, JobArm, People
from serving.runs.journal import LostLease
from serving.runs.people import FilePeople
from serving.runs.results import leave
from serving.runs.screen import Screen
from serving.runs.store import Store
from serving.runs.tables import Table
from serving.runs.worker import Worker
from serving.system import machine

LEARNERS: dict[str, LearnerSpec] = {"bert": Bert(), "svm": TfidfSvm()}
COMPARED: tuple[tuple[str, Role, str], ...] = (
    ("agent", "agent", "agent"),
    ("random-and-machine", "control", "random people + LLM labels"),
    ("machine-only", "machine", "LLM labels, no person"),
    ("uncertainty", "classic", "uncertainty"),
    ("diversity", "classic", "diversity"),
    ("random", "classic", "random"),
)
"""What `--compare` runs: name of the recipe, its role in the report, its title."""


@dataclass(frozen=True)
class Wish:
    """What the user asked for, in the words of the command line."""

    task: Task
    table: Table
    test: Table | None
    budget: int
    recipe: str = "agent"
    compare: bool = False
    seeds: int = 1
    students: tuple[str, ...] = ("bert",)
    simulate: bool = False
    noise: float = 0.0
    reads: int = 600
    test_reads: int = 300
    data_card: str = ""
    split: SplitReport | None = None


def check(wish: Wish) -> None:
    """Raises BadInput for what could only fail later: before anything is started, asked or written."""
    n = len(wish.table.columns)
    if wish.budget > n:
        raise BadInput(f"the budget of {wish.budget} labels is larger than the pool of {n} texts", "ask for less")
    if wish.recipe not in RECIPES:
        raise BadInput(f"there is no recipe {wish.recipe!r}", f"known: {', '.join(RECIPES)}")
    _reads(wish)
    _pairs(wish)
    unknown = [name for name in wish.students if name not in LEARNERS]
    if unknown:
        raise BadInput(f"there is no student {unknown[0]!r}", f"known: {', '.join(LEARNERS)}")
    if wish.compare and (wish.test is None or not wish.simulate):
        raise BadInput("a comparison needs gold labels of pool and test texts", "give --test FILE and --simulate")
    if not wish.simulate and wish.seeds * len(wish.students) > 1:
        what = f"{wish.seeds} seeds of {len(wish.students)} students would each ask people for {wish.budget} labels"
        raise BadInput(what, "take one seed and one student, or simulate people with --simulate")
    if wish.simulate:
        _labelled("data", wish.table)
    if wish.test is not None:
        _labelled("test", wish.test)
        _apart(wish.table, wish.test)


def _apart(pool: Table, test: Table) -> None:
    """A text of the pool in the test set, and the student is measured on what it may have been trained on."""
    known = {digest(text): id_ for id_, text in _inputs_of(pool)}
    shared = [(known[digest(text)], id_) for id_, text in _inputs_of(test) if digest(text) in known]
    if shared:
        what = f"{len(shared)} of {len(test.columns)} texts in {test.path} stand in {pool.path} too"
        raise BadInput(f"{what}, the first as {shared[0][1]!r} and {shared[0][0]!r}", "keep them in one of the files")


def _inputs_of(table: Table) -> Iterator[tuple[str, str]]:
    """Ids with all that a student reads of them: both halves of a pair."""
    columns = table.columns
    for i, id_ in enumerate(columns.ids):
        yield id_, columns.texts[i] + (f" {columns.texts_b[i]}" if columns.texts_b else "")


def _pairs(wish: Wish) -> None:
    names = [name for name, _, _ in COMPARED] if wish.compare else [wish.recipe]
    steps = (step for name in names for step in RECIPES[name](wish.budget, Bert(), wish.reads).steps)
    if wish.table.columns.texts_b is not None and any(step.query.kind == "generate" for step in steps):
        what = f"the recipe {names[0]!r} writes single texts, and {wish.table.path} holds pairs"
        raise BadInput(what, "take a recipe without generation, such as random-and-machine")


def _reads(wish: Wish) -> None:
    """Where the LLM labels, some of its labels have to be left after people had their turn at the least sure ones."""
    named = {name for name, _, _ in COMPARED} if wish.compare else {wish.recipe}
    least = max(1, wish.budget // 4) + 1 if "agent" in named else 1
    if wish.reads < least and named & {"agent", "machine-only", "random-and-machine"}:
        what = f"the LLM is to label {wish.reads} texts, too few for {wish.budget} labels of people"
        raise BadInput(what, f"give --reads {least} or more, or a recipe without an LLM, such as random")


def _labelled(what: str, table: Table) -> None:
    missing = len(table.columns) - len(table.gold)
    if missing:
        raise BadInput(
            f"{missing} of {len(table.columns)} texts in {table.path} have no label", f"fill the {what} file"
        )
    found = Counter(table.gold.values())
    if len(found) < 2:
        raise BadInput(
            f"every text in {table.path} is labelled {next(iter(found))!r}", "give texts of two labels or more"
        )


def plan(wish: Wish, served: Served | None, encoder: Loaded | None) -> Job:
    """The job that a wish amounts to; without models for a forecast only."""
    named: tuple[tuple[str, Role, str], ...] = COMPARED if wish.compare else ((wish.recipe, "agent", wish.recipe),)
    # The cells of a comparison share the cores (`serving.runs.beside`): one thread each, whatever the machine.
    named_learners = (LEARNERS[name] for name in wish.students)
    learners = tuple(
        each.model_copy(update={"threads": 1}) if wish.compare and isinstance(each, Bert) else each
        for each in named_learners
    )
    arms = tuple(
        JobArm(arm=Arm(name=name, title=title, role=role), recipe=RECIPES[name](wish.budget, learners[0], wish.reads))
        for name, role, title in named
    )
    return Job(
        program=outputs.thresher_version(),
        task=wish.task,
        data=wish.table.digest,
        test=wish.test.digest if wish.test else "",
        data_card=wish.data_card,
        split=wish.split,
        budget=wish.budget,
        reads=wish.reads,
        test_reads=wish.test_reads if wish.compare else 0,
        arms=arms,
        learners=learners,
        seeds=tuple(range(wish.seeds)),
        people=People(kind="simulated" if wish.simulate else "file", noise=wish.noise),
        llm=wiring.used(served) if served else None,
        encoder=wiring.used(encoder) if encoder else None,
        prompts=tuple(sorted({p for each in arms for p in fingerprints(each.recipe)})),
    )


def asks_llm(wish: Wish) -> bool:
    """Whether anything in it needs an LLM."""
    named = [name for name, _, _ in COMPARED] if wish.compare else [wish.recipe]
    return any(RECIPES[name](wish.budget, Bert(), wish.reads).asks_llm for name in named)


def begin(wish: Wish, setting: Setting, out: Path | None) -> tuple[Job, Store, Path]:
    """Checks, connects, and records the run before it does anything; the run that is there where it is known."""
    check(wish)
    encoder, _ = wiring.encoder(setting)
    job = plan(wish, wiring.connect(setting) if asks_llm(wish) else None, encoder)
    store = wiring.open_store(setting.settings)
    folder = (out or Path("runs") / job.id).resolve()
    stored = store.begin(job.id, job.model_dump_json(), str(folder))
    inputs = _inputs(job, setting)
    inputs.mkdir(parents=True, exist_ok=True)
    keep(wish.table, inputs / "pool.parquet")
    if wish.test is not None:
        keep(wish.test, inputs / "test.parquet")
    return job, store, Path(stored.folder)


def recall(name: str, setting: Setting) -> tuple[Job, Store, Path]:
    """A recorded run by its id or its folder."""
    store = wiring.open_store(setting.settings)
    stored = store.find(Path(name).name, str(Path(name).resolve()))
    try:
        return Job.model_validate_json(stored.job), store, Path(stored.folder)
    except ValidationError as error:
        what = f"run {stored.id!r} was recorded by another version ({error.error_count()} differences)"
        raise StoreError(what, "continue it with the version that began it") from error


@dataclass(frozen=True)
class Work:
    """A job with everything it needs, ready to be done."""

    worker: Worker
    store: Store
    folder: Path
    fence: int | None = None


def prepare(
    job: Job,
    store: Store,
    folder: Path,
    setting: Setting,
    fence: int | None = None,
    *,
    asks_llm: bool = True,
    screen: Screen | None = None,
) -> Work:
    """Connects what the job needs; nothing is asked yet. Without `asks_llm` only cells that need no LLM can be done.

    What is written carries the number `fence` of the claim under which this process works.
    """
    settings, inputs = setting.settings, _inputs(job, setting)
    encoder, embed = wiring.encoder(setting)
    served = wiring.connect(setting) if job.llm and asks_llm else None
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
        chat=None if served is None else wiring.chat(settings, served, store, told),
        embed=embed,
        checkpoint=encoder.path,
        people=FilePeople(folder, job.task) if job.people.kind == "file" else None,
    )
    return Work(worker, store, folder, fence)


def execute(work: Work) -> str:
    """Does what is not done yet and leaves the results in the folder; returns what to tell the user.

    Raises Waiting where people have to answer first.
    """
    begun, job = time.monotonic(), work.worker.job
    try:
        work.store.mark(job.id, "running", fence=work.fence)
        with work.worker.screen:
            cells = _cells(work)
    except Waiting as waiting:
        work.store.mark(job.id, "waiting", waiting.what, work.fence)
        raise Waiting(waiting.missing, f"{waiting.hint}, then: thresher resume {job.id}") from waiting
    except LostLease:
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
        machine=_machine(),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    text = leave(work.worker, record, work.folder)
    work.store.mark(job.id, "done", _ended(cells), work.fence)
    return text


def _ended(cells: tuple[CellRecord, ...]) -> str:
    """Why the user's own cell stopped."""
    return cells[0].stop or ""


def _cells(work: Work) -> tuple[CellRecord, ...]:
    """All cells, with a second process beside this one where that is worth it."""
    job, worker = work.worker.job, work.worker
    if beside.worthwhile(job, machine.inspect()):
        with beside.Beside(job, work.store, worker.students.parent / "second.log", work.fence) as second:
            worker.screen.elsewhere(second.cells)
            worker.run([cell for cell in job.cells() if cell not in second.cells])
            worker.zero_shot()
            second.join(worker.screen.doing)
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
        }
    )
    beside = path.with_suffix(".part")
    pq.write_table(rows, beside)
    beside.replace(path)


def kept(path: Path) -> Table:
    """What `keep` wrote."""
    if not path.exists():
        raise StoreError(f"the input of this run is gone: {path}", "run it again from the original file")
    rows = pq.read_table(path).to_pydict()
    pairs: list[str] | None = rows["text_b"] if any(rows["text_b"]) else None
    gold = {id_: label for id_, label in zip(rows["id"], rows["label"], strict=True) if label}
    return Table(Columns(rows["id"], rows["text"], pairs), gold, path)


def _machine() -> str:
    found = machine.inspect()
    gpus = f", {', '.join(gpu.name for gpu in found.gpus)}" if found.gpus else ""
    return f"{len(found.cores)} cores, {found.memory / machine.GIB:.0f} GiB{gpus}"


def _inputs(job: Job, setting: Setting) -> Path:
    return setting.settings.home / "runs" / job.id


def _same(job: Job, served: Served | None) -> None:
    if served is not None and job.llm is not None and wiring.used(served) != job.llm:
        raise BadInput(
            f"this run began with {job.llm.name} (SHA-256 {job.llm.hash[:12] or 'unknown'}), {served} answers now",
            "name the model it began with: THRESHER_MODEL or THRESHER_ENGINE_URL",
        )
