"""The bank of real runs behind `evaluation.bench.calibration`, on made-up texts and vectors."""

from pathlib import Path

import numpy as np
import pytest

from evaluation.bench import bank as made
from evaluation.bench.bank import ROUNDS, Material, bank, run
from evaluation.bench.calibration import RUNS, SHUFFLES, Bank, _noncentral


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
