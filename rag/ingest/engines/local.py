"""Runs tasks in this process, one after the other."""

from collections.abc import Iterable, Iterator

from rag.ingest.engines.base import Item, Result, Task, Worker


class LocalEngine:
    """A single worker, whose embedder has threads of its own."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def map(self, task: Task[Item, Result], items: Iterable[Item]) -> Iterator[Result]:
        for item in items:
            yield from task(self._worker, item)
