"""The whole path once: a real vLLM server, real weights, real film sentences. An engine that is down is started."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from agent.annotate import Llm
from agent.domain import Annotation, Batch, Pick, Task
from agent.generate import Generate
from agent.pool import Pool
from agent.protocols import Bench, ChatModel, Columns, Embedder, Query, Weighted
from agent.query import LlmChoose
from agent.query.diagnose import MOST_FILLED, filled_share
from agent.seeds import generator
from agent.students import Bert, FrozenLinear
from evaluation.cards import ROTTEN_TOMATOES
from evaluation.datasets import Row
from evaluation.split import prepare
from serving import settings
from serving.connect import Served, Setting
from serving.data.fetch import DataFetcher
from serving.models.catalogue import find
from serving.models.resolve import Loaded
from serving.runs import wiring

pytestmark = [pytest.mark.engine, pytest.mark.student, pytest.mark.timeout(1500)]

FILMS, SAMPLE, RIGHT = 60, 100, 39


@pytest.fixture(scope="module")
def setting() -> Setting:
    """The engine of this machine, whatever other server the environment names."""

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    return Setting(settings.load().model_copy(update={"engine_url": ""}), say)


@pytest.fixture(scope="module")
def served(setting: Setting) -> Served:
    """The engine, started where it is not up. Where it cannot be, every test here fails and says why."""
    return setting.connect()


@pytest.fixture(scope="module")
def chat(setting: Setting, served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatModel]:
    """The engine behind a ledger of its own, so that every question is really asked."""
    home = setting.settings.model_copy(update={"home": tmp_path_factory.mktemp("home")})
    made = wiring.chat(home, served, wiring.open_store(home))
    yield made
    made.close()


@pytest.fixture(scope="module")
def encoder(setting: Setting) -> tuple[Loaded, Embedder]:
    return wiring.encoder(setting)


@pytest.fixture(scope="module")
def rows(setting: Setting) -> tuple[Row, ...]:
    """Real sentences in a fixed random order: 60 to work on, then 100 for the LLM's prior."""
    card = ROTTEN_TOMATOES
    return prepare(card, DataFetcher.of(setting), pool=FILMS + SAMPLE, test=10).pool


@pytest.fixture(scope="module")
def task() -> Task:
    return ROTTEN_TOMATOES.task()


def columns(rows: tuple[Row, ...]) -> Columns:
    return Columns([row.id for row in rows], [row.text for row in rows])


@pytest.fixture(scope="module")
def films(rows: tuple[Row, ...]) -> Columns:
    return columns(rows[:FILMS])


@pytest.fixture(scope="module")
def bench(task: Task, chat: ChatModel, encoder: tuple[Loaded, Embedder], rows: tuple[Row, ...]) -> Bench:
    loaded, embed = encoder
    return Bench(task, chat=chat, embed=embed, sample=columns(rows[FILMS:]), checkpoint=loaded.path)


@pytest.fixture(scope="module")
def annotated(films: Columns, bench: Bench) -> tuple[Annotation, ...]:
    batch = Batch(picks=tuple(Pick(example=films.example(i)) for i in range(len(films))), by="all")
    return Llm().annotate(batch, bench)


@pytest.fixture(scope="module")
def pool(task: Task, films: Columns, annotated: tuple[Annotation, ...]) -> Pool:
    return Pool.of(task, films).label(annotated)


def question(pool: Pool, bench: Bench, size: int, **fields: object) -> Query:
    everything = np.arange(len(pool))
    given = {
        "task": pool.task,
        "size": size,
        "candidates": pool.columns,
        "machine": pool.machine(everything),
        "labelled": pool.labelled(),
        "rng": generator(0, "e2e"),
        "chat": bench.chat,
        "embed": bench.embed,
        "sample": bench.sample,
    }
    return Query(**{**given, **fields})


def test_the_engine_serves_the_weights_of_the_catalogue(served: Served, setting: Setting) -> None:
    wanted = setting.settings.model
    with httpx.Client(trust_env=False, timeout=30) as client:
        cards = client.get(f"{served.urls[0]}/models").raise_for_status().json()["data"]
    assert served.hash is not None
    assert [card["id"] for card in cards] == [f"{wanted}@{served.hash[:12]}"]
    entry = find(wanted)
    if served.source == "packaged":
        assert entry.packed is not None
        assert served.hash == entry.packed.weights_sha256


def test_the_llm_selects_from_real_sentences(task: Task, films: Columns, bench: Bench) -> None:
    batch = LlmChoose().query(question(Pool.of(task, films), bench, 8))
    ids = [pick.example.id for pick in batch.picks]
    assert len(ids) == len(set(ids)) == 8
    assert set(ids) <= set(films.ids)
    assert filled_share([batch]) <= MOST_FILLED, "the LLM chose them itself"
    assert all(pick.shown is not None for pick in batch.picks if not pick.filled)


def test_the_llm_labels_most_sentences_right(annotated: tuple[Annotation, ...], rows: tuple[Row, ...]) -> None:
    gold = {row.id: row.label for row in rows}
    assert len(annotated) == FILMS
    right = sum(a.answer.label == gold[a.example] for a in annotated)
    assert right >= RIGHT, f"{right} of {FILMS}"
    assert all(a.answer.calibrated is not None and (a.answer.label_mass or 0) > 0.2 for a in annotated)
    assert all(a.cost.calls == 1 and a.cost.tokens_in > 0 for a in annotated)


def test_the_llm_writes_texts_of_which_some_pass(pool: Pool, bench: Bench, task: Task) -> None:
    labelled = pool.labelled()
    weighted = Weighted(labelled.columns, labelled.targets, np.ones(len(labelled)))
    scout = FrozenLinear().fit(weighted, task, bench, generator(0, "scout"))
    batch = Generate(clusters=3, gaps=4).query(question(pool, bench, 20, student=scout))
    rejected = {v.candidate: v.reason for v in batch.verdicts if not v.accepted}
    accepted = [c for c in batch.candidates if c.example.id not in rejected]
    assert accepted, rejected
    assert rejected
    assert all(rejected.values()), "a rejection says why"
    assert {pick.example.id for pick in batch.picks} <= {c.example.id for c in accepted}


SCRIPT = """
import json, sys, torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
folder, texts = sys.argv[1], json.load(sys.stdin)
model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
tokenizer = AutoTokenizer.from_pretrained(folder)
inputs = tokenizer(texts, padding=True, truncation=True, max_length=128, return_tensors="pt")
with torch.inference_mode():
    classes = model(**inputs).logits.argmax(dim=1).tolist()
json.dump([model.config.id2label[c] for c in classes], sys.stdout)
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere"


def test_a_student_learns_from_these_labels_and_loads_in_another_program(
    pool: Pool, bench: Bench, task: Task, films: Columns, elsewhere: Path
) -> None:
    labelled = pool.labelled()
    weighted = Weighted(labelled.columns, labelled.targets, np.ones(len(labelled)))
    student = Bert(min_steps=200).fit(weighted, task, bench, generator(0, "train"))
    own = [task.names[c] for c in student.predict(films).argmax(axis=1)]
    said = dict(zip(labelled.columns.ids, labelled.targets.argmax(axis=1), strict=True))
    repeated = np.mean(
        [label == task.names[said[id_]] for id_, label in zip(films.ids, own, strict=True) if id_ in said]
    )
    assert repeated >= 0.9, "200 steps are enough to learn 60 labels"
    student.save(elsewhere.parent / "student")
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(elsewhere.parent / "student")],
        input=json.dumps(list(films.texts)),
        cwd=elsewhere,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.returncode == 0, found.stderr[-2000:]
    assert json.loads(found.stdout) == own
