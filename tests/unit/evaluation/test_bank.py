"""The bank of real runs behind `evaluation.bench.calibration`, on made-up texts and vectors."""

import csv
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from agent.errors import BadInput
from evaluation.bench import bank as made
from evaluation.bench.bank import ROUNDS, Material, bank, material, run
from evaluation.bench.calibration import RUNS, SHUFFLES, Bank, _noncentral
from tests.support.questions import texts
from tests.support.tiny_bert import tiny_bert


def rows(n: int, seed: int) -> list[dict[str, str]]:
    columns, classes = texts(n, seed=seed)
    each = zip(columns.texts, classes, strict=True)
    return [{"id": f"{seed}-{i}", "text": t, "label": ("negative", "positive")[c]} for i, (t, c) in enumerate(each)]


def copy(folder: Path, train: Sequence[dict[str, str]], test: Sequence[dict[str, str]]) -> Path:
    """A local copy of a data set."""
    folder.mkdir(parents=True)
    for name, part in (("train", train), ("test", test)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part), encoding="utf-8")
    return folder


def looks_right(made_of: Material, pool: int, test: int) -> None:
    assert (len(made_of.pool), len(made_of.test), len(made_of.truth)) == (pool, test, test)
    assert not {*made_of.pool.ids} & {*made_of.test.ids}
    assert made_of.gold.keys() == {*made_of.pool.ids}
    assert made_of.task.names == ("negative", "positive")
    np.testing.assert_allclose(np.linalg.norm(made_of.embed.embed(made_of.pool), axis=1), 1.0, atol=1e-5)


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tiny_bert(tmp_path / "encoder")
    monkeypatch.setenv("THRESHER_ENCODER", str(folder))
    return folder


def test_material_is_read_from_a_csv_file_and_kept(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "mine.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, ["label", "text"])
        writer.writeheader()
        writer.writerows({key: row[key] for key in ("label", "text")} for row in rows(30, 1))
    made_of = material(tmp_path / "kept", str(tmp_path / "mine.csv"), 20, 8)
    looks_right(made_of, 20, 8)
    assert (made_of.name, made_of.encoder) == ("mine", encoder)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it is there already"))
    again = material(tmp_path / "kept", str(tmp_path / "mine.csv"), 20, 8)
    assert (again.pool, again.gold, again.encoder) == (made_of.pool, made_of.gold, encoder)


def test_material_is_read_from_a_folder_and_by_the_name_of_a_card(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = copy(tmp_path / "sets" / "sst2", rows(30, 1), rows(20, 2))
    looks_right(material(tmp_path / "one", str(source), 20, 8), 20, 8)
    monkeypatch.setenv("THRESHER_DATA", str(source.parent))
    by_card = material(tmp_path / "two", "sst2", 12, 6)
    looks_right(by_card, 12, 6)
    assert (by_card.name, by_card.encoder) == ("sst2", encoder)


def test_a_folder_without_ids_gets_them_and_ids_that_stand_twice_are_refused(tmp_path: Path, encoder: Path) -> None:
    source = copy(tmp_path / "mine", rows(30, 1), rows(20, 2))
    parts = {name: (source / name).read_text(encoding="utf-8").splitlines() for name in ("train.jsonl", "test.jsonl")}
    bare = {name: [{k: v for k, v in json.loads(each).items() if k != "id"} for each in parts[name]] for name in parts}
    for name, found in bare.items():
        (source / name).write_text("\n".join(map(json.dumps, found)), encoding="utf-8")
    looks_right(material(tmp_path / "one", str(source), 20, 8), 20, 8)
    for name, found in bare.items():
        numbered = ({**each, "id": str(i)} for i, each in enumerate(found))
        (source / name).write_text("\n".join(map(json.dumps, numbered)), encoding="utf-8")
    with pytest.raises(BadInput, match=r"\d+ ids of .*mine stand twice; give every text an id of its own"):
        material(tmp_path / "two", str(source), 30, 20)


def test_a_run_is_decided_by_its_shuffle(toy: Material) -> None:
    one, again, other = run(toy, "random", 3), run(toy, "random", 3), run(toy, "random", 4)
    assert one.accuracy == again.accuracy
    assert len(one.accuracy) == ROUNDS
    assert one.accuracy != other.accuracy


def test_arms_of_one_shuffle_begin_alike_and_the_other_stream_does_not(toy: Material) -> None:
    random, margin, stream = (run(toy, arm, 5) for arm in ("random", "margin", "other random"))
    assert random.accuracy[0] == margin.accuracy[0]
    assert random.accuracy[1:] != margin.accuracy[1:]
    assert random.accuracy != stream.accuracy


def test_people_who_err_teach_less(toy: Material) -> None:
    clean, erring = ([np.mean(run(toy, arm, i).accuracy) for i in range(12)] for arm in ("random", "erring"))
    assert np.mean(clean) > np.mean(erring)


def test_a_bank_goes_on_where_it_stopped(toy: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bank(toy, "random", 3, tmp_path, chunk=2)
    calls: list[int] = []
    monkeypatch.setattr(made, "run", lambda m, arm, shuffle: calls.append(shuffle) or run(m, arm, shuffle))
    more = bank(toy, "random", 4, tmp_path)
    assert calls == [3]
    assert np.array_equal(more.accuracy[:3], first.accuracy)
    assert more.predicted.shape == (4, 40)


def test_a_study_is_the_record_of_its_runs(toy: Material, tmp_path: Path) -> None:
    kept = Bank(toy, {"random": bank(toy, "random", 3, tmp_path), "margin": bank(toy, "margin", 3, tmp_path)})
    found = kept.study(("margin", "random"), range(1, 3), gain=0.25)
    cell = found.of("margin", "linear")[0]
    assert cell.seed == 1
    assert [point.accuracy for point in cell.curve] == pytest.approx(kept.runs["margin"].accuracy[1] + 0.25)
    assert found.of("random", "linear")[1].curve[-1].accuracy == kept.runs["random"].accuracy[2, -1]
    small = kept.small_study(("margin", "random"), range(2), [0, 0, 5])
    assert small.gold == (toy.truth[0], toy.truth[0], toy.truth[5])


def test_no_two_studies_share_a_run() -> None:
    assert all(count % SHUFFLES == 0 for count in RUNS.values())


def test_the_noncentral_t_without_a_gain_is_half_the_level() -> None:
    assert _noncentral(0.0, 1.0, 1) == pytest.approx(0.025)
    # Cohen's tables: d = 0.9 with ten pairs is found with a power of 0.72.
    assert _noncentral(0.9, 1 / np.sqrt(10), 1) == pytest.approx(0.72, abs=0.01)
