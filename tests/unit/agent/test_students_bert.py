"""Parts of the fine-tuned student that can be told by hand."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from agent.domain import LabelCard
from agent.embed import CachedEmbedder, SentenceEncoder
from agent.errors import ModelError
from agent.protocols import Bench, Columns, Weighted
from agent.students import Bert, FrozenLinear, bert
from agent.students.bert import schedule
from agent.students.bert_start import MEAN_GAIN, prepare
from agent.students.encode import by_length, padded, shuffled, sums_in_order, tokenize
from tests.support.questions import TASK, texts
from tests.support.tiny_bert import tiny_bert, tiny_relative


def test_few_labels_get_many_steps_and_many_get_no_more_than_allowed() -> None:
    learner = Bert(batch=16, epochs=3, min_steps=200, max_steps=500)
    assert [learner.steps(n) for n in (2, 600, 1600, 10**6)] == [200, 200, 300, 500]


def test_the_learning_rate_rises_and_falls() -> None:
    factors = [schedule(step, 200, 0.1) for step in range(200)]
    assert factors[0] == pytest.approx(1 / 20)
    assert max(factors) == factors[19] == 1.0
    assert factors[20] == 1.0
    assert factors[199] == pytest.approx(1 / 180)
    assert factors == sorted(factors[:20]) + sorted(factors[20:], reverse=True)
    assert schedule(0, 1, 0.0) == 1.0


def test_each_pass_shows_every_row_once_in_changing_company() -> None:
    lengths = np.asarray([5, 6, 7, 8, 30, 31, 32, 33] * 4)
    batches = shuffled(lengths, 4, np.random.default_rng(0))
    passes = [[next(batches) for _ in range(8)] for _ in range(20)]
    for one in passes:
        assert sorted(np.concatenate(one)) == list(range(32))
    assert len({frozenset(b.tolist()) for one in passes for b in one}) > 40
    widest = np.mean([lengths[b].max() - lengths[b].min() for one in passes for b in one])
    assert widest < 10  # 26 where rows are drawn blindly


def test_batches_go_by_length() -> None:
    tokens = {"input_ids": [[1], [1, 2, 3], [1, 2], [4, 5, 6]]}
    assert [b.tolist() for b in by_length(tokens, 2)] == [[1, 3], [2, 0]]


@pytest.mark.student
def test_padding_is_masked() -> None:
    tokens = {"input_ids": [[7, 8, 9], [7]], "token_type_ids": [[0, 0, 1], [0]]}
    batch = padded(tokens, [1, 0], 5, "cpu")
    assert batch["input_ids"].tolist() == [[7, 5, 5], [7, 8, 9]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 0], [0, 0, 1]]
    assert batch["attention_mask"].tolist() == [[1, 0, 0], [1, 1, 1]]


@pytest.mark.student
def test_the_added_layer_starts_as_the_mean_over_the_tokens(tmp_path: Path) -> None:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    folder = tiny_bert(tmp_path)
    plain = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokens = tokenize(transformers.AutoTokenizer.from_pretrained(folder), texts(6)[0], 64)
    inputs = padded(tokens, range(6), 0, "cpu")
    with torch.no_grad():
        last = plain(**inputs, output_hidden_states=True).hidden_states[-1]
        grown = prepare(plain, "mean")
        read = grown(**inputs, output_hidden_states=True).hidden_states[-1][:, 0]
    mask = inputs["attention_mask"].unsqueeze(-1)
    mean = (last * mask).sum(1) / mask.sum(1)
    expected = torch.nn.functional.layer_norm(last[:, 0] + MEAN_GAIN * mean, (32,))
    torch.testing.assert_close(read, expected, atol=1e-4, rtol=1e-4)
    assert grown.config.num_hidden_layers == 3


@pytest.mark.student
def test_frozen_layers_do_not_learn(tmp_path: Path) -> None:
    bench, (columns, classes) = Bench(TASK, checkpoint=tiny_bert(tmp_path)), texts(8)
    learner = Bert(min_steps=3, max_steps=3, frozen_layers=1, threads=1)
    rows = Weighted(columns, np.eye(2)[classes], np.ones(8))
    student = learner.fit(rows, TASK, bench, np.random.default_rng(0))
    layers = student.network.bert.encoder.layer
    assert not any(p.requires_grad for p in layers[0].parameters())
    assert all(p.requires_grad for p in layers[1].parameters())
    seen: list[tuple[int, int, str]] = []
    noting = Bench(TASK, checkpoint=bench.checkpoint, progress=lambda *now: seen.append(now))
    learner.fit(rows, TASK, noting, np.random.default_rng(0))
    assert [s[:2] for s in seen] == [(1, 3), (2, 3), (3, 3)]


def test_another_architecture_is_refused_by_name() -> None:
    other = SimpleNamespace(config=SimpleNamespace(model_type="distilbert"))
    with pytest.raises(ModelError, match="'distilbert'"):
        prepare(other, "mean")


@pytest.mark.student
@pytest.mark.parametrize("kind", ["distilbert", "electra", "roberta"])
def test_an_encoder_of_another_architecture_starts_from_its_checkpoint(kind: str, tmp_path: Path) -> None:
    bench, (columns, classes) = Bench(TASK, checkpoint=tiny_relative(kind, tmp_path / kind)), texts(32)
    rows = Weighted(columns, np.eye(2)[classes], np.ones(32))
    learner = Bert(learning_rate=3e-3, head_rate=3e-3, min_steps=150, max_steps=150, batch=8, threads=1)
    student = learner.fit(rows, TASK, bench, np.random.default_rng(0))
    assert (student.predict(columns).argmax(axis=1) == classes).mean() > 0.8, "it learns"
    student.save(tmp_path / "saved")
    again = learner.load(tmp_path / "saved", TASK)
    np.testing.assert_allclose(again.predict(columns), student.predict(columns), atol=1e-6)


@pytest.mark.student
@pytest.mark.parametrize("kind", ["distilbert", "electra", "roberta"])
def test_layers_and_dropout_are_found_in_another_architecture(kind: str, tmp_path: Path) -> None:
    bench, (columns, classes) = Bench(TASK, checkpoint=tiny_relative(kind, tmp_path / kind)), texts(8)
    rows = Weighted(columns, np.eye(2)[classes], np.ones(8))
    learner = Bert(frozen_layers=1, dropout=0.0, min_steps=1, max_steps=1, threads=1)
    network = learner.fit(rows, TASK, bench, np.random.default_rng(0)).network
    first, second = (network.base_model.transformer if kind == "distilbert" else network.base_model.encoder).layer
    assert not any(p.requires_grad for p in first.parameters())
    assert all(p.requires_grad for p in second.parameters())
    assert {module.p for module in network.modules() if type(module).__name__ == "Dropout"} == {0.0}


@pytest.mark.student
def test_layers_that_are_not_known_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bert, "_LAYERS", ("blocks",))
    bench, (columns, classes) = Bench(TASK, checkpoint=tiny_bert(tmp_path)), texts(8)
    rows = Weighted(columns, np.eye(2)[classes], np.ones(8))
    with pytest.raises(ModelError, match="the layers of a 'bert' are not known; leave `frozen_layers` out"):
        Bert(frozen_layers=1, threads=1).fit(rows, TASK, bench, np.random.default_rng(0))
    monkeypatch.setattr(bert, "_DROPOUTS", ("forgetting",))
    with pytest.raises(ModelError, match="no dropout of a 'bert' is known; leave `dropout` out"):
        Bert(dropout=0.0, threads=1).fit(rows, TASK, bench, np.random.default_rng(0))


@pytest.mark.student
def test_the_encoder_takes_the_mean_whatever_stands_beside_a_text(tmp_path: Path) -> None:
    encoder, (columns, _) = SentenceEncoder(tiny_bert(tmp_path), precision="float32", batch=4), texts(9)
    together = encoder.embed(columns)
    alone = np.concatenate([encoder.embed(columns.take([i])) for i in range(9)])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
    assert encoder.embed(columns.take([])).shape == (0, 32)


@pytest.mark.student
def test_a_linear_student_finds_its_encoder_again(tmp_path: Path) -> None:
    folder, (columns, classes) = tiny_bert(tmp_path / "encoder"), texts(8)
    bench = Bench(TASK, embed=CachedEmbedder(SentenceEncoder(folder, precision="float32")))
    rows = Weighted(columns, np.eye(2)[classes], np.ones(8))
    student = FrozenLinear().fit(rows, TASK, bench, np.random.default_rng(0))
    student.save(tmp_path / "student")
    again = FrozenLinear().load(tmp_path / "student", TASK)
    np.testing.assert_allclose(again.predict(columns), student.predict(columns), atol=0.02)
    (folder / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(ModelError, match="was trained on the encoder 'encoder@"):
        FrozenLinear().load(tmp_path / "student", TASK)


@pytest.mark.student
def test_long_texts_are_cut(tmp_path: Path) -> None:
    bench = Bench(TASK, checkpoint=tiny_bert(tmp_path))
    long = Columns(["a", "b"], ["sun " * 5000, "rain " * 5000])
    for wanted, found in ((16, 16), (128, 64)):  # the tiny model takes 64
        learner = Bert(min_steps=1, max_steps=1, max_length=wanted, threads=1)
        student = learner.fit(Weighted(long, np.eye(2), np.ones(2)), TASK, bench, np.random.default_rng(0))
        assert student.reading.max_length == found
        assert student.predict(long).shape == (2, 2)
    assert bench.checkpoint is not None
    assert SentenceEncoder(bench.checkpoint).embed(long).shape == (2, 32)


@pytest.mark.student
def test_broken_weights_are_refused(tmp_path: Path) -> None:
    folder = tiny_bert(tmp_path)
    (folder / "model.safetensors").write_bytes(b"not weights at all")
    columns, classes = texts(4)
    rows = Weighted(columns, np.eye(2)[classes], np.ones(4))
    with pytest.raises(ModelError, match="no model can be read"):
        Bert().fit(rows, TASK, Bench(TASK, checkpoint=folder), np.random.default_rng(0))


@pytest.mark.student
def test_label_names_may_be_anything(tmp_path: Path) -> None:
    task = TASK.model_copy(update={"labels": (LabelCard(name="LABEL_1"), LabelCard(name="naïve / ☂"))})
    bench, (columns, classes) = Bench(task, checkpoint=tiny_bert(tmp_path / "base")), texts(4)
    learner = Bert(min_steps=1, max_steps=1, threads=1)
    rows = Weighted(columns, np.eye(2)[classes], np.ones(4))
    learner.fit(rows, task, bench, np.random.default_rng(0)).save(tmp_path / "student")
    assert learner.load(tmp_path / "student", task).labels == task.names


@pytest.mark.student
@pytest.mark.parametrize("said", ["set CUBLAS_WORKSPACE_CONFIG=:4096:8", "CUDA out of memory"])
def test_a_card_that_may_not_sum_in_order_is_told_from_one_that_fails(
    said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def refuse(*_: object) -> None:
        raise RuntimeError(said)

    before = torch.are_deterministic_algorithms_enabled()
    monkeypatch.setattr(torch, "ones", lambda *_, **__: None)
    monkeypatch.setattr(torch, "mm", refuse)
    try:
        if "memory" in said:
            with pytest.raises(RuntimeError, match="memory"):
                sums_in_order.__wrapped__(0)
        else:
            assert sums_in_order.__wrapped__(0) is False
    finally:
        torch.use_deterministic_algorithms(before)
