"""The labels of a run as they stand, whatever its state: of a finished one what it left, else what it has recorded."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from agent.domain import Batch
from agent.lab import Labels
from agent.pool import Pool
from serving.runs import outputs
from serving.runs.job import Job
from serving.runs.running import kept
from serving.runs.store import Store, StoredRun

Rows = Callable[[], Iterator[dict[str, Any]]]


def rows_of(store: Store, run: StoredRun, pool: Path) -> Rows:
    """The rows of `labels.jsonl`, as often as they are asked for. What people changed since is not in them.

    Args:
        pool: the run's copy of its texts.

    Raises:
        StoreError: the run has left no labels, and the copy of its texts is gone.
    """
    path = Path(run.folder) / "labels.jsonl"
    if run.state == "done" and path.exists():
        return lambda: _lines(path)
    rows = list(outputs.label_rows(recorded_pool(store, run, pool)))
    return lambda: iter(rows)


def recorded_pool(store: Store, run: StoredRun, pool: Path) -> Pool:
    """U and L after the steps that the user's own cell has recorded."""
    job = Job.model_validate_json(run.job)
    start = f"{job.main.key()}/"
    found = Pool.of(job.task, kept(pool).columns)
    chosen = store.recorded(run.id, start, "/query")
    given = store.recorded(run.id, start, "/annotate")
    for index in range(len(given)):
        batch = Batch.model_validate_json(chosen[f"{start}{index}/query"])
        labels = Labels.model_validate_json(given[f"{start}{index}/annotate"])
        found = found.admit(batch.generated).label(labels.annotations)
    return found


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from (json.loads(line) for line in file)
