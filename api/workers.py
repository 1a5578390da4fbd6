"""Several server processes behind one port: started, watched, replaced if they die, and stopped together.

Knows processes, their sockets and the folder of their shared metrics. Knows nothing of what they answer: they share state
through the ledger.
"""

import logging
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from multiprocessing import connection, parent_process
from typing import TYPE_CHECKING, Any, NamedTuple

from api import logs
from api.telemetry import SHARED

if TYPE_CHECKING:
    from fastapi import FastAPI

    from api.serving import Serving

UNRESPONSIVE_SECONDS = 30
"""A worker that does not respond for this long is replaced."""


class Address(NamedTuple):
    """Host and port to listen on. Pickled to a worker it becomes that worker's own SO_REUSEPORT socket.

    The kernel then balances connections between workers; on a shared socket, the first worker to wake would take all.
    """

    host: str
    port: int

    def __reduce__(self) -> tuple[Callable[[str, int], socket.socket], tuple[str, int]]:
        return partial(bind, reuse_port=True), (self.host, self.port)


def supervise(address: Address, workers: int, serving: "Serving") -> None:
    """Serve with `workers` processes until SIGTERM or SIGINT. SIGHUP replaces them one after the other."""
    from uvicorn import Config
    from uvicorn.supervisors import Multiprocess

    sockets: list[Any] = [address]
    config = Config(
        # The list is pickled once for both uses, so that the address becomes one socket in a worker, not two.
        partial(application, sockets, serving),
        factory=True,
        workers=workers,
        log_config=logs.configuration(access=serving.access_log),
        access_log=serving.access_log,
        timeout_graceful_shutdown=serving.grace_seconds,
        timeout_worker_healthcheck=UNRESPONSIVE_SECONDS,
    )
    # In this process alone: uvicorn tells as information that a worker died and was replaced.
    logging.getLogger("uvicorn.error").setLevel(logging.INFO)
    with tempfile.TemporaryDirectory(prefix="groundwire-metrics-") as folder:
        os.environ[SHARED] = folder
        Multiprocess(config, sockets).run()


def application(sockets: list[socket.socket], serving: "Serving") -> "FastAPI":
    """The application of one worker, which also ends when the supervisor dies."""
    # Imported late: the supervisor serves nothing.
    from api.app import create_app
    from api.draining import Draining
    from rag.runtime import Runtime
    from rag.settings import Settings

    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    return create_app(Runtime(Settings()), serving, Draining(sockets[0], serving.drain_seconds))


def bind(host: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """A bound socket that does not listen yet: until its server is ready, the kernel gives connections to other workers.

    TCP_NODELAY sends each piece of an answer at once. Without it, a piece waits for the client's acknowledgement of the
    previous one, which clients delay by 40 ms.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuse_port)
    # Accepted connections inherit it. asyncio sets it only on sockets whose protocol number is given.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
