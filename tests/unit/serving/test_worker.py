"""Cells: measured once, read back for ever, whatever happened in between."""

import math
from pathlib import Path

import numpy as np
import pytest

from agent.errors import Unanswered
from agent.exchange import ChatFailure, ChatRequest
from agent.scripted import Scripted
from agent.students import InContext
from evaluation.axes import spent
from evaluation.records import Point
from serving.database import open_database
from serving.runs.job import Job
from serving.runs.store import Store
from serving.runs.tables import Table
from serving.runs.view import history
from serving.runs.worker import Checkpoints, scored, shuffled
from tests.support.questions import TASK
from tests.support.toy_jobs import LINEAR, SVM, said, toy_job, toy_table, toy_worker
from tests.support.toy_runs import Remembering, answer


def asking_its_scout(job: Job) -> Job:
    (arm,) = job.arms
    recipe = arm.recipe.model_copy(update={"scout": InContext(shown=2)})
    return job.model_copy(update={"arms": (arm.model_copy(update={"recipe": recipe}),)})


def test_every_cell_is_measured_on_the_test_set_at_equal_human_labels(tmp_path: Path) -> None:
    job = toy_job("agent", "random", "machine-only", learners=(SVM, LINEAR), seeds=(0, 1))
    worker = toy_worker(job, tmp_path)
    records = worker.run()
    assert [(r.arm, r.seed, r.student) for r in records] == [
        (cell.arm, cell.seed, job.learners[cell.learner].name) for cell in job.cells()
    ]
    for record in records:
        last = record.curve[-1]
        assert last.human_labels == (0 if record.arm == "machine-only" else 8)
        assert last.predictions is not None
        assert len(last.predictions) == 30
        assert 0.5 < last.accuracy <= 1
    agents = [record for record in records if record.arm == "agent"]
    assert all(record.curve[-1].machine_labels > 0 for record in agents)
    lines = said(worker).splitlines()
    assert sum(line.startswith("[") for line in lines) == len(records)
    assert "texts chosen by kmeans then llm:toy" in lines[0], "the first batch is shown before anything else"
    assert lines[1].startswith("    ")
    told = sum("texts chosen" in line or "texts written" in line for line in lines)
    assert told == len(job.spec(job.main).recipe.steps), "of the main cell only"
    kept = sorted(path.name for path in worker.students.iterdir())
    assert kept == ["agent-0-0"], "the others are not needed once their cell is recorded"


def test_the_scout_of_the_users_own_cell_is_measured_each_round_and_changes_nothing_else(tmp_path: Path) -> None:
    job = toy_job("agent", "random-and-machine", "random", seeds=(0, 1))
    records = toy_worker(job, tmp_path / "all").run()
    own = records[0]
    rounds = len(job.spec(job.main).recipe.steps)
    assert (len(own.scouts), len(own.curve)) == (rounds, 1)
    assert [point.human_labels for point in own.scouts] == sorted(point.human_labels for point in own.scouts)
    assert own.scouts[-1].human_labels == own.curve[-1].human_labels == 8
    assert own.scouts[-1].cost == own.cost
    assert all(len(point.predictions or ()) == 30 for point in own.scouts)
    assert all(not record.scouts for record in records[1:]), "nobody looks at those"
    again = toy_worker(job, tmp_path / "all")
    steps = again.journal(f"{job.main.key()}/").keys()
    assert [key.split("/")[-2] for key in steps if key.endswith("/scout")] == [str(i) for i in range(rounds)]
    found = history((store := Store(open_database(tmp_path / "all" / "thresher.db"))), store.get(job.id))
    assert [point.accuracy for point in found.scouts] == [point.accuracy for point in own.scouts]
    assert [point.accuracy for point in found.points] == [own.curve[0].accuracy]


@pytest.mark.parametrize(
    "job",
    [
        toy_job("random"),
        toy_job("agent", tested=False),
        toy_job("agent").model_copy(update={"points": (4, 8)}),
        asking_its_scout(toy_job("agent")),
    ],
    ids=["no scout", "no test set", "a cell of a study", "a scout that asks the LLM"],
)
def test_a_scout_is_measured_where_that_is_free_and_somebody_looks(job: Job, tmp_path: Path) -> None:
    worker = toy_worker(job, tmp_path)
    assert not worker.measured(job.main).scouts


def test_each_point_says_what_all_uses_cost_so_far(tmp_path: Path) -> None:
    job = toy_job("random-and-machine", "random", "machine-only", test_reads=6)
    by_arm = {record.arm: record for record in toy_worker(job, tmp_path).run()}
    for record in by_arm.values():
        amounts = [(p.cost.human_seconds, p.cost.tokens_in + p.cost.tokens_out) for p in record.curve]
        assert amounts == sorted(amounts)
        assert record.curve[-1].cost == record.cost
        assert all(p.cost.human_seconds == p.human_labels * job.people.seconds for p in record.curve)
    assert by_arm["random"].cost.tokens_in == 0
    for arm in ("random-and-machine", "machine-only", "zero-shot"):
        assert not math.isnan(spent(by_arm[arm], by_arm[arm].curve[-1], "tokens"))
        assert by_arm[arm].curve[-1].cost.calls > 0


def test_a_second_call_computes_and_asks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = toy_job("agent", "random")
    first = toy_worker(job, tmp_path).run()
    monkeypatch.setattr(type(SVM), "fit", lambda *_: pytest.fail("it was fitted"))
    chat = Remembering()
    assert toy_worker(job, tmp_path, chat).run() == first
    assert not chat.sent


class Dying(Remembering):
    """An LLM that goes away after some answers."""

    def __init__(self, answers: int) -> None:
        super().__init__()
        self.left = answers

    def _one(self, request: ChatRequest) -> object:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        return super()._one(request)


@pytest.mark.parametrize("answers", [5, 50, 60, 75])
def test_an_interrupted_job_ends_in_the_same_records(answers: int, tmp_path: Path) -> None:
    job = toy_job("agent")
    (tmp_path / "whole").mkdir()
    whole = toy_worker(job, tmp_path / "whole").run()
    chat = Dying(answers)
    with pytest.raises(KeyboardInterrupt):
        toy_worker(job, tmp_path, chat).run()
    again = Remembering()
    again.known = chat.known
    assert toy_worker(job, tmp_path, again).run() == whole
    assert not set(again.sent) & set(chat.sent)


def test_the_outcome_read_back_is_the_one_measured(tmp_path: Path) -> None:
    job = toy_job("agent")
    worker = toy_worker(job, tmp_path)
    (record,) = worker.run()
    outcome = toy_worker(job, tmp_path, Remembering()).outcome(job.main)
    assert worker.test is not None
    predicted = outcome.student.predict(worker.test.columns).argmax(axis=1)
    assert tuple(predicted.tolist()) == record.curve[-1].predictions


def test_the_llms_own_labels_are_a_cell_of_their_own(tmp_path: Path) -> None:
    job = toy_job("machine-only", test_reads=20)
    zero = toy_worker(job, tmp_path).run()[-1]
    assert (zero.arm, zero.student, zero.curve[0].human_labels) == ("zero-shot", "", 0)
    assert zero.curve[0].predictions is not None
    assert [p == -1 for p in zero.curve[0].predictions] == [False] * 20 + [True] * 10
    assert zero.cost.calls == 20


def test_a_job_without_a_test_set_has_points_without_accuracy(tmp_path: Path) -> None:
    (record,) = toy_worker(toy_job("random", tested=False), tmp_path).run()
    assert np.isnan(record.curve[-1].accuracy)
    assert record.curve[-1].predictions is None
    assert record == toy_worker(toy_job("random", tested=False), tmp_path).run()[0]


def test_an_llm_that_fails_stops_the_job(tmp_path: Path) -> None:
    def broken(request: ChatRequest) -> Scripted:
        return ChatFailure(kind="server", message="no luck") if request.read else answer(request)

    with pytest.raises(Unanswered, match="questions to the LLM got no answer, the first: no luck"):
        toy_worker(toy_job("machine-only"), tmp_path, Remembering(broken)).run()


def test_a_selector_whose_lists_are_filled_bears_the_name_of_its_fallback(tmp_path: Path) -> None:
    def deaf(request: ChatRequest) -> Scripted:
        said = answer(request)
        return "I would rather not." if isinstance(said, str) and said.startswith("Selected") else said

    (record,) = toy_worker(toy_job("agent"), tmp_path, Remembering(deaf)).run()
    assert record.filled_share == 1.0
    assert record.renamed == "random"


def test_test_texts_are_fenced_by_hash_and_embedding(tmp_path: Path) -> None:
    worker = toy_worker(toy_job("agent"), tmp_path)
    fence = worker._fenced()
    assert fence is not None
    assert fence is worker._fenced()
    assert len(fence.hashes) == 30
    assert fence.embeddings is not None
    assert fence.embeddings.shape[0] == 30


def test_equal_seeds_shuffle_alike_for_every_arm() -> None:
    table, job = toy_table(20), toy_job()
    assert shuffled(job, table, 1).columns == shuffled(job, table, 1).columns
    assert shuffled(job, table, 1).columns != shuffled(job, table, 2).columns
    assert sorted(shuffled(job, table, 1).columns.ids) == sorted(table.columns.ids)


def test_texts_without_gold_are_left_out_and_those_without_an_answer_are_not_right() -> None:
    table = toy_table(4)
    ids = table.columns.ids
    gold = {ids[0]: "sunny", ids[1]: "rainy", ids[2]: "rainy"}
    p = np.asarray([[0.9, 0.1], [0.8, 0.2], [np.nan, np.nan], [0.5, 0.5]])
    part = Table(table.columns, gold, table.path)
    point = scored(part, TASK.names, p, Point(human_labels=0))
    assert point.accuracy == pytest.approx(1 / 3)
    assert point.predictions == (0, 0, -2, -1)
    asked = np.asarray([True, True, False, False])
    fewer = scored(part, TASK.names, p, Point(human_labels=0), asked)
    assert fewer.accuracy == pytest.approx(0.5)
    assert fewer.predictions == (0, 0, -1, -1)


def test_a_curve_has_a_point_where_a_checkpoint_is_reached_or_passed() -> None:
    wanted = Checkpoints([16, 8, 20])
    assert [wanted.reached(n) for n in (4, 8, 12, 24, 32)] == [False, True, False, True, False]
    assert all(Checkpoints(()).reached(n) for n in (0, 1))


def test_checkpoints_leave_out_the_rounds_between_and_never_the_end(tmp_path: Path) -> None:
    job = toy_job("random", "machine-only").model_copy(update={"points": (4,)})
    by_arm = {record.arm: record for record in toy_worker(job, tmp_path).run()}
    assert [p.human_labels for p in by_arm["random"].curve] == [4, 8]
    assert [p.human_labels for p in by_arm["machine-only"].curve] == [0]
    late = job.model_copy(update={"points": (8,)})
    (tmp_path / "late").mkdir()
    record = toy_worker(late, tmp_path / "late").run()[0]
    assert [p.human_labels for p in record.curve] == [8]


def test_another_training_has_the_same_order_and_its_own_random_numbers(tmp_path: Path) -> None:
    job = toy_job("random").model_copy(update={"trainings": (0, 1)})
    first, second = job.cells()
    assert (first.key(), second.key()) == ("random/0/0", "random/0/0.1")
    a, b = job.spec(first), job.spec(second)
    assert a.training_rng().random() != b.training_rng().random()
    worker = toy_worker(job, tmp_path)
    one, two = worker.outcome(first), worker.outcome(second)
    assert list(one.pool.columns.ids) == list(two.pool.columns.ids)
    assert one.batches[0] == two.batches[0]
    assert [(r.seed, r.training) for r in worker.run()] == [(0, 0), (0, 1)]
