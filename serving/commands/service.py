"""`thresher service`: start, find, read and stop the service in the background."""

from typing import Annotated

import typer

app = typer.Typer(help="The service in the background: up, status, logs, down.", no_args_is_help=True)


@app.command()
def up() -> None:
    """Start the service, or find the one that is up, and print its address."""
    from serving import settings
    from serving.service import background
    from serving.system.progress import Bars

    with Bars() as bars:
        found = background.up(settings.load(), bars.say, bars.beat)
        bars.say("it stays up; stop it with: thresher service down")
    typer.echo(found.url)


@app.command()
def status() -> None:
    """Say whether a service is up, and where. Exit code 1 where none is."""
    from serving import settings
    from serving.service import background

    found = background.find(settings.load())
    if found is None:
        typer.echo("no service is up")
        raise typer.Exit(1)
    where = f", log {found.log}" if found.log else ", on a terminal"
    typer.echo(f"up: {found.url}, process {found.process.pid} since {found.started}{where}")


@app.command()
def logs(
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines.", min=1)] = 40,
) -> None:
    """Print the end of the service's log."""
    from agent.errors import BadInput
    from serving import settings
    from serving.service import background
    from serving.system import process

    log = background.log_file(settings.load())
    if not log.is_file():
        raise BadInput(f"there is no log {log}", "start a service with: thresher service up")
    for line in process.tail(log, lines, most=1024 * 1024):
        typer.echo(line)


@app.command()
def down() -> None:
    """Stop the service, if it is in the background. Its runs go on with the next one."""
    from serving import settings
    from serving.service import background

    stopped = background.down(settings.load())
    typer.echo(f"stopped the service at {stopped.url}" if stopped else "no service of ours is in the background")
