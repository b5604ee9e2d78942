"""The demonstration: film sentences from a packaged data set, a pool, a test part, 32 simulated human labels.

It is a client like any other: it uploads two files, begins a run over HTTP, follows it, and takes its results home.
"""

import csv
import json
import shutil
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.errors import StoreError
from evaluation.cards import ROTTEN_TOMATOES
from evaluation.datasets import DataCard, Row
from evaluation.records import Comparison
from evaluation.split import Split, prepare
from serving.client import Client, NotThere
from serving.connect import Setting
from serving.data.fetch import DataFetcher
from serving.runs.results import said
from serving.shapes import SeenEvent
from serving.system import atomic

POOL, TEST, BUDGET, READS = 1000, 1000, 32, 600
PATIENCE = 180.0
"""Seconds that the service gets to find its LLM and ask what it honours."""
_SHOWN, _WIDE = 8, 100


@dataclass(frozen=True)
class Prepared:
    """The demo's data as files that a user could have brought, and what is asked of the service."""

    task: Path
    pool: Path
    test: Path
    wish: dict[str, Any]
    """The body of `POST /v1/runs` without its data sets."""


def lay_out(setting: Setting, folder: Path, seeds: int) -> Prepared:
    card = ROTTEN_TOMATOES
    parts = prepare(card, DataFetcher.of(setting), pool=POOL, test=TEST, part="release")
    task, pool, test = write(card, parts, folder)
    wish = {
        "task": card.task().model_dump(mode="json"),
        "budget": BUDGET,
        "compare": True,
        "seeds": seeds,
        "students": ["bert", "svm"],
        "people": "simulated",
        "reads": READS,
        "data_card": card.name,
        "split": parts.report.model_dump(mode="json"),
    }
    return Prepared(task, pool, test, wish)


def begin(client: Client, prepared: Prepared) -> str:
    """The id of the run; one that stopped before is let go on. Raises Busy where the LLM is not there in time."""
    client.ready(PATIENCE)
    named = {"pool": "film sentences", "test": "film sentences, test"}
    sets = {role: client.datasets.upload(getattr(prepared, role), name=name) for role, name in named.items()}
    run = client.runs.create({**prepared.wish, "data": sets["pool"].id, "test": sets["test"].id})
    if run.state in ("failed", "cancelled"):
        run = client.runs.resume(run.id)
    return run.id


@dataclass
class Follower:
    """Says what happens to a run until it is over: the first texts that were chosen, each cell, how far it is."""

    client: Client
    run: str
    say: Callable[[str], None]
    bar: Callable[[float, float, str], None]
    """Takes the share that is done, the seconds that are left, and what is being done."""
    shown: bool = False
    """Whether the first texts were."""

    def follow(self) -> None:
        """Raises StoreError where the run does not end well."""
        for event in self.client.runs.events(self.run):
            self._tell(event)
        ended = self.client.runs.get(self.run)
        if ended.state != "done":
            raise StoreError(f"run {self.run!r} is {ended.state}: {ended.why}", "call the same again: it goes on")

    def _tell(self, event: SeenEvent) -> None:
        match event.kind:
            case "progress":
                self.bar(event.data["share"], event.data["left"], event.data["doing"])
            case "cell":
                self.say(event.data["said"])
            case "step" if not self.shown and event.data["key"].endswith("/0/query"):
                self._picks()
            case _:
                pass

    def _picks(self) -> None:
        """The first texts that were chosen, unless the step was another cell's."""
        try:
            chosen = self.client.runs.round(self.run, 0)
        except NotThere:
            return
        self.shown = True
        by = chosen.by.split("@")[0].removeprefix("llm:")
        self.say(f"{len(chosen.picks)} texts chosen by {by}:")
        for pick in chosen.picks[:_SHOWN]:
            text = " ".join(pick.text.split())
            self.say(f"    {text[:_WIDE]}{'…' if len(text) > _WIDE else ''}")


def take_home(client: Client, run: str, folder: Path) -> Comparison:
    """The results of a finished run as files: labels, student, report, record."""
    folder.mkdir(parents=True, exist_ok=True)
    client.runs.save_labels(run, folder / "labels.jsonl")
    archive = client.runs.model(run, folder / ".student.tar.gz")
    beside = folder / ".student.part"
    shutil.rmtree(beside, ignore_errors=True)
    with tarfile.open(archive) as packed:
        packed.extractall(beside, filter="data")
    atomic.publish(beside / "student", folder / "student")
    shutil.rmtree(beside)
    archive.unlink()
    atomic.write(folder / "report.html", client.runs.report(run))
    report = Comparison.model_validate(client.runs.figures(run))
    atomic.write(folder / "report.json", report.model_dump_json())
    atomic.write(folder / "run.json", json.dumps(client.runs.record(run), ensure_ascii=False, indent=1))
    return report


def told(report: Comparison, folder: Path) -> str:
    """The end of it, for the terminal."""
    return f"\n{said(report)}\n\n{folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}"


def write(card: DataCard, parts: Split, folder: Path) -> tuple[Path, Path, Path]:
    """`task.toml`, `pool.csv` and `test.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    task = folder / "task.toml"
    task.write_text(_toml(card), encoding="utf-8")
    return task, _csv(folder / "pool.csv", parts.pool), _csv(folder / "test.csv", parts.test)


def _csv(path: Path, rows: Sequence[Row]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        pairs = any(row.text_b is not None for row in rows)
        writer.writerow(["id", "text", *(["text_b"] if pairs else []), "label"])
        writer.writerows([row.id, row.text, *([row.text_b] if pairs else []), row.label] for row in rows)
    return path


def _toml(card: DataCard) -> str:
    lines = [f"name = {_quoted(card.name)}", f"item = {_quoted(card.item)}", f"guidelines = {_quoted(card.guidelines)}"]
    for label in card.labels:
        fields = (("name", label.name), ("word", label.word), ("description", label.description))
        lines += ["", "[[labels]]", *(f"{key} = {_quoted(value)}" for key, value in fields)]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
