"""Graceful shutdown: a server reports that it is not ready, then accepts no new connections, then stops. No request is lost.

Knows SIGTERM and the listening socket. Knows nothing of what is served, or how requests in flight are finished.
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

LAST_CONNECTIONS_SECONDS = 0.5
"""Several network round trips: enough for handshakes in progress to complete, and for their requests to arrive."""

SO_ATTACH_FILTER = 26
"""A Linux socket option for which Python has no name."""

DROP_SYN = (
    (0x30, 0, 0, 13),  # load the flags byte of the TCP segment
    (0x54, 0, 0, 0x12),  # mask SYN and ACK
    (0x15, 0, 1, 0x02),  # if only SYN is set,
    (0x06, 0, 0, 0),  # drop the segment;
    (0x06, 0, 0, 0xFFFFFFFF),  # otherwise accept all of it
)
"""A classic BPF program that drops the segments which open a connection."""


class Draining:
    """After SIGTERM a server is not ready, but answers for another `seconds`. Then it stops accepting connections, and ends.

    Belongs to the event loop of the main thread. Without a `listener` it does nothing.
    """

    def __init__(self, listener: socket.socket | None = None, seconds: float = 0.0) -> None:
        self._listener = listener
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    @property
    def begun(self) -> bool:
        """Whether SIGTERM has arrived."""
        return self._task is not None

    @contextmanager
    def on_sigterm(self) -> Iterator[None]:
        """Handle SIGTERM instead of the server, which gets it after draining. A second SIGTERM reaches the server at once."""
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
            stop_accepting(listener)
        await asyncio.sleep(LAST_CONNECTIONS_SECONDS)
        server(signal.SIGTERM, None)


class CloseConnections:
    """ASGI middleware: while draining, answer with `Connection: close`, so that clients reconnect to another replica."""

    def __init__(self, app: ASGIApp, draining: Draining) -> None:
        self.app = app
        self.draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_closing(message: Message) -> None:
            if message["type"] == "http.response.start" and self.draining.begun:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self.app(scope, receive, send_closing)


def stop_accepting(listener: socket.socket) -> None:
    """Drop incoming SYNs. Clients retry after a second, by which time the socket is closed and the balancer picks another replica.

    Closing a socket resets the connections that it has not accepted yet, and loses their requests: by then there are none.
    Only Linux can do this. Elsewhere, or if the kernel refuses (`OSError`), requests of a few microseconds are lost.
    """
    if sys.platform == "linux":
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in DROP_SYN))
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(DROP_SYN), ctypes.addressof(program)))
