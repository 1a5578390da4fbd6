"""The limit on the size of a request's body.

Knows the declared size, and the bytes that have arrived. Knows no endpoint.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from fastapi import HTTPException, Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 2_000_000
"""The most bytes of a body."""
DISCARDED = 2 * LARGEST
"""The most bytes of a body that are received to be thrown away: more than the proxy in `deploy` lets through."""
PATIENCE_SECONDS = 10.0
"""How long the rest of such a body is waited for."""


class BodyLimit:
    """ASGI middleware: at most `LARGEST` bytes of a body are read.

    A larger declared size is answered by `refuse`. Otherwise, reading beyond the limit raises an `HTTPException` with status 413.
    Before either, the rest is received and thrown away: a client that is still sending when its connection closes, such as a proxy,
    sees no answer but a broken connection (RFC 9112, section 9.6).
    """

    def __init__(self, app: ASGIApp, refuse: Callable[[Request], Awaitable[Response]]) -> None:
        self.app = app
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif _declared(scope) > LARGEST:
            await _discard(receive)
            await (await self.refuse(Request(scope)))(scope, receive, send)
        else:
            await self.app(scope, _limited(receive), send)


def _declared(scope: Scope) -> int:
    length = Request(scope).headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else 0


def _limited(receive: Receive) -> Receive:
    read = 0

    async def limited() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > LARGEST:
            if message.get("more_body"):
                await _discard(receive)
            raise HTTPException(413)
        return message

    return limited


async def _discard(receive: Receive) -> None:
    read = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while read <= DISCARDED:
                message = await receive()
                read += len(message.get("body", b""))
                if not message.get("more_body"):
                    return
