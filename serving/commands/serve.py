"""`thresher serve`: the service."""

import socket
from typing import Annotated

import typer

PATIENCE = 5
"""Seconds that requests get to finish in when the service is told to stop; who follows a run would stay for ever."""


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "",
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 takes any free one.")] = None,
) -> None:
    """Serve HTTP until it is told to stop. Unfinished runs are continued."""
    import uvicorn

    from agent.errors import BadInput
    from serving import settings
    from serving.app import create_app
    from serving.service.guard import is_loopback

    asked = {"host": host or None, "service_port": port}
    chosen = settings.load().model_copy(update={name: value for name, value in asked.items() if value is not None})
    app = create_app(chosen)
    if not is_loopback(chosen.host) and not app.state.desk.keys.any():
        what = f"{chosen.host} is reached from other machines, and there is no API key"
        raise BadInput(what, "make one first: thresher keys make NAME --scope admin")
    try:
        listening = socket.create_server((chosen.host, chosen.service_port))
    except OSError as error:
        what = f"{chosen.host} port {chosen.service_port} cannot be listened on: {error.strerror}"
        raise BadInput(what, "name another with --port, or stop what listens there") from error
    # asyncio does this only for sockets of its own making; without it, answers wait 40 ms for an acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    where = f"http://{chosen.host}:{listening.getsockname()[1]}"
    typer.echo(f"serving at {where} (operations: {where}/docs); stop with Ctrl-C")
    config = uvicorn.Config(app, log_level="info", server_header=False, timeout_graceful_shutdown=PATIENCE)
    uvicorn.Server(config).run([listening])
