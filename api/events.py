"""An answer as server-sent events: what a proxy needs to keep the stream open, and a failure on the way as its last event.

Knows the stream. Knows no dialect: how an event is written is handed in.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing

from fastapi import Request
from fastapi.responses import Response
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse
from starlette.types import Receive, Scope, Send

from api.disconnect import unless_disconnected
from api.problem import CLIENT_CLOSED_REQUEST, FaultError, traced
from rag.errors import GroundwireError
from rag.pipeline import Done, Event, Retrieved

PING_SECONDS = 15.0
"""Proxies commonly cut a connection that was silent for 30 or 60 seconds."""

HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""Nobody on the way keeps the stream, or holds its pieces back (the second is nginx's)."""


async def event_stream(
    request: Request,
    events: AsyncGenerator[Event, None],
    write: Callable[[Event], Iterable[bytes]],
    failed: Callable[[GroundwireError], bytes],
) -> Response:
    """The response to a request whose `events` are about to begin. What is refused before the first is raised, for it has a status of
    its own.
    """
    first = await unless_disconnected(request, events.__anext__())
    if first is None:
        await events.aclose()
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    id = first.trace.id if isinstance(first, Done) else first.trace_id if isinstance(first, Retrieved) else ""
    lines = kept_alive(_lines(first, events, write, failed), PING_SECONDS)
    return Streamed(lines, events, headers={**HEADERS, **traced(id)})


class Streamed(EventSourceResponse):
    """A response that closes what it streams as it ends, also where the client left while a piece was being sent."""

    def __init__(
        self, lines: AsyncGenerator[bytes, None], events: AsyncGenerator[Event, None], headers: Mapping[str, str]
    ) -> None:
        super().__init__(lines, headers=headers)
        self._streamed = (lines, events)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            for generator in self._streamed:
                await generator.aclose()


async def _lines(
    first: Event,
    events: AsyncGenerator[Event, None],
    write: Callable[[Event], Iterable[bytes]],
    failed: Callable[[GroundwireError], bytes],
) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(events):
            for line in write(first):
                yield line
            async for event in events:
                for line in write(event):
                    yield line
    except GroundwireError as error:
        yield failed(error)
    except Exception:
        logging.getLogger("groundwire").exception("a stream failed on the way")
        yield failed(FaultError("the server failed on the way", "its log says why"))


async def kept_alive(lines: AsyncGenerator[bytes, None], seconds: float) -> AsyncGenerator[bytes, None]:
    """The same lines, with a comment whenever none comes for so long. `lines` raise nothing; they are closed when this is."""
    ready: asyncio.Queue[bytes | None] = asyncio.Queue(1)

    async def drain() -> None:
        # In one task from begin to end: a deadline within belongs to the task that it was set in.
        async with aclosing(lines):
            async for line in lines:
                await ready.put(line)
        await ready.put(None)

    draining = asyncio.create_task(drain())
    try:
        while True:
            try:
                async with asyncio.timeout(seconds):
                    line = await ready.get()
            except TimeoutError:
                yield KEEPALIVE_COMMENT
                continue
            if line is None:
                return
            yield line
    finally:
        draining.cancel()
        await asyncio.wait({draining})
