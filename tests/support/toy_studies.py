"""Whole studies that take a moment: toy sentences as data sets, the toy encoder, small students."""

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

from rich.console import Console

from agent.exchange import ChatRequest
from agent.protocols import ChatModel
from agent.recipe import WeightsUsed
from agent.scripted import Scripted
from evaluation.ablation import Ablation
from evaluation.cards import ROTTEN_TOMATOES
from evaluation.split import SplitReport
from evaluation.study import Study, parse
from serving.settings import Settings
from serving.studies import ablations
from serving.studies.data import DataSet
from serving.studies.hand import Bundle
from serving.studies.hands import Hands, Own
from serving.studies.jobs import Weights
from serving.studies.runner import Ended, Ready, carry_out, ready
from serving.studies.screen import StudyScreen
from tests.support.questions import TASK, ToyEncoder
from tests.support.toy_jobs import toy_table
from tests.support.toy_runs import answer

SMALL = """
name = "small"
sets = ["weather", "storms"]
pool = 48
test = 30
budget = 16
shuffles = 2
students = ["svm", "linear"]

[[arms]]
strategy = { kind = "random" }

[[arms]]
strategy = { kind = "margin" }

[[contrasts]]
a = "margin"
b = "random"
"""


def small(**changes: object) -> Study:
    return Study.model_validate(parse(SMALL).model_dump() | changes)


def toy_set(name: str, seed: int) -> DataSet:
    card = ROTTEN_TOMATOES.model_copy(update={"name": name, "labels": TASK.labels, "guidelines": "", "item": "text"})
    return DataSet(card, toy_table(48, seed), toy_table(30, seed + 50), SplitReport(source=78, pool=48, test=30))


def toy_study(
    study: Study, home: Path, chat: ChatModel | None = None, database: str = "", secret: str | None = None
) -> Ready:
    """The study, ready to run over `home`; made again with the same folder, it goes on from what is recorded there."""
    sets = {name: toy_set(name, 10 + i) for i, name in enumerate(study.sets)}
    bundle = Bundle(
        run=f"study-{study.name}",
        settings=Settings.model_validate({"home": home, "cache": home, "database": database, "api_key": secret}),
        sets=sets,
        vectors={
            name: (
                ToyEncoder().embed(each.pool.columns).astype("float32"),
                ToyEncoder().embed(each.test.columns).astype("float32"),
            )
            for name, each in sets.items()
        },
        encoder="toy",
        chat=chat,
    )
    weights = Weights(WeightsUsed(name="toy encoder"), WeightsUsed(name="toy", hash="0" * 64) if chat else None)
    return ready(study, bundle, weights, home / "out")


def screen() -> StudyScreen:
    return StudyScreen(Console(file=StringIO(), width=200))


def done(work: Ready, make: Callable[[Bundle], Hands] = Own) -> Ended:
    return carry_out(work, make, screen())


READS = """
name = "readout"
sets = ["weather", "storms"]
pool = 48
test = 30
shuffles = 2

[subject]
kind = "annotate"
texts = 15
labelled = 8
sample = 24

[factors]
verbaliser = ["words", "names"]
calibration = ["none", "batch"]
shots = [0, 4]
"""

PICKS = """
name = "picks"
sets = ["weather"]
pool = 48
test = 30
shuffles = 2

[subject]
kind = "select"
budget = 8
batch = 4
base = { slots = { criterion = "none" }, per_list = 2, list_size = 6 }

[factors]
mode = ["no-cot", "cot"]
order = ["random", "reversed"]
"""


def toy_ablation(ablation: Ablation, home: Path, chat: ChatModel) -> Ready:
    """The ablation, ready to run over `home`; made again with the same folder, it goes on from what is recorded."""
    whole = toy_study(ablation.study(), home / "unused", chat)
    settings = Settings.model_validate({"home": home, "cache": home})
    return ablations.ready(ablation, replace(whole.bundle, settings=settings), whole.weights, home / "out")


def worded(request: ChatRequest) -> Scripted:
    """The toy LLM, which knows the toy labels by whatever they are called."""
    said = answer(request)
    if not isinstance(said, dict):
        return said
    return {word: said["positive" if word in ("positive", "sunny", "A") else "negative"] for word in request.read}
