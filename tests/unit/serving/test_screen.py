"""The remaining time: assumed proportions, corrected by the clock."""

from io import StringIO

import pytest
from rich.console import Console

from agent.students import Bert
from serving.runs.screen import Screen, ToldScreen, forecast
from tests.support.toy_jobs import LINEAR, SVM, toy_job

BERT = Bert()


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def screen(*names: str, seeds: tuple[int, ...] = (0,)) -> tuple[Screen, Clock, StringIO]:
    clock, out = Clock(), StringIO()
    job = toy_job(*names, seeds=seeds, learners=(SVM,), reads=400)
    return Screen(job, Console(file=out, width=200), clock), clock, out


def test_llm_calls_are_forecast_for_the_cell_that_makes_them_first() -> None:
    job = toy_job("agent", "machine-only", "random", learners=(SVM, LINEAR), reads=400)
    found = forecast(job)
    assert list(found) == [cell.key() for cell in job.cells()]
    assert found["agent/0/0"] > found["agent/1/0"] + 90
    assert found["machine-only/0/0"] < 90
    assert all(seconds > 0 for seconds in found.values())


def test_texts_read_beside_others_are_read_anew_in_every_arm() -> None:
    found = forecast(toy_job("machine-only", "random-and-machine", learners=(SVM, LINEAR), reads=400))
    both = found["machine-only/0/0"], found["random-and-machine/0/0"]
    assert min(both) > max(found["machine-only/1/0"], found["random-and-machine/1/0"]) + 50


def test_texts_that_the_llm_writes_take_time() -> None:
    found = forecast(toy_job("agent", "random-and-machine", learners=(SVM,), reads=100))
    assert found["agent/0/0"] > found["random-and-machine/0/0"] + 100


def test_before_anything_is_known_the_assumption_stands() -> None:
    shown, _, _ = screen("agent")
    minutes = sum(forecast(toy_job("agent", reads=400)).values()) / 60
    assert shown.left() == f"about {minutes:.0f} min left"


def test_the_clock_corrects_the_assumption() -> None:
    shown, clock, out = screen("random", seeds=tuple(range(100)))
    job = toy_job("random", seeds=tuple(range(100)), reads=400)
    each = forecast(job)["random/0/0"]
    for cell in job.cells()[:50]:
        clock.now += 10 * each  # ten times slower than assumed
        shown.finished(cell, 10 * each, "line")
    assert shown.left() == f"about {50 * 10 * each / 60:.0f} min left"
    assert out.getvalue().splitlines()[-1].startswith("[50/100] line · ")


def test_cells_read_back_from_the_journal_say_nothing_about_speed() -> None:
    job = toy_job("random", seeds=tuple(range(100)), reads=400)
    each = forecast(job)["random/0/0"]
    shown, clock, _ = screen("random", seeds=tuple(range(100)))
    for cell in job.cells()[:50]:
        clock.now += 0.001
        shown.finished(cell, 0.001, "line")
    for cell in job.cells()[50:75]:
        clock.now += 4 * each
        shown.finished(cell, 4 * each, "line")
    minutes = float(shown.left().removeprefix("about ").removesuffix(" min left"))
    assert minutes == pytest.approx(25 * 4 * each / 60, abs=1)


def test_at_the_end_nothing_is_left() -> None:
    shown, clock, _ = screen("random")
    clock.now += 1
    shown.finished(toy_job("random", reads=400).main, 1.0, "line")
    assert shown.left() == "less than a minute left"


def test_off_a_terminal_progress_is_a_line_now_and_then() -> None:
    shown, clock, out = screen("random")
    for done in range(100):
        clock.now += 1
        shown.doing(done, 100, "LLM calls")
    lines = out.getvalue().splitlines()
    assert 2 <= len(lines) <= 4
    assert "LLM calls" in lines[0]


def test_text_is_shown_as_it_is() -> None:
    shown, _, out = screen("random")
    shown.say("[bold]no markup[/bold] [/]")
    assert out.getvalue() == "[bold]no markup[/bold] [/]\n"


def test_the_time_of_another_process_s_cells_is_shared_with_it() -> None:
    job = toy_job("agent", "random", "uncertainty", learners=(BERT,))
    clock, out = [0.0], StringIO()
    screen = Screen(job, Console(file=out), lambda: clock[0])
    assumed = forecast(job)
    agent, random, uncertainty = job.cells()
    own, first, second = (assumed[cell.key()] for cell in job.cells())
    screen.elsewhere([random, uncertainty])
    assert screen.seconds_left() == pytest.approx(max(own, (own + first + second) / 2, first, second))
    clock[0] = own
    screen.finished(agent, own, "agent")
    assert screen.seconds_left() == pytest.approx(max((first + second) / 2, first, second))
    screen.elsewhere([uncertainty])
    assert screen.seconds_left() == pytest.approx(second), "one cell is never shared"
    screen.finished(agent, 0.0, "agent, read back")
    screen.finished(random, 0.0, "random")
    screen.finished(uncertainty, 0.0, "uncertainty")
    screen.elsewhere([])
    assert screen.left() == "less than a minute left"
    said = [line.split("]")[0] for line in out.getvalue().splitlines()]
    assert said == ["[1/3", "[2/3", "[3/3"], "each cell is told once"


def test_events_say_how_far_it_is_now_and_then_and_every_finished_cell() -> None:
    told: list[tuple[str, dict[str, object]]] = []
    clock = [0.0]
    job = toy_job("random", seeds=(0, 1), learners=(SVM,), reads=400)
    screen = ToldScreen(job, lambda kind, data: told.append((kind, data)), lambda: clock[0])
    for step in range(20):
        clock[0] += 0.5
        screen.doing(step, 20, "training")
    assert [(kind, data["doing"]) for kind, data in told] == [
        ("progress", f"1/2 training {step}/20") for step in (0, 4, 8, 12, 16)
    ]
    told.clear()
    first, second = job.cells()
    screen.finished(first, 10.0, "random, first")
    screen.finished(first, 0.0, "read back")
    screen.finished(second, 10.0, "random, second")
    assert [data["done"] for _, data in told] == [1, 2]
    assert str(told[0][1]["said"]).startswith("[1/2] random, first · 10 s")


def test_the_time_that_the_cell_under_way_has_had_is_taken_off() -> None:
    job = toy_job("random", seeds=(0, 1), learners=(BERT,), reads=400)
    each = forecast(job)["random/0/0"]
    clock = [0.0]
    screen = Screen(job, Console(file=StringIO()), lambda: clock[0])
    assert screen.seconds_left() == pytest.approx(2 * each)
    clock[0] = each / 2
    assert screen.seconds_left() == pytest.approx(1.5 * each)
    clock[0] = 5 * each
    assert screen.seconds_left() == pytest.approx(1.1 * each), "it takes longer than assumed: some of it is left"
    screen.finished(job.cells()[0], 5 * each, "slow")
    assert screen.seconds_left() == pytest.approx(5 * each)
