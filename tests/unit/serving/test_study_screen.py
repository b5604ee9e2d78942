"""The remaining time of a study: its cells share the hands, and those that ask the LLM share fewer lanes."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from evaluation.ablation import parse
from evaluation.records import Cell, Point
from serving.studies.hand import Done, Spent
from serving.studies.hands import Finished, Own
from serving.studies.jobs import Item
from serving.studies.runner import Ready, carry_out
from serving.studies.screen import StudyScreen
from tests.support.toy_runs import Remembering
from tests.support.toy_studies import READS, screen, small, toy_ablation, toy_study


def done_in(seconds: float) -> Done:
    record = Cell(arm="random", seed=0, curve=(Point(human_labels=0),))
    return Done(record=record, spent=Spent(seconds=seconds))


@pytest.fixture
def plain(tmp_path: Path) -> Item:
    return toy_study(small(), tmp_path).items[0]


@pytest.mark.parametrize(("width", "lanes", "minutes"), [(2, 1, 100), (16, 1, 100), (16, 2, 50), (2, 4, 50)])
def test_cells_that_ask_the_llm_are_shared_by_its_lanes(plain: Item, width: int, lanes: int, minutes: int) -> None:
    asking, shown = replace(plain, kind="zero-shot"), screen()
    shown.begins([asking] * 11, 0, width, lanes)
    shown.finished(asking, done_in(600))
    assert shown.left() == f"about {minutes} min left"


@pytest.mark.parametrize(("cells", "minutes"), [(16, 20), (64, 21)])
def test_other_cells_go_beside_them_as_long_as_hands_are_free(plain: Item, cells: int, minutes: int) -> None:
    asking, shown = replace(plain, kind="zero-shot"), screen()
    shown.begins([*[asking] * 3, *[plain] * (cells + 1)], 0, 16, 1)
    shown.finished(asking, done_in(600))
    shown.finished(plain, done_in(300))
    assert shown.left() == f"about {minutes} min left", "two of ten minutes each one by one, or all over the hands"


class Wide(Own):
    """Sixteen hands that are stopped before they have done anything."""

    width = 16

    def finished(self, patience: float) -> Finished:
        raise KeyboardInterrupt


def left_at_first(shown: StudyScreen, work: Ready) -> str:
    with pytest.raises(KeyboardInterrupt):
        carry_out(work, Wide, shown)
    return shown.left()


def test_an_ablation_counts_its_lanes_and_so_does_a_study(tmp_path: Path) -> None:
    work = toy_ablation(parse(READS), tmp_path, Remembering())
    assert left_at_first(screen(), work) == f"about {32 * 305 / 60:.0f} min left", "each is assumed to take 305 s"
    work = toy_ablation(parse(READS).model_copy(update={"at_once": 4}), tmp_path, Remembering())
    assert left_at_first(screen(), work) == f"about {8 * 305 / 60:.0f} min left"


@pytest.mark.parametrize(
    ("kind", "lanes", "said"),
    [
        ("zero-shot", 1, "4 at a time, 1 of them asking the LLM"),
        ("zero-shot", 4, "4 at a time"),
        ("cell", 1, "4 at a time"),
    ],
)
def test_it_says_how_many_go_at_a_time(plain: Item, kind: str, lanes: int, said: str) -> None:
    shown = screen()
    shown.begins([replace(plain, kind=kind)] * 2, 0, 4, lanes)
    written = shown.console.file
    assert isinstance(written, StringIO)
    assert written.getvalue().strip() == f"2 cells to do; {said}"
