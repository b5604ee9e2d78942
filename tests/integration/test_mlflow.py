"""A study and an ablation in a real MLflow store, kept in a file: `make test-mlflow`."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from agent.errors import BadInput
from serving.studies.folders import load
from serving.studies.tracking import EXPERIMENT, log, metrics, params
from tests.support.toy_reports import readings_folder, study_folder

pytestmark = [pytest.mark.mlflow, pytest.mark.filterwarnings("default")]  # of MLflow's own


def test_a_study_and_an_ablation_are_there_with_every_number_and_file(tmp_path: Path) -> None:
    library: Any = import_module("mlflow")
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = library.MlflowClient(tracking_uri=store)
    client.create_experiment(EXPERIMENT, artifact_location=(tmp_path / "artifacts").as_uri())
    for name, make in (("small", study_folder), ("readout", readings_folder)):
        folder = make(tmp_path / name)
        left = load(folder)
        run = client.get_run(log(folder, store))
        assert (run.info.run_name, run.info.status) == (name, "FINISHED")
        assert run.data.params == {key: value[:500] for key, value in params(left).items()}
        assert run.data.metrics == pytest.approx(metrics(left))
        kept = {each.path for each in client.list_artifacts(run.info.run_id)}
        assert {"manifest.json", "report.html", "tables.txt", "cells.parquet", "figures"} <= kept
    assert len(client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])) == 2


def test_a_store_that_mlflow_refuses_is_told_in_one_line(tmp_path: Path) -> None:
    folder = study_folder(tmp_path / "study")
    with pytest.raises(BadInput, match="MLflow refuses 'nonsense://nowhere'") as error:
        log(folder, "nonsense://nowhere")
    assert "\n" not in str(error.value)
