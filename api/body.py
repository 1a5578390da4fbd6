"""The limit on the size of a request's body.

Knows the declared size, and the bytes that have arrived. Knows no endpoint.
"""

from collections.abc import Awaitable, Callable

from fastapi import HTTPException, Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 2_000_000
"""The most bytes of a body."""


class BodyLimit:
    """ASGI middleware: at most `LARGEST` bytes of a body are read.

    A larger declared size is answered by `refuse`. Otherwise, reading beyond the limit raises an `HTTPException` with status 413.
    """

    def __init__(self, app: ASGIApp, refuse: Callable[[Request], Awaitable[Response]]) -> None:
        self.app = app
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif _declared(scope) > LARGEST:
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
            raise HTTPException(413)
        return message

    return limited
