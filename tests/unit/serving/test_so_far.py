"""The labels of a run that has not ended are those that its finished run begins with."""

import json
from pathlib import Path

import pyarrow.parquet as pq

from serving.database import open_database
from serving.runs.outputs import label_rows
from serving.runs.running import keep
from serving.runs.so_far import rows_of
from serving.runs.store import Store
from tests.support.toy_jobs import toy_job, toy_worker


def test_recorded_steps_give_the_rows_that_the_run_leaves(tmp_path: Path) -> None:
    worker = toy_worker(toy_job("agent"), tmp_path)
    outcome = worker.outcome(worker.job.main)
    copy = tmp_path / "pool.parquet"
    keep(worker.table, copy)
    assert pq.read_table(copy).num_rows == 48
    store = Store(open_database(tmp_path / "thresher.db"))
    found = list(rows_of(store, store.get(worker.job.id), copy)())
    left = sorted(label_rows(outcome.pool), key=lambda row: row["id"])
    assert sorted(found, key=lambda row: row["id"]) == json.loads(json.dumps(left))


def test_a_finished_run_is_read_from_what_it_left_and_else_from_its_record(tmp_path: Path) -> None:
    worker = toy_worker(toy_job("random"), tmp_path)
    worker.outcome(worker.job.main)
    keep(worker.table, tmp_path / "pool.parquet")
    store = Store(open_database(tmp_path / "thresher.db"))
    store.mark(worker.job.id, "done")
    run = store.get(worker.job.id)
    assert len(list(rows_of(store, run, tmp_path / "pool.parquet")())) == 8
    Path(run.folder).mkdir()
    (Path(run.folder) / "labels.jsonl").write_text('{"id": "only"}\n')
    assert list(rows_of(store, run, tmp_path / "pool.parquet")()) == [{"id": "only"}]
