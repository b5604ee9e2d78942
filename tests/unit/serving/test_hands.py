"""Hands beside each other: in processes, on a cluster, and what is told where one is lost."""

from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent.errors import BadInput, StoreError
from serving.settings import Settings
from serving.studies import hands
from serving.studies.hand import Bundle, Done, Hand
from serving.studies.hands import Answering, OnRay, Processes, demand_cluster
from serving.studies.jobs import Item
from serving.studies.runner import carry_out, recorded
from tests.support.toy_studies import done, screen, small, toy_study


def test_processes_come_to_the_same_as_this_one(tmp_path: Path) -> None:
    study = small(sets=["weather"])
    one, two = toy_study(study, tmp_path / "one"), toy_study(study, tmp_path / "two", secret="s")
    alone, beside = done(one).done, done(two, lambda bundle: Processes(bundle, 2)).done
    assert {key: each.record for key, each in beside.items()} == {key: each.record for key, each in alone.items()}
    assert len(beside) == 8


def test_what_goes_wrong_in_a_process_is_told_here(tmp_path: Path) -> None:
    work = toy_study(small(sets=["weather"]), tmp_path)
    broken = work.bundle.settings.model_copy(update={"database": "nonsense://"})
    crew = Processes(Bundle(**{**vars(work.bundle), "settings": broken}), 1)
    try:
        crew.submit(work.items[0])
        with pytest.raises(StoreError):
            crew.finished(300.0)
    finally:
        crew.stop()


def test_a_hand_whose_parent_is_gone_records_its_cell_and_ends_without_a_word(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    work, context = toy_study(small(sets=["weather"]), tmp_path), get_context("spawn")
    ours, theirs = context.Pipe()
    hand = context.Process(target=hands.serve, args=(theirs, work.bundle), daemon=True)
    hand.start()
    theirs.close()
    ours.send(work.items[0])
    ours.close()
    hand.join(300)
    assert (hand.exitcode, capfd.readouterr().err) == (0, "")
    assert set(recorded(work)) == {work.items[0].key}


def test_a_hand_that_a_cluster_lost_is_told_in_one_line(tmp_path: Path) -> None:
    class RayError(Exception):
        pass

    class Lost(OnRay):
        """A cluster whose only machine goes away while it is at a cell."""

        def __init__(self, bundle: Bundle) -> None:
            def gone(_: object) -> Done:
                raise RayError("the actor died")

            self.width, self._busy = 1, {}
            self._ray = SimpleNamespace(
                wait=lambda references, **_: (references, []),
                get=gone,
                kill=lambda _: None,
                shutdown=lambda: None,
                exceptions=SimpleNamespace(RayError=RayError),
            )
            self._free = [SimpleNamespace(do=SimpleNamespace(remote=lambda _: bundle.run))]

    with pytest.raises(StoreError, match=r"Ray lost the hand that did weather, random.*: RayError; what was done is"):
        carry_out(toy_study(small(), tmp_path), Lost, screen())


def test_a_cluster_needs_ray_and_one_database_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Settings.model_validate({"database": "postgresql://u@h/d"})
    monkeypatch.setattr(hands, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match="Ray cannot be imported"):
        demand_cluster(shared)
    monkeypatch.setattr(hands, "find_spec", lambda name: name)
    demand_cluster(shared)
    with pytest.raises(BadInput, match="share one database"):
        demand_cluster(Settings.model_validate({"home": tmp_path}))


def test_a_hand_elsewhere_answers_with_what_ended_its_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, ended = toy_study(small(), tmp_path), BadInput("nothing is labelled", "label something")

    def fails(hand: Hand, item: Item) -> Done:
        raise ended

    assert isinstance(Answering(work.bundle).do(work.items[0]), Done)
    monkeypatch.setattr(hands.Hand, "do", fails)
    assert Answering(work.bundle).do(work.items[0]) is ended
