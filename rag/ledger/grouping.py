"""Work that is done in groups: what comes while one is at work goes together into the next.

Knows order, and a thread. Knows nothing of what is done.
"""

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

GROUP = 256
"""Most entries of one group."""

E = TypeVar("E")


class Grouping(Generic[E]):
    """Hands entries to `work`, in the order they come, from a thread of its own; `work` raises nothing.

    Where none comes for `idle_seconds`, `work` is handed an empty group.
    """

    def __init__(self, work: Callable[[list[E]], None], name: str, idle_seconds: float | None = None) -> None:
        self._work = work
        self._name = name
        self._idle_seconds = idle_seconds
        self._entries: queue.SimpleQueue[E | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._ending = threading.Lock()

    def put(self, entry: E) -> None:
        """Have an entry worked on."""
        with self._ending:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work_through, name=self._name, daemon=True)
                self._thread.start()
            self._entries.put(entry)

    def close(self) -> None:
        """Work through what is waiting and end the thread; what comes later begins another."""
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
