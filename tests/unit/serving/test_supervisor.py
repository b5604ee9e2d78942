"""Who looks after unfinished runs: one process each, and what becomes of those that end early."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.database import open_database
from serving.runs.store import Store
from serving.service.ending import BUSY, FAILED, LATER, WAITING
from serving.service.supervisor import LONGEST_REST, MOST_CRASHES, REST, Supervisor, environment, put_by
from serving.settings import Settings, load


def test_a_childs_settings_are_those_of_its_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"home": tmp_path, "encoder": "/my/encoder", "llm_timeout": 7.5, "gpu": None}
    secrets = {"api_key": "sesame", "THRESHER_HUB_TOKEN": "open"}
    mine = Settings.model_validate({**given, **secrets, "THRESHER_HUB_OFFLINE": True})
    for name, value in environment(mine).items():
        monkeypatch.setenv(name, value)
    child = load()
    assert child.hub_offline
    assert {name: getattr(child, name) for name in given} == given
    assert child.api_key is not None
    assert child.api_key.get_secret_value() == "sesame"
    assert child.hub_token is not None
    assert child.hub_token.get_secret_value() == "open"


class Child:
    """A process that ends when the test says so."""

    def __init__(self) -> None:
        self.returncode: int | None = None
        self.killed = False

    def poll(self) -> int | None:
        return self.returncode

    def kill(self) -> None:
        self.killed, self.returncode = True, -9

    def terminate(self) -> None:
        self.returncode = BUSY

    def wait(self, timeout: float | None = None) -> int:
        del timeout
        assert self.returncode is not None
        return self.returncode


class House:
    """A supervisor whose children and clock are the test's."""

    def __init__(self, store: Store, home: Path) -> None:
        self.now, self.begun = 0.0, list[str]()
        self.full = False
        self.store = store
        settings = Settings(home=home, runs_at_once=2)
        self.supervisor = Supervisor(store, settings, self._start, lambda: self.now)  # type: ignore[arg-type]

    def _start(self, run: str) -> Child:
        if self.full:
            raise OSError(28, "No space left on device")
        self.begun.append(run)
        return Child()

    def look(self) -> list[str]:
        """The runs that are begun by one look."""
        before = len(self.begun)
        self.supervisor.look()
        return self.begun[before:]

    def ends(self, run: str, code: int) -> None:
        child = self.supervisor.children[run]
        assert isinstance(child, Child)
        child.returncode = code


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    engine = open_database(tmp_path / "db")
    store = Store(engine)
    store.begin("films", "{}", "out", "service")
    yield House(store, tmp_path)
    engine.dispose()


def test_a_run_whose_llm_is_away_is_taken_up_again_after_ever_longer_waits_and_never_given_up(house: House) -> None:
    assert house.look() == ["films"]
    waits = [min(LONGEST_REST, REST * 2**n) for n in range(8)]
    for wait in waits:
        house.ends("films", LATER)
        assert house.look() == []
        house.now += wait - 1
        assert house.look() == []
        house.now += 1
        assert house.look() == ["films"]
    assert waits[-1] == LONGEST_REST
    assert house.store.get("films").state == "queued"


def test_a_process_that_dies_without_a_result_again_and_again_is_given_up(house: House) -> None:
    for _ in range(MOST_CRASHES):
        assert house.look() == ["films"]
        house.ends("films", -11)
        assert house.look() == []
        house.now += 1000
    assert house.look() == []
    stored = house.store.get("films")
    assert stored.state == "failed"
    assert "signal SIGSEGV" in stored.why


def test_one_that_failed_is_left_alone(house: House) -> None:
    house.look()
    house.store.mark("films", "failed", "no room")
    house.ends("films", FAILED)
    house.now += 1000
    assert house.look() == []


def test_people_who_answer_while_it_gives_up_waiting_are_no_crash(house: House) -> None:
    for _ in range(MOST_CRASHES + 1):
        assert house.look() == ["films"]
        house.ends("films", WAITING)  # and the store says queued
    assert house.store.get("films").state == "queued"


def test_a_full_disk_keeps_no_other_run_and_no_later_look_from_its_work(house: House) -> None:
    house.full = True
    with pytest.raises(OSError, match="No space"):
        house.look()
    house.full = False
    house.store.begin("plots", "{}", "out", "service")
    assert house.look() == ["plots"]
    house.now += REST
    assert house.look() == ["films"]


def test_the_thread_outlives_what_goes_wrong_and_says_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.service.supervisor.LOOK", 0.01)
    house.full = True
    house.supervisor.open()
    try:
        while not house.supervisor.trouble:
            time.sleep(0.01)
        assert "No space left" in house.supervisor.trouble
        house.full, house.now = False, REST
        while not house.begun:
            time.sleep(0.01)
        while house.supervisor.trouble:
            time.sleep(0.01)
    finally:
        house.supervisor.close()


def test_runs_that_were_begun_go_first(house: House) -> None:
    house.store.begin("plots", "{}", "out", "service")
    fence = house.store.claim("plots", "me", 60)
    assert fence is not None
    house.store.release("plots", fence)
    assert house.look() == ["plots", "films"]


def test_a_cancelled_run_ends_its_process(house: House) -> None:
    house.look()
    assert house.store.move("films", ("queued", "running"), "cancelled", "by request")
    child = house.supervisor.children["films"]
    house.look()
    assert isinstance(child, Child)
    assert child.killed


def test_the_log_of_a_run_does_not_grow_with_each_of_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real processes, of which each says more than a log may hold."""
    program = tmp_path / "talks"
    program.write_text(f"#!{sys.executable}\nprint('x' * (1 << 20))\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program))
    store = Store(open_database(tmp_path / "db"))
    supervisor = Supervisor(store, Settings(home=tmp_path))
    for run in ("films", "plots"):
        store.begin(run, "{}", "out", "service")
    folder = tmp_path / "runs" / "films"
    for _ in range(4):
        supervisor.look()
        for child in supervisor.children.values():
            child.wait()
        supervisor.children.clear()
    assert sorted(path.name for path in folder.iterdir()) == ["worker.log", "worker.log.old"]
    assert [path.stat().st_size for path in folder.iterdir()] == [(1 << 20) + 1] * 2
    store.engine.dispose()


def test_a_short_log_goes_on_and_one_that_is_written_to_loses_nothing(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    put_by(log, 10)
    assert not log.exists()
    log.write_text("ten bytes.")
    put_by(log, 10)
    assert log.read_text() == "ten bytes."
    with log.open("a") as late:
        late.write("more")
        late.flush()
        put_by(log, 10)
        late.write(", and last words")
    assert not log.exists()
    assert (tmp_path / "worker.log.old").read_text() == "ten bytes.more, and last words"
