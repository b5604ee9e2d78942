"""`thresher engine`: start, find, read and stop the LLM server of this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from serving.settings import Settings

app = typer.Typer(help="The LLM server of this machine: up, status, logs, down.", no_args_is_help=True)

Port = Annotated[int | None, typer.Option(help="Port on the loopback interface.", min=1024, max=65535)]
Model = Annotated[str, typer.Option(help="A name of the catalogue or a folder.")]
Url = Annotated[str, typer.Option(help="OpenAI-compatible servers to use instead, separated by commas.")]


@app.command()
def up(model: Model = "", port: Port = None, url: Url = "") -> None:
    """Start the engine, or find the one that is up, and say what it honours."""
    from serving.connect import Setting
    from serving.system.progress import Bars

    with Bars() as bars:
        served = Setting(_settings(port, url), bars.say, bars, bars.beat).connect(model)
    typer.echo(" ".join(served.urls))


@app.command()
def status(port: Port = None, url: Url = "") -> None:
    """Say whether an engine is up and what it serves. Exit code 1 where none is up."""
    from agent.errors import EngineError
    from serving.engine import server
    from serving.engine.state import Place

    settings = _settings(port, url)
    if settings.urls:
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        try:
            typer.echo(f"up: {server.check(settings.urls, key)} at {', '.join(settings.urls)}")
        except EngineError as error:
            typer.echo(f"no engine: {error}")
            raise typer.Exit(1) from error
        return
    place = Place(folder=settings.cache / "engine", port=settings.port)
    state, word = server.status(place)
    if state is None:
        foreign = "a program that was not started here listens" if word == "foreign" else "nothing listens"
        typer.echo(f"no engine: {foreign} on port {place.port}")
        raise typer.Exit(1)
    typer.echo(f"{word}: {state.served} ({state.variant}) at {state.url}")
    typer.echo(f"process {state.process.pid} since {state.started}, log {state.log}")
    for choice in state.choices:
        typer.echo(f"  {choice}")
    if word != "up":
        raise typer.Exit(1)


@app.command()
def logs(
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines.", min=1)] = 40,
    port: Port = None,
) -> None:
    """Print the end of the engine's log."""
    from agent.errors import EngineError
    from serving.engine.state import Place
    from serving.system import process

    settings = _settings(port, "")
    log: Path = Place(folder=settings.cache / "engine", port=settings.port).log
    if not log.is_file():
        raise EngineError(f"there is no log {log}", "start an engine with `thresher engine up`")
    for line in process.tail(log, lines, most=1024 * 1024):
        typer.echo(line)


@app.command()
def down(port: Port = None) -> None:
    """Stop the engine, if it was started here."""
    from serving.engine import server
    from serving.engine.state import Place

    settings = _settings(port, "")
    place = Place(folder=settings.cache / "engine", port=settings.port)
    stopped = server.down(place, typer.echo)
    typer.echo(f"stopped the engine on port {place.port}" if stopped else f"no engine of ours on port {place.port}")


def _settings(port: int | None, url: str) -> "Settings":
    from serving import settings

    changed = {"port": port, "engine_url": url}
    return settings.load().model_copy(update={name: value for name, value in changed.items() if value})
