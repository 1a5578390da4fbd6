"""The HTTP application: its routes, and what runs from its start to its shutdown.

Knows which parts there are. Knows nothing of how a question is answered.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from fastapi.routing import APIRoute

from api import abandoned, chat, errors, feedback, health, openai, traces
from api.access.allowance import Allowances
from api.access.keys import Keys
from api.access.slots import Slots
from api.body import BodyLimit
from api.draining import CloseConnections, Draining
from api.gateway import Gateway
from api.pages import site
from api.rollouts.controller import Controller
from api.rollouts.rollouts import Rollouts
from api.serving import Serving
from api.telemetry import exposition, spans
from rag.runtime import Runtime
from rag.text import analyzer


def create_app(runtime: Runtime, serving: Serving, draining: Draining) -> FastAPI:
    """The application. The caller closes `runtime`."""
    app = FastAPI(
        title="Groundwire",
        lifespan=partial(_lifespan, runtime=runtime, serving=serving, draining=draining),
        generate_unique_id_function=_operation_id,
        docs_url=None,
        redoc_url=None,
    )
    app.state.draining = draining
    for part in (openai, chat, feedback, traces, exposition, health, site):
        app.include_router(part.router)
    errors.add_handlers(app)
    app.add_middleware(BodyLimit, refuse=errors.too_large)
    app.add_middleware(CloseConnections, draining=draining)
    return app


def _operation_id(route: APIRoute) -> str:
    """The endpoint's name: it becomes a function's in generated clients."""
    return route.name


@asynccontextmanager
async def _lifespan(app: FastAPI, runtime: Runtime, serving: Serving, draining: Draining) -> AsyncIterator[None]:
    spans.start()
    rollouts, allowances = Rollouts(runtime.engine, runtime.settings), Allowances(runtime.engine)
    await asyncio.wrap_future(runtime.writer.announce())
    await asyncio.to_thread(abandoned.settle, runtime.traces, allowances)
    slots = Slots(serving.slots, serving.queue)
    gateway = Gateway(runtime, rollouts, slots, allowances, collection=serving.collection, model=serving.model)
    app.state.keys = Keys(runtime.engine)
    app.state.gateway = gateway
    # Loaded before the first connection is accepted, so that no request waits for it, or finds out that it cannot be.
    await asyncio.to_thread(analyzer.load)
    await gateway.pipeline()
    background = [
        asyncio.create_task(work) for work in (Controller(rollouts).run(), abandoned.settle_forever(runtime.traces, allowances))
    ]
    try:
        with draining.on_sigterm():
            yield
    finally:
        # Requests that the server no longer waits for are cancelled by now, but still write their traces and settlements.
        slots.close()
        await slots.drained()
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await gateway.close()
        await runtime.router.close()
        # uvicorn raises the signal again once this returns, which ends the process: the last rows are written before that.
        for close in (allowances.close, runtime.writer.close, spans.stop):
            await asyncio.to_thread(close)
