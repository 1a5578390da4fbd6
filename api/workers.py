"""Several server processes behind one port: started, watched, replaced where they die, and ended together.

Knows processes, their sockets, and the folder in which they count together. Knows nothing of what they answer, nor how they agree: the
ledger does that.
"""

import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from multiprocessing import connection, parent_process
from typing import TYPE_CHECKING, Any, NamedTuple

from api.telemetry import SHARED

if TYPE_CHECKING:
    from fastapi import FastAPI

UNRESPONSIVE_SECONDS = 30
"""A worker that says nothing for so long is replaced."""


class Place(NamedTuple):
    """Where to listen. It arrives in a worker as a socket of that worker's own, so that the kernel deals out the connections: of a
    socket that is shared, whoever wakes first takes all that wait."""

    host: str
    port: int

    def __reduce__(self) -> tuple[Callable[[str, int], socket.socket], tuple[str, int]]:
        return partial(bound, reuse_port=True), (self.host, self.port)


def supervise(
    place: Place, workers: int, collection: str, model: str, *, slots: int, queue: int, drain_seconds: float, grace_seconds: int
) -> None:
    """Serve by so many processes until SIGTERM or SIGINT; each has `slots` and a `queue` of its own. SIGHUP replaces them in turn."""
    from uvicorn import Config
    from uvicorn.supervisors import Multiprocess

    sockets: list[Any] = [place]
    config = Config(
        # Both arrive in a worker in one message: the place is one socket there.
        partial(application, sockets, collection, model, slots=slots, queue=queue, drain_seconds=drain_seconds),
        factory=True,
        workers=workers,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=grace_seconds,
        timeout_worker_healthcheck=UNRESPONSIVE_SECONDS,
    )
    with tempfile.TemporaryDirectory(prefix="groundwire-metrics-") as folder:
        os.environ[SHARED] = folder
        Multiprocess(config, sockets).run()


def application(
    sockets: list[socket.socket], collection: str, model: str, *, slots: int, queue: int, drain_seconds: float
) -> "FastAPI":
    """What one worker serves; it ends with the process that started it, however that one ends."""
    # Not in the process that watches the workers, which serves nothing.
    from api.app import create_app
    from api.draining import Draining
    from rag.runtime import Runtime
    from rag.settings import Settings

    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    draining = Draining(sockets[0], drain_seconds)
    return create_app(Runtime(Settings()), collection, model, slots=slots, queue=queue, draining=draining)


def bound(host: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """A socket that listens only once its server is ready: until then the kernel deals its connections to other workers.

    What it accepts sends each piece of an answer at once: otherwise a piece waits for the client to have acknowledged the one before,
    which clients put off for 40 ms.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuse_port)
    # Inherited by what it accepts. asyncio would set it, were the protocol of the socket spelt out.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
