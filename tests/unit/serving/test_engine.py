import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import BadInput, EngineError
from prompts.messages import Frozen
from serving.engine import server
from serving.engine.options import Choice, Options
from serving.engine.server import Engine, Launch
from serving.engine.state import Place, State, models_at
from serving.models.resolve import Loaded
from serving.settings import split_urls
from serving.system import process
from serving.system.process import Identity

FAKE = Path(__file__).parents[2] / "support" / "fake_engine.py"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def loaded(tmp_path: Path, digest: str = "ab" * 32) -> Loaded:
    return Loaded(name="tiny", variant="Tiny-Coder", path=tmp_path, source="local", hash=digest)


def launch(*extra: str) -> Launch:
    choices = (Choice(name="dtype", value="float32", why="a test"),)
    options = Options(choices=choices, arguments=extra, environment={"VLLM_MARK": "1"})
    return Launch(command=(sys.executable, str(FAKE)), options=options)


class Desk(Frozen):
    """What a test starts engines with."""

    place: Place
    model: Loaded
    said: list[str] = []

    def up(self, *extra: str, model: Loaded | None = None, patience: float = 20.0) -> Engine:
        wanted = model or self.model
        return server.up(wanted, self.place, lambda: launch(*extra), say=self.said.append, patience=patience)

    def found(self) -> Engine:
        def never() -> Launch:
            raise AssertionError("nothing is to be started")

        return server.up(self.model, self.place, never, say=self.said.append)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(place=Place(folder=tmp_path / "engine", port=free_port()), model=loaded(tmp_path), said=[])
    yield made
    server.down(made.place, made.said.append)


def test_up_starts_waits_and_prints_each_choice_once(desk: Desk) -> None:
    got = desk.up()
    assert (got.fresh, got.ours, got.served) == (True, True, "tiny@abababababab")
    assert models_at(got.url) == {"tiny@abababababab": 512}
    assert [line for line in desk.said if "dtype" in line] == ["engine: dtype = float32 (a test)"]
    assert any("Tiny-Coder" in line for line in desk.said)
    state, word = server.status(desk.place)
    assert word == "up"
    assert state is not None
    assert state.choices == ("dtype = float32 (a test)",)


def test_up_twice_finds_the_first(desk: Desk) -> None:
    first = desk.up()
    second = desk.found()
    assert (second.pid, second.fresh, second.ours) == (first.pid, False, True)


def test_an_engine_that_is_still_starting_is_waited_for(desk: Desk) -> None:
    first = desk.up()
    desk.place.forget()
    who = process.identify(first.pid or 0)
    assert who is not None
    process.stop(who)
    server_state = _spawn_slow(desk)
    got = desk.found()
    assert got.pid == server_state.process.pid
    assert any("is starting" in line for line in desk.said)


def _spawn_slow(desk: Desk) -> State:
    """An engine whose `up` was killed while it waited."""
    command = launch("--slow", "1").arguments(desk.model, desk.place.port)
    who = process.detach(command, desk.place.log, {})
    state = State(
        process=who,
        port=desk.place.port,
        served=desk.model.served,
        variant="v",
        model=desk.model.path,
        log=desk.place.log,
        started="now",
    )
    desk.place.write(state)
    return state


def test_the_end_of_the_log_is_shown_when_it_dies(desk: Desk) -> None:
    with pytest.raises(EngineError, match="exit code 3 before it was healthy: RuntimeError: not enough barley"):
        desk.up("--die", "3")
    assert "  | loading weights" in desk.said
    assert desk.place.read() is None
    assert not desk.place.file.exists()


def test_one_that_hangs_is_stopped_and_given_up(desk: Desk) -> None:
    with pytest.raises(EngineError, match="not healthy after 1 s"):
        desk.up("--hang", patience=1.0)
    assert server.status(desk.place) == (None, "stopped")


def test_another_model_on_our_engine_is_refused(desk: Desk, tmp_path: Path) -> None:
    desk.up()
    with pytest.raises(
        EngineError, match="serves tiny@abababababab, not tiny@cdcdcdcdcdcd; run `thresher engine down`"
    ):
        desk.up(model=loaded(tmp_path, "cd" * 32))
    assert server.status(desk.place)[1] == "up"


def test_a_port_taken_by_another_program_is_named(desk: Desk) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", desk.place.port))
        other.listen()
        with pytest.raises(EngineError, match=f"port {desk.place.port} is taken by a program that is no LLM server"):
            desk.up()
        assert server.down(desk.place, desk.said.append) is False
        assert "left alone" in desk.said[-1]


def test_a_server_of_someone_else_with_the_same_weights_is_used_but_never_stopped(desk: Desk) -> None:
    first = desk.up()
    state = desk.place.read()
    assert state is not None
    desk.place.forget()
    second = desk.found()
    assert (second.ours, second.pid, second.url) == (False, None, first.url)
    assert server.down(desk.place, desk.said.append) is False
    assert process.alive(state.process)
    desk.place.write(state)


def test_a_server_of_someone_else_with_other_weights_is_refused(desk: Desk, tmp_path: Path) -> None:
    desk.up()
    state = desk.place.read()
    assert state is not None
    desk.place.forget()
    with pytest.raises(
        EngineError, match="taken by a program that serves tiny@abababababab; tiny@cdcdcdcdcdcd is wanted"
    ):
        desk.up(model=loaded(tmp_path, "cd" * 32))
    desk.place.write(state)


def test_a_dead_process_in_the_state_file_counts_as_none(desk: Desk) -> None:
    desk.up()
    state = desk.place.read()
    assert state is not None
    process.stop(state.process)
    assert desk.place.read() is None
    assert server.status(desk.place) == (None, "stopped")
    assert desk.up().fresh


def test_a_number_taken_over_by_another_process_is_not_ours(desk: Desk) -> None:
    desk.up()
    state = desk.place.read()
    assert state is not None
    reused = Identity(pid=state.process.pid, began=state.process.began - 1)
    desk.place.write(state.model_copy(update={"process": reused}))
    assert server.down(desk.place, desk.said.append) is False
    assert process.alive(state.process)
    desk.place.write(state)


def test_down_stops_what_was_started(desk: Desk) -> None:
    desk.up()
    assert server.down(desk.place, desk.said.append) is True
    assert server.status(desk.place) == (None, "stopped")
    assert server.down(desk.place, desk.said.append) is False


def test_a_damaged_state_file_counts_as_none(desk: Desk) -> None:
    desk.place.folder.mkdir(parents=True)
    desk.place.file.write_text("{", encoding="utf-8")
    assert desk.place.read() is None
    assert desk.up().fresh


def test_given_servers_must_serve_one_common_model(desk: Desk) -> None:
    got = desk.up()
    assert server.check([got.url, got.url]) == got.served
    assert server.check([got.url], model=got.served) == got.served
    with pytest.raises(EngineError, match="'other' is wanted"):
        server.check([got.url], model="other")
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    with pytest.raises(EngineError, match=f"no OpenAI-compatible server answers at {nowhere}"):
        server.check([got.url, nowhere])


def test_the_clock_of_a_wait_moves(desk: Desk) -> None:
    beats: list[tuple[float, str]] = []
    begun = time.monotonic()
    server.up(
        desk.model,
        desk.place,
        lambda: launch("--slow", "1"),
        say=desk.said.append,
        beat=lambda stage, seconds, line: beats.append((seconds, line)),
    )
    assert beats
    assert 0.0 <= beats[-1][0] <= time.monotonic() - begun
    assert beats[-1][1] in ("", "loading weights")


def test_urls_are_split_and_completed() -> None:
    assert split_urls(" http://a:1, https://b/v1/ ,http://a:1") == ("http://a:1/v1", "https://b/v1")
    assert split_urls("") == ()
    with pytest.raises(BadInput, match="'a:1' is no http address"):
        split_urls("a:1")
