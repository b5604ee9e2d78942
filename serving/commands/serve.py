"""`thresher serve`: the service."""

import socket
import sys
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fastapi import FastAPI

TURN = 0.0005
"""Seconds after which a thread lets others compute. An answer passes through several threads, and waits at each for one
that computes: for up to 5 ms where Python is left alone, which one answer in a hundred was seen to need."""
PATIENCE = 20
"""Seconds that requests get to finish in when the service is told to stop. Who follows a run is let go at once."""


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "",
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 takes any free one.")] = None,
    log_format: Annotated[str, typer.Option(help="text or json; a line a record, on standard error.")] = "",
    background: Annotated[bool, typer.Option(hidden=True, help="Set by `thresher service up`.")] = False,
) -> None:
    """Serve HTTP until it is told to stop. Unfinished runs are continued."""
    from agent.errors import BadInput
    from serving import settings
    from serving.app import create_app
    from serving.service import background as own
    from serving.service import logs
    from serving.service.guard import is_loopback

    if log_format not in ("", "text", "json"):
        raise BadInput(f"--log-format {log_format!r} is no format of logs", "text or json")
    asked = {"host": host or None, "service_port": port, "log_format": log_format or None}
    chosen = settings.load().model_copy(update={name: value for name, value in asked.items() if value is not None})
    app = create_app(chosen)
    if not is_loopback(chosen.host) and not app.state.desk.keys.any():
        what = f"{chosen.host} is reached from other machines, and there is no API key"
        raise BadInput(what, "make one first: thresher keys make NAME --scope admin")
    try:
        family = socket.AF_INET6 if ":" in chosen.host else socket.AF_INET
        listening = socket.create_server((chosen.host, chosen.service_port), family=family)
    except OSError as error:
        what = f"{chosen.host} port {chosen.service_port} cannot be listened on: {error.strerror}"
        raise BadInput(what, "name another with --port, or stop what listens there") from error
    # asyncio does this only for sockets of its own making; without it, answers wait 40 ms for an acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    shown = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
    where = f"http://{shown}:{listening.getsockname()[1]}"
    typer.echo(f"serving at {where} (operations: {where}/docs); stop with Ctrl-C")
    log = own.log_file(chosen) if background else None
    logs.configure(chosen, file=log)
    with own.standing(chosen, where, log):
        _run(app, listening)


def _run(app: "FastAPI", listening: socket.socket) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            app.state.desk.stopping.set()
            super().handle_exit(sig, frame)

    sys.setswitchinterval(TURN)
    # The log is set up already; the line for each request is ours, because uvicorn's holds what was asked for.
    Server(
        uvicorn.Config(app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=PATIENCE)
    ).run([listening])
