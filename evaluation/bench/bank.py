"""Real runs of the loop, many of them: one fixed pool, one fixed test set, and a shuffle that changes all the rest.

A run is `agent.loop.learn` with a journal in memory, the linear student and simulated people on real texts; the texts
are encoded once and held in memory, so that a run of four rounds takes some twenty milliseconds.
"""

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agent.annotate import Gold, Simulated
from agent.domain import LabelCard, Task
from agent.errors import BadInput
from agent.journal import MemoryJournal
from agent.lab import Lab
from agent.loop import learn
from agent.pool import Pool
from agent.protocols import Bench, Columns, Student
from agent.query import Margin, Random
from agent.recipe import Recipe, RunSpec, Step
from agent.seeds import generator
from agent.stopping import Budget
from agent.students import FrozenLinear
from evaluation.cards import ROTTEN_TOMATOES
from evaluation.metrics import macro_f1

ArmName = Literal["random", "other random", "margin", "erring"]
"""`other random`: the same arm on the same shuffle with a random stream of its own. `erring`: people who err."""

ROUNDS, SIZE = 4, 8
ERRING = 0.2
"""How often the people of the arm `erring` name another label than gold."""
OTHER_STREAM = 1_000_003

PROGRAM = """
import json, sys
from evaluation.cards import card
from evaluation.split import prepare
from serving import settings
from serving.connect import Setting
from serving.data.fetch import DataFetcher

name, pool, test = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
setting = Setting(settings.load(), lambda line: print(line, file=sys.stderr))
found = {"encoder": str(setting.models().resolve(setting.settings.encoder).path)}
if name:
    drawn = prepare(card(name), DataFetcher.of(setting), pool=pool, test=test)
    found |= {part: [row.model_dump() for row in rows] for part, rows in (("pool", drawn.pool), ("test", drawn.test))}
print(json.dumps(found))
"""
"""`serving` knows where encoder and data sets are; this folder may not import it."""


@dataclass
class Held:
    """Vectors that were computed before, by id. An `agent.protocols.Embedder`."""

    vectors: NDArray[np.float64]
    row: dict[str, int]
    name: str = "held"

    def embed(self, texts: Columns) -> NDArray[np.float64]:
        return self.vectors[[self.row[id_] for id_ in texts.ids]]


@dataclass(frozen=True)
class Material:
    """One data set, encoded."""

    name: str
    task: Task
    pool: Columns
    test: Columns
    gold: dict[str, str]
    """By id, of the pool."""
    truth: NDArray[np.intp]
    """(test,): class indices."""
    embed: Held
    encoder: Path | None = None
    """Folder of the encoder that made the vectors."""


@dataclass
class Run:
    """What one run reached."""

    accuracy: list[float] = field(default_factory=list[float])
    """After each round."""
    macro_f1: list[float] = field(default_factory=list[float])
    predicted: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    """(test,): after the last round."""


@dataclass(frozen=True)
class Runs:
    """Many runs of one arm, row i on shuffle i."""

    accuracy: NDArray[np.float64]
    """(runs, rounds)"""
    macro_f1: NDArray[np.float64]
    predicted: NDArray[np.uint8]
    """(runs, test)"""

    def __len__(self) -> int:
        return len(self.accuracy)


def material(folder: Path, source: str, pool: int, test: int) -> Material:
    """Texts and vectors from `folder`, brought there first where they are missing.

    Args:
        source: name of a data card; or a folder with `train.jsonl` and `test.jsonl`; or a .csv file, of which a random
            part is held out as test. Columns are `text`, `label` and, if there are ids, `id`. Empty: film sentences.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "texts.json").exists():
        _bring(folder, source or ROTTEN_TOMATOES.name, pool, test)
    found = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    rows = [*found["pool"], *found["test"]]
    names = sorted({row["label"] for row in rows})
    row = {each["id"]: i for i, each in enumerate(rows)}
    if len(row) < len(rows):
        raise BadInput(f"{len(rows) - len(row)} ids of {source} stand twice", "give every text an id of its own")
    held = Held(np.load(folder / "vectors.npy").astype(np.float64), row)
    return Material(
        name=found["name"],
        task=Task(name=found["name"], labels=tuple(LabelCard(name=name) for name in names)),
        pool=_columns(found["pool"]),
        test=_columns(found["test"]),
        gold={each["id"]: each["label"] for each in found["pool"]},
        truth=np.array([names.index(each["label"]) for each in found["test"]]),
        embed=held,
        encoder=Path(found["encoder"]),
    )


def _bring(folder: Path, source: str, pool: int, test: int) -> None:
    """Reads the rows and encodes them, on one thread."""
    from agent.embed import SentenceEncoder

    file = Path(source) if Path(source).exists() else None
    command = [sys.executable, "-c", PROGRAM, "" if file else source, str(pool), str(test)]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    if file is not None:
        found |= _folder(file, pool, test) if file.is_dir() else _csv(file, pool, test)
    encoder = SentenceEncoder(Path(found["encoder"]), threads=1)
    np.save(folder / "vectors.npy", encoder.embed(_columns([*found["pool"], *found["test"]])))
    (folder / "texts.json").write_text(json.dumps({"name": file.stem if file else source, **found}), encoding="utf-8")


def _folder(folder: Path, pool: int, test: int) -> dict[str, list[dict[str, str]]]:
    def rows(part: str, most: int) -> list[dict[str, str]]:
        lines = (folder / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
        return _drawn([{"id": f"{part}-{i}", **json.loads(line)} for i, line in enumerate(lines)])[:most]

    return {"pool": rows("train", pool), "test": rows("test", test)}


def _csv(file: Path, pool: int, test: int) -> dict[str, list[dict[str, str]]]:
    with file.open(encoding="utf-8", newline="") as lines:
        rows = _drawn([{"id": f"{file.stem}-{i}", **row} for i, row in enumerate(csv.DictReader(lines))])
    return {"pool": rows[test : test + pool], "test": rows[:test]}


def _drawn(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """In random order, always the same."""
    kept = ("id", "text", "label")
    return [{key: rows[i][key] for key in kept} for i in np.random.default_rng(0).permutation(len(rows))]


def run(made_of: Material, arm: ArmName, shuffle: int, rounds: int = ROUNDS) -> Run:
    """One run of Algorithm 1. The shuffle decides the order of the pool, the seed batch and every random choice."""
    order = generator(shuffle, "pool").permutation(len(made_of.pool))
    pool = Pool.of(made_of.task, made_of.pool.take(order))
    # Arms of one shuffle share one stream, so that equal strategies choose alike; this one has its own.
    stream = shuffle + OTHER_STREAM if arm == "other random" else shuffle
    spec = RunSpec(recipe=recipe(arm, rounds), task=made_of.task, data=made_of.name, seed=stream, budget=rounds * SIZE)
    bench = Bench(made_of.task, seed=stream, embed=made_of.embed, gold=made_of.gold)
    found, classes = Run(), len(made_of.task.names)

    def observe(_index: int, _pool: Pool, student: Student) -> None:
        predicted = student.predict(made_of.test).argmax(axis=1)
        found.accuracy.append(float(np.mean(predicted == made_of.truth)))
        found.macro_f1.append(macro_f1(made_of.truth, predicted, classes))
        found.predicted = predicted.astype(np.uint8)

    learn(spec, pool, Lab(spec, bench, observe=observe), MemoryJournal())
    return found


def recipe(arm: ArmName, rounds: int = ROUNDS) -> Recipe:
    people = Simulated(noise=ERRING) if arm == "erring" else Gold()
    first = Step(query=Random(), size=SIZE, annotate=people)
    later = Step(query=Margin(), size=SIZE, annotate=people) if arm == "margin" else first
    return Recipe(name=arm, steps=(first, later), stop=Budget(labels=rounds * SIZE), learner=FrozenLinear())


def bank(made_of: Material, arm: ArmName, count: int, folder: Path, chunk: int = 250) -> Runs:
    """The runs of shuffles 0 to count - 1; what `folder` holds is read back, the rest is run and kept there."""
    file = folder / f"{arm.replace(' ', '-')}.npz"
    kept = _read(file) if file.exists() else None
    while kept is None or len(kept) < count:
        done = 0 if kept is None else len(kept)
        fresh = [run(made_of, arm, shuffle) for shuffle in range(done, min(count, done + chunk))]
        kept = _joined(kept, fresh)
        _write(file, kept)
        print(f"{made_of.name}: {len(kept)} of {count} runs of {arm}", file=sys.stderr)
    return Runs(kept.accuracy[:count], kept.macro_f1[:count], kept.predicted[:count])


def _columns(rows: Sequence[dict[str, Any]]) -> Columns:
    return Columns([row["id"] for row in rows], [row["text"] for row in rows])


def _joined(kept: Runs | None, fresh: Sequence[Run]) -> Runs:
    made = Runs(
        np.array([each.accuracy for each in fresh]),
        np.array([each.macro_f1 for each in fresh]),
        np.stack([each.predicted for each in fresh]),
    )
    if kept is None:
        return made
    return Runs(
        np.concatenate([kept.accuracy, made.accuracy]),
        np.concatenate([kept.macro_f1, made.macro_f1]),
        np.concatenate([kept.predicted, made.predicted]),
    )


def _read(file: Path) -> Runs:
    with np.load(file, allow_pickle=False) as stored:
        return Runs(stored["accuracy"], stored["macro_f1"], stored["predicted"])


def _write(file: Path, runs: Runs) -> None:
    with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".part", delete=False) as out:
        np.savez(out, accuracy=runs.accuracy, macro_f1=runs.macro_f1, predicted=runs.predicted)
    Path(out.name).replace(file)
