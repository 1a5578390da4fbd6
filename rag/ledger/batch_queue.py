"""A queue whose entries are worked on in batches: what arrives during one batch forms the next.

Knows order, and a thread. Knows nothing of the work.
"""

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

GROUP = 256
"""The largest number of entries in one batch."""

E = TypeVar("E")


class BatchQueue(Generic[E]):
    """Calls `work` with batches of entries in arrival order, from a thread of its own; `work` must not raise.

    After `idle_seconds` without an entry, `work` is called with an empty batch.
    """

    def __init__(self, work: Callable[[list[E]], None], name: str, idle_seconds: float | None = None) -> None:
        self._work = work
        self._name = name
        self._idle_seconds = idle_seconds
        self._entries: queue.SimpleQueue[E | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._ending = threading.Lock()

    def put(self, entry: E) -> None:
        """Add an entry, starting the thread if need be."""
        with self._ending:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work_through, name=self._name, daemon=True)
                self._thread.start()
            self._entries.put(entry)

    def close(self) -> None:
        """Work through the entries that wait and end the thread; a later entry starts another."""
        with self._ending:
            if self._thread:
                self._entries.put(None)
                self._thread.join()
                self._thread = None

    def _work_through(self) -> None:
        ended = False
        while not ended:
            group = self._next()
            ended = None in group
            entries = [entry for entry in group if entry is not None]
            if entries or not ended:
                self._work(entries)

    def _next(self) -> list[E | None]:
        try:
            group = [self._entries.get(timeout=self._idle_seconds)]
        except queue.Empty:
            return []
        while len(group) < GROUP and not self._entries.empty():
            group.append(self._entries.get())
        return group
