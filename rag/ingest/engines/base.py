"""What every engine can do. Knows no document and no scheduler."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol, TypeVar

from rag.embedders.base import Embedder
from rag.ingest.sandbox import Sandbox

Item = TypeVar("Item")
Result = TypeVar("Result")


class Worker(NamedTuple):
    """What one process works with, opened once for all that it does."""

    embedder: Embedder
    sandbox: Sandbox


Task = Callable[[Worker, Item], Iterator[Result]]
"""A function of a module: another process finds it by its name. Where that process dies the function is called again, and has to
give its results in the same portions."""


def portions(stream: Iterable[Item], size: int = 16) -> Iterator[list[Item]]:
    """What travels together, so that the way costs little beside the work."""
    rest = iter(stream)
    while portion := list(itertools.islice(rest, size)):
        yield portion


class Engine(Protocol):
    """Runs tasks, here or elsewhere."""

    def map(self, task: Task[Item, Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results of every item, in the order of items, which are taken as results are: only so many are under way.

        What a task raises is raised here.
        """
        ...
