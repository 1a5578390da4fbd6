"""The `api` command.

Knows how a server is started. Knows nothing of what it serves.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from prompts.command import Command
from prompts.errors import GroundwireError

if TYPE_CHECKING:
    from socket import socket

app = Command(help="Serve answers over HTTP.")


@app.callback()
def _app() -> None:
    """Serve answers over HTTP."""


@app.command()
def serve(
    collection: Annotated[str, typer.Option(help="Answer from this collection.")] = "default",
    variant: Annotated[str, typer.Option(help="Answer by this variant.")] = "default",
    host: Annotated[str, typer.Option(help="Bind to this address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Bind to this port; 0 takes a free one.", min=0, max=65535)] = 8000,
) -> None:
    """Serve the chat page on /, and POST /chat and POST /v1/chat/completions."""
    import asyncio

    import uvicorn

    from api.app import create_app
    from rag.runtime import Runtime
    from rag.settings import Settings

    with Runtime(Settings()) as runtime:
        asyncio.run(runtime.pipeline(runtime.variant(variant), collection))
        with _listening(host, port) as listening:
            typer.echo(f"answering from {collection} on http://{host}:{listening.getsockname()[1]}")
            config = uvicorn.Config(create_app(runtime, collection, variant), log_level="warning", access_log=False)
            uvicorn.Server(config).run(sockets=[listening])


def _listening(host: str, port: int) -> "socket":
    import socket

    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048)
    except OSError as error:
        raise GroundwireError(
            f"{host}:{port} cannot be bound ({error.strerror})", "name others with --host and --port"
        ) from error
