"""Which cells a second process takes, and when it is worth having one."""

import pytest

from agent.students import Bert
from serving.runs import beside
from serving.runs.beside import Beside, apart, worthwhile
from serving.runs.job import Cell
from serving.system.machine import Machine
from tests.support.toy_jobs import SVM, toy_job

TWO_CORES = Machine(cores=(0, 1), memory=2**34, available=2**34)


def test_only_cells_without_an_llm_are_taken() -> None:
    job = toy_job("agent", "machine-only", "random", "uncertainty", seeds=(0, 1))
    assert {cell.arm for cell in apart(job)} == {"random", "uncertainty"}
    assert len(apart(job)) == 4


def test_it_takes_two_cores_and_something_to_train_on_each() -> None:
    job = toy_job("agent", "random", "uncertainty", learners=(Bert(),))
    assert worthwhile(job, TWO_CORES)
    assert not worthwhile(job, TWO_CORES.model_copy(update={"cores": (0,)}))
    assert not worthwhile(toy_job("agent", "random", "uncertainty", learners=(SVM,)), TWO_CORES), "seconds of work"
    assert not worthwhile(toy_job("random", "uncertainty", learners=(Bert(),)), TWO_CORES), "nothing to do meanwhile"
    assert not worthwhile(toy_job("agent", learners=(Bert(),)), TWO_CORES)


class Second(Beside):
    """A second process that ends a cell at each look at what is left, the first one first."""

    def __init__(self, cells: tuple[Cell, ...], looks: int) -> None:
        self.cells, self._left, self._looks = cells, list(cells), looks

    @property
    def running(self) -> bool:
        self._looks -= 1
        return self._looks >= 0

    def left(self) -> tuple[Cell, ...]:
        left = tuple(self._left)
        del self._left[:1]
        return left

    def record(self, cell: Cell) -> None:
        if cell in self._left:
            self._left.remove(cell)


def finished(
    cells: tuple[Cell, ...], looks: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[Cell], list[int], list[float]]:
    """The cells done here in their order, how many were left at each look, the pauses."""
    second = Second(cells, looks)
    here: list[Cell] = []
    told: list[int] = []
    pauses: list[float] = []
    monkeypatch.setattr(beside.time, "sleep", pauses.append)

    def do(cell: Cell) -> None:
        here.append(cell)
        second.record(cell)

    second.finish(do, lambda left: told.append(len(left)))
    return here, told, pauses


CELLS = toy_job("random", seeds=(0, 1, 2, 3, 4)).cells()


def test_the_first_process_comes_from_the_other_end_and_waits_for_the_last_cell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, told, pauses = finished(CELLS, 100, monkeypatch)
    assert here == [CELLS[4], CELLS[3]]
    assert told == [5, 3, 1]
    assert len(pauses) == 1


def test_what_a_process_that_ended_early_leaves_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    here, _, _ = finished(CELLS, 1, monkeypatch)
    assert here == [CELLS[4]], "the rest is done where all cells are gone through"
