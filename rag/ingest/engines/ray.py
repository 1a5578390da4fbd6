"""Runs tasks in the processes of a Ray cluster, or of a Ray that is started on this machine and ends with the ingest.

Knows Ray: its addresses, its retries and its failures. Knows no document.
"""

import functools
import os
import secrets
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any

from rag.embedders import open_embedder
from rag.errors import ConfigurationError, GroundwireError
from rag.ingest.engines.base import Item, Result, Task, Worker
from rag.ingest.sandbox import Sandbox

_ADDRESS = "RAY_ADDRESS"
_AHEAD = 2
"""Tasks submitted for each core: one runs, one waits."""
_OURS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # By default Ray retries a task that runs out of memory for ever.
    "RAY_task_oom_retries": "3",
    # If this is 0, Ray listens on loopback only.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # Anyone who reaches a port of Ray can run code as its user: the token keeps out other users. Ray reads it once a process.
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}


@contextmanager
def connected() -> Iterator[None]:
    """Join Ray at `RAY_ADDRESS`, else start one with all cores of this machine. Raises `ConfigurationError` if that fails."""
    # Ray prints to stdout about workers that died.
    with redirect_stdout(sys.stderr):
        address = os.environ.get(_ADDRESS)
        if address:
            mend = f"set {_ADDRESS} to HOST:PORT of a cluster with this Ray and Python, and RAY_AUTH_MODE=token if it wants one"
            with _joined(f"Ray at {address} cannot be used", mend, address=address):
                yield
        else:
            mend = f"set TMPDIR to a folder with room and a short path, or {_ADDRESS} to a cluster"
            with (
                _environment(_OURS),
                tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder,
                _joined("Ray cannot be started", mend, address="local", include_dashboard=False, _temp_dir=folder),
            ):
                yield


@contextmanager
def _joined(problem: str, mend: str, **options: Any) -> Iterator[None]:
    ray = _library()
    if ray.is_initialized():
        raise ConfigurationError(f"{problem}: this process has joined another one already", mend)
    try:
        try:
            ray.init(log_to_driver=False, logging_level="ERROR", **options)
        except Exception as error:
            raise ConfigurationError(f"{problem} ({error})", mend) from error
        yield
    finally:
        ray.shutdown()


class RayEngine:
    """Runs each task on one core. Ray repeats a task whose worker died, of too little memory or otherwise, up to three times."""

    def __init__(self, embedder: str, identity: str) -> None:
        self._embedder = embedder, identity
        self._cores = int(_library().cluster_resources().get("CPU", 1))
        self._run = _library().remote(num_cpus=1, num_returns="streaming")(_run)

    def map(self, task: Task[Item, Result], items: Iterable[Item]) -> Iterator[Result]:
        under_way: deque[Any] = deque()
        for item in items:
            under_way.append(self._run.remote(task, item, *self._embedder))
            if len(under_way) == _AHEAD * self._cores:
                yield from map(_result, under_way.popleft())
        while under_way:
            yield from map(_result, under_way.popleft())


def _run(task: Task[Item, Result], item: Item, embedder: str, identity: str) -> Iterator[Result]:
    yield from task(_worker(embedder, identity), item)


@functools.cache
def _worker(embedder: str, identity: str) -> Worker:
    """The worker of this process. Its sandbox ends with the process."""
    opened = open_embedder(embedder)
    if opened.identity != identity:
        raise ConfigurationError(
            f"a worker of Ray has the embedder {opened.identity}, where the ingest was started it is {identity}",
            "install the same weights on every machine of the cluster",
        )
    return Worker(opened, Sandbox())


def _result(reference: Any) -> Any:
    """The result of a task. Raises what it raised."""
    ray = _library()
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except ray.exceptions.RayError as error:
        raise GroundwireError(
            f"a worker of Ray ended again and again ({type(error).__name__})",
            "give the machine more memory or Ray fewer cores, and run the command again: what was embedded is kept",
        ) from error


def _library() -> Any:
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ConfigurationError("engine ray needs Ray", "pip install 'groundwire[ray]'") from error
    return ray


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, and restore them afterwards."""
    before = {name: os.environ.pop(name, None) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
