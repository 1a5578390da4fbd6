"""The `api` command.

Knows how a server is started. Knows nothing of what it serves.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

import api.access.cli
import api.rollouts.cli
from prompts.command import Command
from prompts.errors import GroundwireError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from socket import socket

    from rag.runtime import Runtime

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
    if workers == 1:
        with _usable(host, collection, variant) as runtime, _bound(host, port, collection) as bound:
            _serve(runtime, bound, collection, variant, slots=slots, drain_seconds=drain, grace_seconds=grace)
        return
    from api.workers import Place, supervise

    _require_usable(host, collection, variant)
    with _bound(host, port, collection) as bound:
        place = Place(host, bound.getsockname()[1])
    supervise(place, workers, collection, variant, slots=slots, queue=slots // 2, drain_seconds=drain, grace_seconds=grace)


def _serve(
    runtime: "Runtime", bound: "socket", collection: str, model: str, *, slots: int, drain_seconds: float, grace_seconds: int
) -> None:
    import signal
    import sys

    import uvicorn

    from api.app import create_app
    from api.draining import Draining

    served = create_app(runtime, collection, model, slots=slots, queue=slots // 2, draining=Draining(bound, drain_seconds))
    config = uvicorn.Config(served, log_level="warning", access_log=False, timeout_graceful_shutdown=grace_seconds)
    # uvicorn raises the signal that has ended it again: to have ended well is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.Server(config).run(sockets=[bound])


@contextmanager
def _usable(host: str, collection: str, model: str) -> Iterator["Runtime"]:
    """What a server answers from, open. Raises `GroundwireError` where it could not answer."""
    import asyncio

    from api.access.authentication import require_keys
    from api.access.keys import Keys
    from api.rollouts.rollouts import Rollouts
    from rag.runtime import Runtime
    from rag.settings import Settings

    with Runtime(Settings().existing()) as runtime:
        require_keys(host, Keys(runtime.engine))
        rollouts = Rollouts(runtime.engine, runtime.settings)
        asyncio.run(runtime.pipeline(rollouts.mainstay(model), collection))
        yield runtime


def _require_usable(host: str, collection: str, model: str) -> None:
    """As `_usable`, in a process that ends with it: what has to be loaded for it takes hundreds of megabytes."""
    from multiprocessing import get_context

    spawning = get_context("spawn")
    told, telling = spawning.Pipe(duplex=False)
    child = spawning.Process(target=_tell_fault, args=(telling, host, collection, model), daemon=True)
    child.start()
    telling.close()
    fault = told.recv()
    child.join()
    if fault:
        raise GroundwireError(*fault)


def _tell_fault(telling: "Connection", host: str, collection: str, model: str) -> None:
    try:
        with _usable(host, collection, model):
            fault = None
    except GroundwireError as error:
        fault = (error.problem, error.mend)
    # Where the other side was killed meanwhile, nobody is left to tell.
    with suppress(BrokenPipeError):
        telling.send(fault)


@contextmanager
def _bound(host: str, port: int, collection: str) -> Iterator["socket"]:
    """The socket that a server listens on, which people are told of."""
    from api.workers import bound

    try:
        listener = bound(host, port)
    except OSError as error:
        raise GroundwireError(
            f"{host}:{port} cannot be bound ({error.strerror})", "name others with --host and --port"
        ) from error
    with listener:
        typer.echo(f"answering from {collection} on http://{host}:{listener.getsockname()[1]}")
        yield listener
