"""Our own server, as people start it: `api serve` in a process of its own, on loopback."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from rag.settings import Settings


class Server(NamedTuple):
    """One that is ready, and its process."""

    url: str
    process: "subprocess.Popen[str]"


@contextmanager
def served(settings: Settings, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """The URL of a server that is ready; it is asked to end afterwards, and has to end well."""
    with running(settings, *options, environment=environment) as server:
        yield server.url


@contextmanager
def running(settings: Settings, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """As `served`, for who watches the process or ends it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [str(Path(sys.executable).parent / "api"), "serve", "--port", str(port), *options]
    places = {"GROUNDWIRE_HOME": str(settings.home), "GROUNDWIRE_VARIANTS": str(settings.variants)}
    if settings.ledger:
        places["GROUNDWIRE_LEDGER"] = settings.ledger
    process = subprocess.Popen(command, env={**os.environ, **places, **(environment or {})}, stderr=subprocess.PIPE, text=True)
    try:
        while not _ready(url):
            if process.poll() is not None:
                raise RuntimeError(f"the server did not start: {process.communicate()[1]}")
            time.sleep(0.05)
        yield Server(url, process)
    finally:
        process.terminate()
        _, told = process.communicate(timeout=30)
    assert "Traceback" not in told, told


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False
