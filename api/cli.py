"""The `api` command.

Knows how a server is started. Knows nothing of what it serves.
"""

from typing import TYPE_CHECKING, Annotated

import typer

import api.access.cli
import api.rollouts.cli
from prompts.command import Command
from prompts.errors import GroundwireError

if TYPE_CHECKING:
    from socket import socket

app = Command(help="Serve answers over HTTP.")
app.add_typer(api.access.cli.app, name="keys")
app.add_typer(api.rollouts.cli.app, name="rollout")


@app.command()
def serve(
    collection: Annotated[str, typer.Option(help="Answer from this collection.")] = "default",
    variant: Annotated[str, typer.Option(help="Answer by this variant or rollout.")] = "default",
    host: Annotated[str, typer.Option(help="Bind to this address; any but loopback asks for keys.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Bind to this port; 0 takes a free one.", min=0, max=65535)] = 8000,
    slots: Annotated[
        int, typer.Option(help="Answer so many requests at once in each process; half as many more wait.", min=1)
    ] = 64,
    workers: Annotated[int, typer.Option(help="Serve by so many processes.", min=1)] = 1,
    drain: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="After SIGTERM, go on so long, not ready, until balancers have noticed.", min=0),
    ] = 0.0,
    grace: Annotated[int, typer.Option(metavar="SECONDS", help="Then give the requests under way so long to end.", min=0)] = 30,
) -> None:
    """Serve the pages on /, POST /chat and POST /v1/chat/completions."""
    import asyncio
    import signal
    import sys

    import uvicorn

    from api.access.authentication import require_keys
    from api.access.keys import Keys
    from api.app import create_app
    from api.draining import Draining
    from api.rollouts.rollouts import Rollouts
    from api.workers import Place, supervise
    from rag.runtime import Runtime
    from rag.settings import Settings

    with Runtime(Settings()) as runtime:
        require_keys(host, Keys(runtime.engine))
        answering = Rollouts(runtime.engine).choose(variant, "").variant
        asyncio.run(runtime.pipeline(answering, collection))
        with _bound(host, port) as bound:
            port = bound.getsockname()[1]
            typer.echo(f"answering from {collection} on http://{host}:{port}")
            if workers == 1:
                draining = Draining(bound, drain)
                served = create_app(runtime, collection, variant, slots=slots, queue=slots // 2, draining=draining)
                config = uvicorn.Config(served, log_level="warning", access_log=False, timeout_graceful_shutdown=grace)
                # uvicorn raises the signal that has ended it again: to have ended well is no failure.
                signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
                uvicorn.Server(config).run(sockets=[bound])
                return
    place = Place(host, port)
    supervise(place, workers, collection, variant, slots=slots, queue=slots // 2, drain_seconds=drain, grace_seconds=grace)


def _bound(host: str, port: int) -> "socket":
    from api.workers import bound

    try:
        return bound(host, port)
    except OSError as error:
        raise GroundwireError(
            f"{host}:{port} cannot be bound ({error.strerror})", "name others with --host and --port"
        ) from error
