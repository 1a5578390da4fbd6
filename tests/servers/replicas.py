"""Several of our own servers on one ledger and one index, each on a host of its own as far as it knows."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from rag.settings import Settings

STARTED_SECONDS = 240.0
"""By when a replica is ready, on a machine that has other things to do."""
ENDED_SECONDS = 180.0
"""By when it has ended."""
PORTS = range(10_000, 20_000)
"""Beneath those that connections are given: nobody takes the port of a replica that is down for a while."""
ELSEWHERE = "import socket; socket.gethostname = lambda: {host!r}; from api.cli import app; app()"
"""The `api` command, on another machine."""


class Replica:
    """One server. Its port and its host stay the same from start to start."""

    def __init__(
        self, name: str, settings: Settings, options: tuple[str, ...], environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self.port = fixed_port()
        self.log = log
        self._command = [sys.executable, "-c", ELSEWHERE.format(host=name), "serve", "--port", str(self.port), *options]
        places = {f"GROUNDWIRE_{field.upper()}": str(value) for field, value in settings.model_dump(exclude_none=True).items()}
        self._environment = {**os.environ, **places, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def start(self) -> None:
        """Begin; `wait` for it."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)

    def wait(self) -> None:
        """Until it is ready."""
        assert self._process is not None
        until = time.monotonic() + STARTED_SECONDS
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.name} did not start: {self.log.read_text()}")
            time.sleep(0.1)

    def stop(self) -> int:
        """Ask it to end, and wait; its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """End it without a chance to do anything; its exit status."""
        return self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        try:
            return process.wait(ENDED_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=10).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def replicas(
    count: int, folder: Path, settings: Settings, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[list[Replica]]:
    """So many that are ready. All end well."""
    names = [f"replica-{number + 1}" for number in range(count)]
    running = [Replica(name, settings, options, environment or {}, folder / f"{name}.log") for name in names]
    try:
        for replica in running:
            replica.start()
        for replica in running:
            replica.wait()
        yield running
    finally:
        statuses = [replica.stop() for replica in running]
    assert statuses == [0] * count
    assert not any("Traceback" in replica.log.read_text() for replica in running)


def fixed_port() -> int:
    """One that is free, and stays so for who has just left it."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as trying:
            if trying.connect_ex(("127.0.0.1", port)) != 0:
                return port
