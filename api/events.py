"""An answer as server-sent events, with keep-alive comments for proxies, and a late failure as the last event.

Knows the stream. Knows no wire format: how an event is written is passed in.
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
from api.logs import trace_id
from api.problem import CLIENT_CLOSED_REQUEST, FaultError, traced
from rag.errors import GroundwireError
from rag.events import Done, Event, Retrieved

PING_SECONDS = 15.0
"""Between keep-alive comments; proxies commonly cut a connection that is silent for 30 or 60 seconds."""

HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""Proxies neither cache nor buffer the stream; the second header is nginx's."""


async def event_stream(
    request: Request,
    events: AsyncGenerator[Event, None],
    write: Callable[[Event], Iterable[bytes]],
    failed: Callable[[GroundwireError], bytes],
) -> Response:
    """The streamed response. An error before the first event is raised, so that the response has its status."""
    first = await unless_disconnected(request, events.__anext__())
    if first is None:
        await events.aclose()
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    id = first.trace.id if isinstance(first, Done) else first.trace_id if isinstance(first, Retrieved) else ""
    trace_id.set(id or "-")
    lines = kept_alive(_lines(first, events, write, failed), PING_SECONDS)
    return ClosingEventSourceResponse(lines, events, headers={**HEADERS, **traced(id)})


class ClosingEventSourceResponse(EventSourceResponse):
    """An event stream that closes its generators when it ends, also if the client disconnects while a piece is sent."""

    def __init__(
        self, lines: AsyncGenerator[bytes, None], events: AsyncGenerator[Event, None], headers: Mapping[str, str]
    ) -> None:
        super().__init__(lines, headers=headers)
        self._generators = (lines, events)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            for generator in self._generators:
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
    """The same lines, with a comment after every `seconds` of silence. `lines` must not raise; it is closed with this generator."""
    ready: asyncio.Queue[bytes | None] = asyncio.Queue(1)

    async def drain() -> None:
        # One task iterates from beginning to end, because `asyncio.timeout` within `lines` belongs to the task that entered it.
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
