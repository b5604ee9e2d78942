"""`thresher keys`: make, list and revoke the keys of a service."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from serving.service.keys import Keys

app = typer.Typer(help="API keys of the service.", no_args_is_help=True)


@app.command()
def make(
    name: Annotated[str, typer.Argument(help="Whose it is; labels that it gives bear this name.")],
    scope: Annotated[list[str] | None, typer.Option(help="read, run, review or admin; may be repeated.")] = None,
) -> None:
    """Make a key and print it. It is not to be seen again."""
    typer.echo(_keys().make(name, scope or ["read"]))
    typer.echo("keep it now: only its hash is stored", err=True)


@app.command("list")
def list_keys() -> None:
    """Who has keys, and for what."""
    for key in _keys().list():
        state = f"revoked {key.revoked[:16]}" if key.revoked else "good"
        used = f"used {key.used[:16]}" if key.used else "never used"
        opens = " ".join(key.scopes)
        typer.echo(f"{key.id}  made {key.created[:16]}  {used:21}  {opens:21}  {state:24}  {key.name}")


@app.command()
def revoke(id_: Annotated[str, typer.Argument(metavar="ID", help="As `thresher keys list` shows it.")]) -> None:
    """Shut a key out for good."""
    held = _keys()
    held.revoke(id_)
    if not held.any():
        typer.echo("that was the last key: whoever calls from this machine may do everything now", err=True)


def _keys() -> "Keys":
    from serving import settings
    from serving.runs import wiring
    from serving.service.keys import Keys

    return Keys(wiring.open_store(settings.load()).engine)
