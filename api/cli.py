"""The `api` command: `serve`, with `keys` and `rollout` below it.

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

    from api.serving import Serving
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
    slots: Annotated[int, typer.Option(help="Requests that each process answers at once; half as many more wait.", min=1)] = 64,
    workers: Annotated[int, typer.Option(help="The number of server processes.", min=1)] = 1,
    drain: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="After SIGTERM, go on serving this long, not ready, until balancers notice.", min=0),
    ] = 0.0,
    grace: Annotated[
        int, typer.Option(metavar="SECONDS", help="Then wait this long for the requests in flight to end.", min=0)
    ] = 30,
    access_log: Annotated[bool, typer.Option("--access-log", help="Write a line to stderr for each request.")] = False,
) -> None:
    """Serve the pages on /, POST /chat and POST /v1/chat/completions."""
    from api.serving import Serving

    serving = Serving(collection, variant, slots, drain_seconds=drain, grace_seconds=grace, access_log=access_log)
    if workers == 1:
        with _usable_runtime(host, serving) as runtime, _listening(host, port, collection) as listener:
            _serve(runtime, listener, serving)
        return
    from api.workers import Address, supervise

    _require_usable(host, serving)
    with _listening(host, port, collection) as listener:
        address = Address(host, listener.getsockname()[1])
    supervise(address, workers, serving)


def _serve(runtime: "Runtime", listener: "socket", serving: "Serving") -> None:
    import signal
    import sys

    import uvicorn

    from api import logs
    from api.app import create_app
    from api.draining import Draining

    app = create_app(runtime, serving, Draining(listener, serving.drain_seconds))
    config = uvicorn.Config(
        app,
        log_config=logs.configuration(access=serving.access_log),
        access_log=serving.access_log,
        timeout_graceful_shutdown=serving.grace_seconds,
    )
    # uvicorn raises the signal that stopped it once more. A clean shutdown has to exit with 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def _usable_runtime(host: str, serving: "Serving") -> Iterator["Runtime"]:
    """The runtime of a server, open. Raises `GroundwireError` if the server could not answer."""
    import asyncio

    from api.access.authentication import require_keys
    from api.access.keys import Keys
    from api.rollouts.rollouts import Rollouts
    from rag.runtime import Runtime
    from rag.settings import Settings
    from rag.text import analyzer

    analyzer.load()
    with Runtime(Settings().existing()) as runtime:
        require_keys(host, Keys(runtime.engine))
        rollouts = Rollouts(runtime.engine, runtime.settings)
        asyncio.run(runtime.pipeline(rollouts.fallback_variant(serving.model), serving.collection))
        yield runtime


def _require_usable(host: str, serving: "Serving") -> None:
    """Check in a child process that the server can answer: loading what it needs takes hundreds of megabytes."""
    from multiprocessing import get_context

    spawn = get_context("spawn")
    receiving, sending = spawn.Pipe(duplex=False)
    child = spawn.Process(target=_send_fault, args=(sending, host, serving), daemon=True)
    child.start()
    sending.close()
    fault = receiving.recv()
    child.join()
    if fault:
        raise GroundwireError(*fault)


def _send_fault(sending: "Connection", host: str, serving: "Serving") -> None:
    try:
        with _usable_runtime(host, serving):
            fault = None
    except GroundwireError as error:
        fault = (error.problem, error.mend)
    # The parent may have been killed meanwhile.
    with suppress(BrokenPipeError):
        sending.send(fault)


@contextmanager
def _listening(host: str, port: int, collection: str) -> Iterator["socket"]:
    """Bind the server's socket, and print its address."""
    from api.workers import bind

    try:
        listener = bind(host, port)
    except OSError as error:
        raise GroundwireError(
            f"{host}:{port} cannot be bound ({error.strerror})", "name others with --host and --port"
        ) from error
    with listener:
        typer.echo(f"answering from {collection} on http://{host}:{listener.getsockname()[1]}")
        yield listener
