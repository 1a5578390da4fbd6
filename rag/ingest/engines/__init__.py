"""The engines that an ingest runs on: one module each, opened by name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from rag.embedders.base import Embedder
from rag.ingest.engines.base import Engine, Worker
from rag.ingest.sandbox import Sandbox

EngineName = Literal["local", "ray"]


@contextmanager
def open_engine(name: EngineName, embedder_name: str, embedder: Embedder) -> Iterator[Engine]:
    """An engine as a context manager. Raises `ConfigurationError` if it is not installed or cannot be reached.

    `embedder` is what `embedder_name` opens on this machine; workers on others have to open the same.
    """
    if name == "local":
        from rag.ingest.engines.local import LocalEngine

        with Sandbox() as sandbox:
            yield LocalEngine(Worker(embedder, sandbox))
    else:
        from rag.ingest.engines.ray import RayEngine, connected

        with connected():
            yield RayEngine(embedder_name, embedder.identity)
