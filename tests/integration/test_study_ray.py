"""The same study on a Ray cluster of this machine, with its state in PostgreSQL: `make test-ray`."""

from pathlib import Path

import pytest

from serving.studies.hands import OnRay
from tests.support.databases import Postgres
from tests.support.toy_studies import done, small, toy_study


@pytest.mark.ray
@pytest.mark.filterwarnings("default")  # of Ray's own
def test_a_cluster_comes_to_the_same_as_this_process(tmp_path: Path, postgres: Postgres) -> None:
    study = small(sets=["weather"], shuffles=1)
    one = toy_study(study, tmp_path / "one")
    alone = {key: each.record for key, each in done(one).done.items()}
    url = postgres.create()
    two = toy_study(study, tmp_path / "two", database=url)
    beside = {key: each.record for key, each in done(two, OnRay).done.items()}
    two.store.engine.dispose()
    assert beside == alone
