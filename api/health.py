"""`/healthz` and `/readyz`: what an orchestrator or a load balancer asks.

Knows when a server can answer questions. Knows nothing of how it answers them.
"""

import logging
from asyncio import timeout, wrap_future
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from api.draining import Draining
from api.gateway import Gateway
from api.problem import ClosingError, UnreadyError, documented
from rag.errors import GroundwireError, StorageError

router = APIRouter(tags=["operation"])

READY_SECONDS = 5.0
"""In which the ledger has to take a row: whoever asks is told before it gives up."""


class Health(BaseModel):
    """The process responds."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "ok"}})

    status: Literal["ok"] = "ok"


@router.get("/healthz", summary="Is the process alive?")
async def get_health() -> Health:
    """The process responds."""
    return Health()


@router.get("/readyz", summary="Can it answer questions?", responses=documented(503))
async def get_readiness(request: Request) -> Health:
    """The ledger takes what is written, the current generation can be searched, and the server is not shutting down.

    It asks for no key, so it does not tell what there is.
    """
    draining: Draining = request.app.state.draining
    if draining.begun:
        raise ClosingError("the server is being stopped", "ask another replica", retry_after=1.0)
    gateway: Gateway = request.app.state.gateway
    try:
        await _require_writable(gateway)
        await (await gateway.pipeline()).retriever.require_index()
    except GroundwireError as error:
        logging.getLogger("groundwire").error("not ready: %s", error)
        raise UnreadyError("the server cannot answer questions at present", "its log says why", retry_after=5.0) from error
    return Health()


async def _require_writable(gateway: Gateway) -> None:
    """Raise `GroundwireError` where the ledger does not take a row, or not soon."""
    try:
        async with timeout(READY_SECONDS):
            await wrap_future(gateway.runtime.writer.announce())
    except TimeoutError:
        problem = f"the ledger took no row within {READY_SECONDS:g} s"
        raise StorageError(problem, "see whether its database can be reached") from None
