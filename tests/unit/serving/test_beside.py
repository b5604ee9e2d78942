"""Which cells a second process takes, and when it is worth having one."""

from agent.students import Bert
from serving.runs.beside import apart, worthwhile
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
