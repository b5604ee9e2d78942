"""What every student owes its callers. The list comes from the union: a newcomer without a sample fails."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from pydantic import TypeAdapter

from agent.domain import LabelCard
from agent.errors import BadInput, ModelError
from agent.protocols import Bench, Columns, Sampler, Weighted
from agent.scripted import ScriptedChat
from agent.students import SAMPLED, Bert, FrozenLinear, InContext, LearnerSpec, SetFit, TfidfSvm
from tests.support.questions import TASK, ToyEncoder, frozen, texts, toy_neighbours
from tests.support.tiny_bert import tiny_bert

TINY = {"learning_rate": 3e-3, "head_rate": 3e-3, "min_steps": 120, "max_steps": 120, "batch": 8, "threads": 1}
SAMPLES: tuple[Any, ...] = (
    TfidfSvm(),
    FrozenLinear(),
    InContext(shown=32),
    pytest.param(SetFit(learning_rate=3e-3, max_steps=40, threads=1, precision="float32"), marks=pytest.mark.student),
    pytest.param(Bert(**TINY, precision="float32"), marks=pytest.mark.student),
    pytest.param(
        Bert(**TINY, start="checkpoint", freeze_embeddings=False, precision="bfloat16"), marks=pytest.mark.student
    ),
)
ASKED = [s for s in SAMPLES if isinstance(s, InContext)]
"""They show labels to an LLM, which has no place for soft ones."""


def named(learner: Any) -> str:
    return f"{learner.name}-{getattr(learner, 'start', '')}".rstrip("-")


every = pytest.mark.parametrize("learner", SAMPLES, ids=named)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("tiny-bert"))


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Bench:
    kind = request.node.callspec.params["learner"].kind
    folder = request.getfixturevalue("checkpoint") if kind in {"bert", "setfit"} else None
    return Bench(TASK, chat=ScriptedChat(toy_neighbours), embed=ToyEncoder(), checkpoint=folder)


def labelled(n: int = 48, *, pairs: bool = False, seed: int = 0) -> Weighted:
    columns, classes = texts(n, seed=seed, pairs=pairs)
    return Weighted(columns, frozen(np.eye(2)[classes]), frozen(np.ones(n)))


def fit(learner: Any, rows: Weighted, bench: Bench, seed: int = 0) -> Any:
    return learner.fit(rows, bench.task, bench, np.random.default_rng(seed))


def test_every_member_of_the_union_has_a_sample() -> None:
    samples = [s.values[0] if hasattr(s, "values") else s for s in SAMPLES]
    assert {type(s) for s in samples} == set(get_args(LearnerSpec))


def test_reading_a_specification_loads_nothing_heavy() -> None:
    script = (
        "import sys, agent.query, agent.students, agent.stopping, agent.embed\n"
        "print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


@every
def test_predicts_distributions_and_learns(learner: Any, bench: Bench) -> None:
    student = fit(learner, labelled(96), bench)
    columns, classes = texts(60, seed=3)
    p = student.predict(columns)
    assert p.shape == (60, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-9)
    assert (p >= 0).all()
    assert (p.argmax(axis=1) == classes).mean() > 0.9
    assert student.predict(columns.take([])).shape == (0, 2)


@every
def test_embeds_at_unit_length(learner: Any, bench: Bench) -> None:
    student = fit(learner, labelled(), bench)
    columns, _ = texts(9, seed=4)
    vectors = student.embed(Columns([*columns.ids, "odd"], [*columns.texts, "qqq zzz"]))
    assert vectors.shape[0] == 10
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


@every
def test_equal_seeds_give_equal_students(learner: Any, bench: Bench) -> None:
    columns, _ = texts(20, seed=3)
    first, second = (fit(learner, labelled(), bench, seed=7).predict(columns) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@every
def test_rows_without_weight_have_no_influence(learner: Any, bench: Bench) -> None:
    rows, (more, classes) = labelled(), texts(10, seed=5)
    lies = Weighted(
        Columns([*rows.columns.ids, *more.ids], [*rows.columns.texts, *(f"{t} unheard" for t in more.texts)]),
        np.concatenate([rows.targets, np.eye(2)[1 - classes]]),
        np.concatenate([rows.weights, np.zeros(10)]),
    )
    columns, _ = texts(20, seed=3)
    honest, told = fit(learner, rows, bench).predict(columns), fit(learner, lies, bench).predict(columns)
    np.testing.assert_array_equal(honest, told)


@every
def test_the_heavier_of_two_contrary_labels_wins(learner: Any, bench: Bench) -> None:
    rows = labelled(24)
    twice = Columns([f"{i}{half}" for half in "ab" for i in rows.columns.ids], [*rows.columns.texts] * 2)
    targets = np.concatenate([rows.targets, 1 - rows.targets])
    told = [
        fit(learner, Weighted(twice, targets, np.repeat(w, 24)), bench).predict(rows.columns).argmax(axis=1)
        for w in ([1.0, 0.15], [0.15, 1.0])
    ]
    truth = rows.targets.argmax(axis=1)
    assert (told[0] == truth).mean() > 0.8
    assert (told[1] == 1 - truth).mean() > 0.8


@pytest.mark.parametrize("learner", [s for s in SAMPLES if s not in ASKED], ids=named)
def test_soft_targets_are_learnt_softly(learner: Any, bench: Bench) -> None:
    rows = labelled()
    soft = replace(rows, targets=rows.targets * 0.4 + 0.3)
    sure, unsure = fit(learner, rows, bench).predict(rows.columns), fit(learner, soft, bench).predict(rows.columns)
    assert (unsure.argmax(axis=1) == rows.targets.argmax(axis=1)).mean() > 0.8
    assert unsure.max(axis=1).mean() < sure.max(axis=1).mean() - 0.05


@every
def test_classes_that_nobody_has_shown_are_fine(learner: Any, bench: Bench) -> None:
    task = TASK.model_copy(update={"labels": (LabelCard(name="windy"), *TASK.labels)})
    rows = labelled(16)
    bench = replace(bench, task=task)
    without = replace(rows, targets=np.concatenate([np.zeros((16, 1)), rows.targets], axis=1))
    p = fit(learner, without, bench).predict(rows.columns)
    assert p.shape == (16, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-9)
    assert (p.argmax(axis=1) > 0).mean() > 0.8
    alone = replace(rows, targets=np.tile([0.0, 1.0, 0.0], (16, 1)))
    assert (fit(learner, alone, bench).predict(rows.columns).argmax(axis=1) == 1).all()


@every
def test_pairs_of_texts(learner: Any, bench: Bench) -> None:
    rows = labelled(pairs=True)
    assert fit(learner, rows, bench).predict(rows.columns).shape == (48, 2)


@every
@pytest.mark.parametrize(
    ("targets", "weights", "message"),
    [
        (np.eye(2)[[0, 1]], np.zeros(2), "none of 2 labelled texts"),
        (np.eye(2)[[0, 1]], np.asarray([1.0, -1.0]), "weight is -1"),
        (np.eye(2)[[0, 1]], np.asarray([1.0, np.nan]), "weight is nan"),
        (np.asarray([[0.5, 0.6], [0.5, 0.5]]), np.ones(2), r"sums to 1\.1"),
        (np.asarray([[np.nan, 0.6], [0.5, 0.5]]), np.ones(2), "sums to nan"),
        (np.eye(3)[[0, 1]], np.ones(2), r"\(2, 3\)"),
    ],
)
def test_unusable_rows_are_refused(learner: Any, bench: Bench, targets: Any, weights: Any, message: str) -> None:
    columns, _ = texts(2)
    with pytest.raises(BadInput, match=message):
        fit(learner, Weighted(columns, targets, weights), bench)


@every
def test_a_saved_student_predicts_the_same(learner: Any, bench: Bench, tmp_path: Path) -> None:
    student = fit(learner, labelled(), bench)
    student.save(tmp_path / "student")
    columns, _ = texts(20, seed=3)
    again = learner.load(tmp_path / "student", TASK, bench)
    np.testing.assert_array_equal(again.predict(columns), student.predict(columns))
    np.testing.assert_array_equal(again.embed(columns), student.embed(columns))
    if isinstance(student, Sampler):
        np.testing.assert_array_equal(again.samples(columns, 3, seed=1), student.samples(columns, 3, seed=1))
    other = TASK.model_copy(update={"labels": tuple(reversed(TASK.labels))})
    with pytest.raises(ModelError, match="classifies sunny, rainy"):
        learner.load(tmp_path / "student", other, bench)


@every
def test_no_student_is_made_of_an_empty_folder(learner: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=str(tmp_path)):
        learner.load(tmp_path, TASK)


@pytest.mark.parametrize("bytes_", [b"", b"PK\x03\x04 cut"], ids=["empty", "cut"])
def test_a_damaged_file_of_numbers_is_told_in_words(bytes_: bytes, tmp_path: Path) -> None:
    fit(TfidfSvm(), labelled(), Bench(TASK)).save(tmp_path / "student")
    (tmp_path / "student" / "arrays.npz").write_bytes(bytes_)
    with pytest.raises(ModelError, match=r"holds no readable arrays\.npz"):
        TfidfSvm().load(tmp_path / "student", TASK)


@every
def test_a_committee_disagrees_about_what_the_student_says(learner: Any, bench: Bench) -> None:
    student, (columns, _) = fit(learner, labelled(24), bench), texts(20, seed=3)
    assert isinstance(student, Sampler) == isinstance(learner, SAMPLED)
    if not isinstance(student, Sampler):
        return
    p = student.samples(columns, 6, seed=4)
    assert p.shape == (6, 20, 2)
    np.testing.assert_allclose(p.sum(axis=2), 1.0, atol=1e-9)
    np.testing.assert_array_equal(p, student.samples(columns, 6, seed=4))
    assert np.abs(p - student.samples(columns, 6, seed=5)).max() > 1e-3
    assert p.std(axis=0).max() > 1e-3
    assert np.abs(p.mean(axis=0) - student.predict(columns)).mean() < 0.2
    np.testing.assert_array_equal(student.predict(columns), student.predict(columns))


@every
def test_a_learner_is_its_own_specification(learner: Any) -> None:
    union: TypeAdapter[Any] = TypeAdapter(LearnerSpec)
    assert union.validate_json(learner.model_dump_json()) == learner


@every
def test_learning_says_nothing(learner: Any, bench: Bench, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    student = fit(learner, labelled(8), bench)
    student.save(tmp_path / "student")
    learner.load(tmp_path / "student", TASK, bench).predict(labelled(8).columns)
    assert capfd.readouterr() == ("", "")


@pytest.mark.student
def test_bert_leaves_torch_as_it_was(checkpoint: Path) -> None:
    import torch

    bench, before = Bench(TASK, checkpoint=checkpoint), (torch.get_num_threads(), torch.random.get_rng_state())
    fit(Bert(**TINY), labelled(8), bench)
    assert torch.get_num_threads() == before[0]
    assert torch.equal(torch.random.get_rng_state(), before[1])
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.student
def test_bert_opens_in_a_new_process(checkpoint: Path, tmp_path: Path) -> None:
    """With transformers alone: weights, tokenizer and the names of the labels."""
    student = fit(Bert(**TINY, precision="float32"), labelled(), Bench(TASK, checkpoint=checkpoint))
    student.save(tmp_path / "student")
    columns, _ = texts(5, seed=3)
    script = (
        "import sys, torch\n"
        "from transformers import AutoModelForSequenceClassification as M, AutoTokenizer as T\n"
        "m, t = M.from_pretrained(sys.argv[1]), T.from_pretrained(sys.argv[1])\n"
        "with torch.no_grad(): p = m(**t(sys.argv[2:], padding=True, return_tensors='pt')).logits.softmax(1)\n"
        "print([[m.config.id2label[int(i)], round(float(q), 4)] for i, q in zip(p.argmax(1), p.max(1).values)])\n"
        "print(sorted(m.config.label2id.items()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "student"), *columns.texts],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    p = student.predict(columns)
    expected = [[TASK.names[i], round(float(q), 4)] for i, q in zip(p.argmax(axis=1), p.max(axis=1), strict=True)]
    assert done.stdout.splitlines() == [str(expected), "[('rainy', 1), ('sunny', 0)]"]


@pytest.mark.student
def test_bert_asks_for_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="checkpoint"):
        fit(Bert(), labelled(4), Bench(TASK))
    with pytest.raises(ModelError, match=str(tmp_path)):
        fit(Bert(), labelled(4), Bench(TASK, checkpoint=tmp_path))
