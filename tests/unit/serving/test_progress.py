import io

from rich.console import Console

from serving.system.progress import Bar, Bars, in_words


def bars(clock: list[float], terminal: bool = False) -> tuple[Bars, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=200)
    return Bars(console, every=10.0, clock=lambda: clock[0]), out


def test_without_a_terminal_there_is_a_line_now_and_then_and_one_at_the_end() -> None:
    clock = [0.0]
    shown, out = bars(clock)
    mib = 1024**2
    with shown:
        for second in range(26):
            clock[0] = float(second)
            shown("barley.whl", second * mib, 25 * mib)
        shown("barley.whl", 25 * mib, 25 * mib)
    assert out.getvalue().splitlines() == [
        "barley.whl: 10/25 MiB, 1.0 MiB/s, 10 s",
        "barley.whl: 20/25 MiB, 1.0 MiB/s, 20 s",
        "barley.whl: 25/25 MiB, 1.0 MiB/s, 25 s",
    ]


def test_beats_too() -> None:
    shown, out = bars([0.0])
    with shown:
        for second in range(21):
            shown.beat("waiting", float(second), f"line {second} [bold]")
    assert out.getvalue().splitlines() == ["waiting, 10 s: line 10 [bold]", "waiting, 20 s: line 20 [bold]"]


def test_a_second_wait_of_one_name_is_shown_too() -> None:
    shown, out = bars([0.0])
    for second in (50.0, 0.0, 9.0, 10.0):
        shown.beat("waiting", second, "x")
    assert out.getvalue().splitlines() == ["waiting, 50 s: x", "waiting, 10 s: x"]


def test_on_a_terminal_it_draws_and_cleans_up() -> None:
    shown, out = bars([0.0], terminal=True)
    with shown:
        shown("barley.whl", 5, 10)
        shown.beat("waiting", 1.0, "loading [bold]")
        shown.say("a [line]")
    assert "barley.whl" in out.getvalue()
    assert "a [line]" in out.getvalue()


def test_off_a_terminal_a_bar_is_a_line_now_and_then() -> None:
    clock = [0.0]
    out = io.StringIO()
    with Bar(Console(file=out, width=200), every=10.0, clock=lambda: clock[0]) as bar:
        for second in range(25):
            clock[0] = float(second)
            bar(second / 25, 125.0 - second, f"[{second}]")
        bar.say("[done]")
    assert out.getvalue().splitlines() == ["  [10] · about 2 min left", "  [20] · about 2 min left", "[done]"]


def test_less_than_a_minute_is_said_so() -> None:
    assert in_words(10) == "less than a minute left"
    assert in_words(3600) == "about 60 min left"
