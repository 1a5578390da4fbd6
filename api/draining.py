"""The end of a server that loses no request: it says that it is not ready, then lets no connection begin, then ends.

Knows the signal and the socket that listens. Knows nothing of what is served, nor of how what is under way is finished.
"""

import asyncio
import ctypes
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DEAF_SECONDS = 0.5
"""For connections that had begun to be complete, and for their requests to arrive: several round trips of a network."""

SO_ATTACH_FILTER = 26
"""Linux's; Python has no name for it."""

BUT_SYN = (
    (0x30, 0, 0, 13),  # load the byte of the flags of a TCP segment
    (0x54, 0, 0, 0x12),  # of these SYN and ACK
    (0x15, 0, 1, 0x02),  # where it is SYN alone,
    (0x06, 0, 0, 0),  # drop it;
    (0x06, 0, 0, 0xFFFFFFFF),  # else take it whole
)
"""A classic BPF program: what opens a connection is dropped."""


class Draining:
    """From SIGTERM on, for so many `seconds`, a server is not ready and yet answers whoever asks; then its `listener` is closed.

    Belongs to the event loop of the main thread. Without a listener, nothing ever begins.
    """

    def __init__(self, listener: socket.socket | None = None, seconds: float = 0.0) -> None:
        self._listener = listener
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    @property
    def begun(self) -> bool:
        return self._task is not None

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Take SIGTERM in place of the server, which gets it once all of this is done; a second one it gets at once."""
        if self._listener is None:
            yield
            return
        loop, server = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)
        assert callable(server)
        loop.add_signal_handler(signal.SIGTERM, self._signalled, self._listener, server)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGTERM)
            signal.signal(signal.SIGTERM, server)

    def _signalled(self, listener: socket.socket, server: Callable[[int, None], Any]) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._drain(listener, server))
        else:
            server(signal.SIGTERM, None)

    async def _drain(self, listener: socket.socket, server: Callable[[int, None], Any]) -> None:
        await asyncio.sleep(self._seconds)
        with suppress(OSError):
            deafen(listener)
        await asyncio.sleep(DEAF_SECONDS)
        server(signal.SIGTERM, None)


class Parting:
    """ASGI middleware: while a server is drained, each response is the last of its connection, and the client opens the next elsewhere."""

    def __init__(self, app: ASGIApp, draining: Draining) -> None:
        self.app = app
        self.draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def parting(message: Message) -> None:
            if message["type"] == "http.response.start" and self.draining.begun:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self.app(scope, receive, parting)


def deafen(listener: socket.socket) -> None:
    """Let no connection begin any more, without a word: whoever tries asks again in a second, and is refused by then, as the socket
    is closed. A balancer takes that request to another replica, for nothing of it was sent.

    A socket that is closed resets the connections that it has not accepted, and the requests in them are lost. There are none by then.
    Only Linux can do so; elsewhere, and where the kernel refuses (`OSError`), those of a few microseconds are lost.
    """
    if sys.platform == "linux":
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in BUT_SYN))
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(BUT_SYN), ctypes.addressof(program)))
