"""The LLM server on this machine: start it, find it, wait for it, read its log, stop it.

An engine belongs to a port. It is left running when the program ends: the next one finds it by its state file in the
cache, checks that the process is the one that was started and that it serves the expected weights, and uses it.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from agent.errors import EngineError
from prompts.messages import Frozen
from serving.engine.options import Options
from serving.engine.state import HOST, Place, State, base, healthy, models_at, port_taken
from serving.models.resolve import Loaded
from serving.system import atomic, pip_calls, process
from serving.system.progress import Beat, unheard

TAIL = 25
"""Lines of the log that are shown when the engine fails."""


class Engine(Frozen):
    """A server that is up. `ours`: started by `up`, now or earlier, so that `down` may stop it."""

    url: str
    served: str
    pid: int | None
    log: Path | None
    ours: bool
    fresh: bool = False
    """Started by this very call."""
    seconds: float = 0.0
    """How long that took."""


class Launch(Frozen):
    """What to run: a command that takes vLLM's arguments, and the options for the model and the machine."""

    command: tuple[str, ...]
    options: Options

    @classmethod
    def vllm(cls, python: Path, options: Options) -> "Launch":
        # The `vllm` command of the CPU build fails: it asks for the metadata of a package that is named otherwise.
        return cls(command=(str(python), "-m", "vllm.entrypoints.openai.api_server"), options=options)

    def arguments(self, model: Loaded, port: int) -> list[str]:
        fixed = ["--model", str(model.path), "--served-model-name", model.served, "--host", HOST, "--port", str(port)]
        return [*self.command, *fixed, *self.options.arguments]


def up(
    model: Loaded,
    place: Place,
    launch: Callable[[], Launch],
    *,
    say: atomic.Say,
    beat: Beat = unheard,
    patience: float = 900.0,
) -> Engine:
    """The engine that serves `model` on the port of `place`, started if it is not up.

    Args:
        launch: called only where an engine has to be started; prepares what that needs.
        say: takes lines for the user.
        beat: told how the wait goes.
        patience: seconds until an engine that is not healthy is stopped and given up.

    Raises:
        EngineError: the port is taken by something else, or the engine ends or hangs before it is healthy.
    """
    found = find(model, place)
    if found is not None:
        return found
    with atomic.locked(place.lock, say):
        state = place.read()
        if state is None:
            return find(model, place) or _start(model, place, launch(), say, beat, patience)
        if state.served != model.served:
            what = f"the engine on port {place.port} serves {state.served}, not {model.served}"
            raise EngineError(what, "run `thresher engine down` first, or choose another port with THRESHER_PORT")
        say(f"the engine on port {place.port} is starting (process {state.process.pid})")
        begun = time.monotonic()
        _wait(state, place, say, beat, patience)
        return _engine(state, fresh=True, seconds=time.monotonic() - begun)


def find(model: Loaded, place: Place) -> Engine | None:
    """The engine that is up on the port and serves `model`; None where nothing listens there or ours is not ready.

    Raises:
        EngineError: something else listens on the port.
    """
    state = place.read()
    served = models_at(base(place.port)) if port_taken(place.port) else {}
    if state is not None:
        return _engine(state) if state.served == model.served and model.served in (served or {}) else None
    if served is not None and model.served in served:
        return Engine(url=base(place.port), served=model.served, pid=None, log=None, ours=False)
    if served == {}:
        return None
    what = f"serves {', '.join(served)}" if served else "is no LLM server, or does not answer"
    hint = "stop it, or choose another port with THRESHER_PORT or --port"
    raise EngineError(f"port {place.port} is taken by a program that {what}; {model.served} is wanted", hint)


def status(place: Place) -> tuple[State | None, str]:
    """The engine that we started on the port, if it lives, and one word: `up`, `starting`, `stopped`, or `foreign`."""
    state = place.read()
    if state is None:
        return None, "foreign" if port_taken(place.port) else "stopped"
    return state, "up" if healthy(place.port) else "starting"


def down(place: Place, say: atomic.Say) -> bool:
    """Stops the engine of the port if we started it. False where there is nothing of ours to stop."""
    state = place.read()
    if state is None:
        place.forget()
        if port_taken(place.port):
            say(f"port {place.port} is used by a program that was not started here; it is left alone")
        return False
    process.stop(state.process)
    place.forget()
    return True


def check(urls: Sequence[str], key: str = "", model: str = "") -> str:
    """The name under which all servers of `urls` serve one model.

    Args:
        model: the wanted name; empty: the only one that they serve.

    Raises:
        EngineError: one does not answer, or they do not serve one common model.
    """
    common: list[str] | None = None
    for url in urls:
        served = models_at(url, key)
        if served is None:
            raise EngineError(
                f"no OpenAI-compatible server answers at {url}", "start it, or correct THRESHER_ENGINE_URL"
            )
        common = list(served) if common is None else [name for name in common if name in served]
    names = common or []
    if model in names:
        return model
    if model or len(names) != 1:
        what = f"the servers at {', '.join(urls)} serve in common: {', '.join(names) or 'nothing'}"
        raise EngineError(what, f"{model!r} is wanted" if model else "name one with THRESHER_MODEL or --model")
    return names[0]


def _engine(state: State, *, fresh: bool = False, seconds: float = 0.0) -> Engine:
    return Engine(
        url=state.url,
        served=state.served,
        pid=state.process.pid,
        log=state.log,
        ours=True,
        fresh=fresh,
        seconds=seconds,
    )


def _start(model: Loaded, place: Place, launch: Launch, say: atomic.Say, beat: Beat, patience: float) -> Engine:
    for choice in launch.options.choices:
        say(f"engine: {choice}")
    say(f"starting the engine on port {place.port} with {model} (log: {place.log})")
    place.folder.mkdir(parents=True, exist_ok=True)
    if place.log.is_file():
        place.log.replace(place.log.with_suffix(".log.old"))
    begun = time.monotonic()
    variables = {**pip_calls.environment(), **launch.options.environment}
    who = process.detach(launch.arguments(model, place.port), place.log, variables)
    state = State(
        process=who,
        port=place.port,
        served=model.served,
        variant=model.variant,
        model=model.path,
        log=place.log,
        choices=tuple(str(choice) for choice in launch.options.choices),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    place.write(state)
    _wait(state, place, say, beat, patience)
    return _engine(state, fresh=True, seconds=time.monotonic() - begun)


def _wait(
    state: State,
    place: Place,
    say: atomic.Say,
    beat: Beat,
    patience: float,
) -> None:
    """Until the engine is healthy and serves what it should. What does not become healthy is stopped."""
    begun = time.monotonic()
    try:
        while not (healthy(state.port) and state.served in (models_at(state.url) or {})):
            if not process.alive(state.process):
                code = process.reap(state.process.pid)
                how = "" if code is None else f" with exit code {code}"
                raise _failed(state, f"ended{how} before it was healthy", say)
            seconds = time.monotonic() - begun
            if seconds > patience:
                raise _failed(state, f"is not healthy after {patience:.0f} s", say)
            beat("waiting for the engine", seconds, process.last_line(state.log))
            time.sleep(0.1 if seconds < 3 else 0.5)
    except BaseException:
        process.stop(state.process)
        place.forget()
        raise


def _failed(state: State, what: str, say: atomic.Say) -> EngineError:
    lines = process.tail(state.log, TAIL)
    for line in lines:
        say(f"  | {line}")
    marks = ("Error", "error:", "Exception")
    cause = next((line.strip() for line in reversed(lines) if any(mark in line for mark in marks)), "")
    return EngineError(f"the engine {what}{f': {cause[:300]}' if cause else ''}", f"see its log: {state.log}")
