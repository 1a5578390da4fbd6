"""The `api` command.

Knows how a server is started. Knows nothing of what it serves.
"""

from typing import Annotated

import typer

from prompts.command import Command

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
    import uvicorn

    from api.app import create_app
    from rag.runtime import Runtime
    from rag.settings import Settings

    settings = Settings()
    with Runtime(settings) as runtime:
        runtime.corpus.collection(collection)
        runtime.variant(variant)
    uvicorn.run(create_app(settings, collection, variant), host=host, port=port, log_level="warning", access_log=False)
