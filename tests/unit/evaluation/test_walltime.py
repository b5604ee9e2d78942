"""Wall time and machines of a study, from the spans of its cells."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from evaluation.walltime import Span, Worked, duration, worked

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def span(begun: float, ended: float, machine: str = "2 cores") -> Span:
    return Span(machine, NOON + timedelta(seconds=begun), NOON + timedelta(seconds=ended))


@pytest.mark.parametrize(
    ("spans", "wall"),
    [
        ([span(0, 10)], 10.0),
        ([span(0, 10), span(10, 15)], 15.0),
        ([span(0, 10), span(3, 12), span(4, 5)], 12.0),
        ([span(90, 100), span(0, 10)], 20.0),
        ([span(0, 100), span(5, 6), span(50, 120)], 120.0),
        ([span(0, 10), span(0, 10, "16 cores")], 10.0),
    ],
    ids=["one", "in turn", "side by side", "a gap", "within", "two machines"],
)
def test_wall_time_is_the_length_of_the_union(spans: list[Span], wall: float) -> None:
    assert worked(spans).wall == pytest.approx(wall)
    assert worked(spans[::-1]).wall == pytest.approx(wall)


def test_moments_are_told_apart_whatever_their_zone() -> None:
    east = timezone(timedelta(hours=5))
    there = Span(
        "16 cores", (NOON + timedelta(seconds=5)).astimezone(east), (NOON + timedelta(seconds=9)).astimezone(east)
    )
    assert worked([span(0, 10), there]).wall == pytest.approx(10.0)


def test_machines_are_counted_in_the_order_in_which_they_began() -> None:
    found = worked([span(20, 30, "16 cores, an H200"), *(span(i, i + 1) for i in range(1200))])
    assert list(found.machines.items()) == [("2 cores", 1200), ("16 cores, an H200", 1)]
    assert (
        found.told("cell")
        == "cells took 20 min 0 s of wall time; on 2 cores: 1,200 cells; on 16 cores, an H200: 1 cell"
    )


def test_what_is_not_recorded_is_said_and_not_made_up() -> None:
    some = worked([None, span(0, 2.5), None], references=1)
    assert some.told("run") == (
        "runs took at least 2.5 s of wall time; on 2 cores: 1 run; machine not recorded: 2 runs; "
        "1 reference row among them"
    )
    assert worked([None]).wall is None
    assert worked([None]).told("cell") == "wall time not recorded; machine not recorded: 1 cell"


def test_a_study_of_which_nothing_was_done_took_no_time() -> None:
    assert worked([]) == Worked()
    assert worked([]).told("cell") == "cells took 0.0 s of wall time"


def test_durations() -> None:
    assert [duration(s) for s in (0.04, 59.4, 59.7, 871.2, 7205)] == [
        "0.0 s",
        "59.4 s",
        "1 min 0 s",
        "14 min 31 s",
        "2 h 0 min 5 s",
    ]
