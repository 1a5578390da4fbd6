"""The HTTP application: what is served, from when to when, and how errors look.

Knows routes, start and shutdown. Knows nothing of how a question is answered.
"""

from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse

from api import chat, openai
from api.problem import InvalidError, problem
from rag.errors import GroundwireError
from rag.runtime import Runtime

PAGES = Path(__file__).parent / "pages"


def create_app(runtime: Runtime, collection: str, variant: str) -> FastAPI:
    """An application that answers from `collection` by `variant` where a request names no other; closing `runtime` is the caller's."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        runtime.traces.settle_abandoned()
        app.state.runtime = runtime
        app.state.collection = collection
        app.state.variant = variant
        try:
            yield
        finally:
            await runtime.router.close()
            # The signal that ends the server is raised again after it, and leaves nobody to wait for the last rows.
            await to_thread(runtime.writer.close)

    app = FastAPI(title="Groundwire", lifespan=lifespan, docs_url="/docs", redoc_url=None)
    app.include_router(chat.router)
    app.include_router(openai.router)
    app.add_exception_handler(GroundwireError, _told)
    app.add_exception_handler(RequestValidationError, _invalid)

    @app.get("/healthz", tags=["operation"])
    async def alive() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["operation"])
    async def ready() -> JSONResponse:
        """The ledger and the collection's current generation can be used."""
        pipeline = await runtime.pipeline(runtime.variant(variant), collection)
        generation = pipeline.retriever.index.generation
        return JSONResponse({"status": "ok", "collection": collection, "generation": generation.id, "chunks": generation.chunks})

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGES / "chat.html", headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})

    return app


CONTENT_SECURITY_POLICY = (
    "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    told = InvalidError(f"{field}: {first['msg']}", "mend that field of the request")
    return await _told(request, told)


async def _told(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, GroundwireError)
    if request.url.path.startswith(openai.router.prefix):
        return openai.failure(error)
    return problem(error)
