"""The HTTP application: what is served, from when to when, and how errors look.

Knows routes, start and shutdown. Knows nothing of how a question is answered.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from api import abandoned, chat, feedback, openai, traces
from api.access.allowance import Allowances
from api.access.keys import Keys
from api.access.slots import Slots
from api.body import LARGEST, BodyLimit
from api.draining import Draining, Parting
from api.gateway import Gateway
from api.pages import routes
from api.pages.page import refused
from api.problem import ClosingError, FaultError, InvalidError, ProtocolError, documented, problem
from api.rollouts.controller import Controller
from api.rollouts.rollouts import Rollouts
from api.telemetry import exposition, metrics, spans
from rag.errors import GroundwireError
from rag.runtime import Runtime


class Alive(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "ok"}})

    status: Literal["ok"] = "ok"


class Ready(Alive):
    """What it answers from."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"status": "ok", "collection": "guide", "generation": "20260101T", "chunks": 310}}
    )

    collection: str
    generation: str
    chunks: int


def create_app(
    runtime: Runtime, collection: str, model: str, *, slots: int = 64, queue: int = 32, draining: Draining | None = None
) -> FastAPI:
    """An application that answers from `collection` by `model`, a variant or a rollout, where a request names no other.

    `slots` requests are answered at once, `queue` more wait for that. Closing `runtime` is the caller's.
    """
    draining = draining or Draining()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        spans.start()
        rollouts, allowances = Rollouts(runtime.engine, runtime.settings), Allowances(runtime.engine)
        await asyncio.wrap_future(runtime.writer.announce())
        await asyncio.to_thread(abandoned.settle, runtime.traces, allowances)
        gateway = Gateway(runtime, rollouts, Slots(slots, queue), allowances, collection=collection, model=model)
        app.state.keys = Keys(runtime.engine)
        app.state.gateway = gateway
        # Opened before the first connection is accepted: a worker process that starts anew keeps nobody waiting.
        await gateway.pipeline()
        beside = [
            asyncio.create_task(work) for work in (Controller(rollouts).run(), abandoned.settle_again(runtime.traces, allowances))
        ]
        try:
            with draining.awaited():
                yield
        finally:
            # What the server has stopped waiting for is ended by now, and still writes its traces and settlements.
            gateway.slots.close()
            await gateway.slots.drained()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await gateway.close()
            await runtime.router.close()
            # The signal that ends the server is raised again after it, and leaves nobody to wait for the last rows.
            for last in (allowances.close, runtime.writer.close, spans.stop):
                await asyncio.to_thread(last)

    app = FastAPI(title="Groundwire", lifespan=lifespan, docs_url=None, redoc_url=None)
    for part in (openai, chat, feedback, traces, exposition, routes):
        app.include_router(part.router)
    app.add_exception_handler(GroundwireError, _told)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _failed)
    app.add_middleware(BodyLimit, refuse=_too_large)
    app.add_middleware(Parting, draining=draining)

    @app.get("/healthz", tags=["operation"], summary="Is the process alive?")
    async def alive() -> Alive:
        """The process answers."""
        return Alive()

    @app.get("/readyz", tags=["operation"], summary="Can it answer questions?", responses=documented(400, 404, 503))
    async def ready() -> Ready:
        """The ledger and the collection's current generation can be used, and the server is not about to end."""
        if draining.begun:
            raise ClosingError("the server is being stopped", "ask another replica", retry_after=1.0)
        gateway: Gateway = app.state.gateway
        retriever = (await gateway.pipeline()).retriever
        await retriever.require_index()
        generation = retriever.index.generation
        return Ready(collection=collection, generation=generation.id, chunks=generation.chunks)

    return app


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return await _told(request, GroundwireError(f"the body is not JSON: {first['ctx']['error']}", "mend the JSON"))
    kind = request.headers.get("content-type", "nothing")
    if first["loc"] == ("body",) and first["type"] == "model_attributes_type" and "json" not in kind:
        told = InvalidError(f"the body is declared as {kind}, not as JSON", "send the header content-type: application/json")
        return await _told(request, told)
    field = ".".join(str(part) for part in first["loc"][1:]) or "the body"
    told = InvalidError(f"{field}: {first['msg']}", "mend that field of the request")
    return await _told(request, told)


async def _refused(request: Request, error: Exception) -> Response:
    """By the framework: before an endpoint was reached, or its body read."""
    assert isinstance(error, HTTPException)
    headers = error.headers or {}
    path = request.url.path
    problem, mend = {
        404: (f"there is no {path}", "GET /openapi.json describes what there is"),
        405: (f"{path} does not take {request.method}", f"it takes {headers.get('Allow', 'other methods')}"),
        413: ("the body is too large", f"send at most {LARGEST} bytes"),
    }.get(error.status_code, ("the body cannot be read", "send JSON in UTF-8, not nested deeply"))
    told = ProtocolError(problem, mend, status=error.status_code, headers=headers)
    response = await _told(request, told)
    return refused(request, told) if "text/html" in request.headers.get("accept", "") else response


async def _too_large(request: Request) -> Response:
    return await _refused(request, HTTPException(413))


async def _failed(request: Request, error: Exception) -> JSONResponse:
    """By a fault of ours: the server logs it."""
    return await _told(request, FaultError("the server failed", "its log says why"))


async def _told(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, GroundwireError)
    metrics.turned_away(error)
    if openai.speaks(request.url.path):
        return openai.failure(error)
    return problem(error)
