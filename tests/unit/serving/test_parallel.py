"""Order is kept, the width is a bound, and the first exception stops what has not started."""

import threading

import pytest

from serving.system.parallel import in_parallel


@pytest.mark.parametrize("width", [0, 1, 3, 100])
def test_order_is_kept(width: int) -> None:
    assert in_parallel(lambda n: n * n, range(20), width) == [n * n for n in range(20)]


def test_items_run_side_by_side() -> None:
    barrier = threading.Barrier(3, timeout=10)
    assert in_parallel(lambda _: barrier.wait() >= 0, range(3), 3) == [True] * 3


def test_an_exception_stops_what_has_not_started() -> None:
    started: list[int] = []

    def work(n: int) -> None:
        started.append(n)
        raise ValueError(n)

    with pytest.raises(ValueError, match="0"):
        in_parallel(work, range(1000), 2)
    assert len(started) < 1000
