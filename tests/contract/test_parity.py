"""Our query strategies name the same texts as the libraries do, where the paper leaves no choice."""

import pytest

from evaluation.bench.parity import CHECKS, INPUTS, Check


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.strategy}-{check.library}")
def test_the_same_rows_in_the_same_order(check: Check) -> None:
    assert check.agreeing() == INPUTS
