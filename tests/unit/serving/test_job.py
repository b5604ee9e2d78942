"""A job is data: equal jobs are one run, its cells come in a fixed order."""

import pytest
from pydantic import ValidationError

from serving.runs.job import Cell, Job
from tests.support.questions import TASK
from tests.support.toy_jobs import LINEAR, SVM, toy_job


def test_equal_jobs_are_one_run_and_every_field_counts() -> None:
    job = toy_job("agent", "random")
    assert job.id == Job.model_validate_json(job.model_dump_json()).id
    changes = ({"budget": 9}, {"seeds": (0, 1)}, {"data": "other"}, {"sample": 30}, {"learners": (LINEAR,)})
    assert len({job.id, *(job.model_copy(update=change).id for change in changes)}) == len(changes) + 1


@pytest.mark.parametrize(
    ("name", "start"), [("Film reviews!", "film-reviews-"), ("???", "run-"), ("x" * 90, "x" * 40 + "-"), ("Ä b", "b-")]
)
def test_an_id_is_a_plain_word_and_a_hash(name: str, start: str) -> None:
    job = toy_job().model_copy(update={"task": TASK.model_copy(update={"name": name})})
    assert job.id.startswith(start)
    assert len(job.id) == len(start) + 8


def test_the_main_cell_comes_first_and_seeds_are_complete_one_after_the_other() -> None:
    job = toy_job("agent", "random", learners=(SVM, LINEAR), seeds=(3, 4))
    cells = job.cells()
    assert cells[0] == job.main == Cell(arm="agent", learner=0, seed=3)
    assert [cell.seed for cell in cells] == [3] * 4 + [4] * 4
    assert len({cell.key() for cell in cells}) == 8


def test_a_cell_is_specified_with_its_own_learner_seed_and_recipe() -> None:
    job = toy_job("agent", "random", learners=(SVM, LINEAR), seeds=(3, 4))
    spec = job.spec(Cell(arm="random", learner=1, seed=4))
    assert (spec.recipe.name, spec.recipe.learner, spec.seed, spec.budget) == ("random", LINEAR, 4, 8)
    assert len({job.spec(cell).fingerprint for cell in job.cells()}) == 8


def test_a_job_needs_an_arm_a_learner_and_a_seed() -> None:
    for field in ("arms", "learners", "seeds"):
        with pytest.raises(ValidationError, match=field):
            Job.model_validate({**toy_job().model_dump(), field: ()})
