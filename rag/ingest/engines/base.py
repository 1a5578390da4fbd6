"""What every engine can do. Knows no document and no scheduler."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol, TypeVar

from rag.embedders.base import Embedder
from rag.ingest.sandbox import Sandbox

Item = TypeVar("Item")
Result = TypeVar("Result")


class Worker(NamedTuple):
    """What a task is given to work with, opened once per process."""

    embedder: Embedder
    sandbox: Sandbox


Task = Callable[[Worker, Item], Iterator[Result]]
"""A function at module level, which other processes import by name. It must yield the same results if it is called
again, as it is after its process has died."""


def batched(stream: Iterable[Item], size: int = 16) -> Iterator[list[Item]]:
    """The items in lists of `size`, the last one shorter: sent to a worker together, their transport costs little
    beside the work.
    """
    rest = iter(stream)
    while batch := list(itertools.islice(rest, size)):
        yield batch


class Engine(Protocol):
    """Runs tasks, in this process or in others."""

    def map(self, task: Task[Item, Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results of every item, in the order of items. Lazy: items are taken as results are, so that only a few
        are under way.

        Raises what a task raises.
        """
        ...
