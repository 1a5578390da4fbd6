"""A collection of which every chunk can be asked for, and what it is to have lost none: shared by the tests of a store's faults."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

from rag.ingest.ingest import ingest
from rag.retriever import Retriever
from rag.runtime import Runtime
from rag.settings import Settings

SEARCHERS = 4
PAUSE = 0.05
"""Seconds between two searches of one thread: servers and tests share a machine."""


def text(number: int) -> str:
    return f"Row number{number} tells of subject{number % 97} and of part{number % 13}."


def rows(folder: Path, count: int) -> str:
    """The path of a file with so many documents of one chunk each."""
    path = folder / f"rows{count}.jsonl"
    path.write_text("".join(json.dumps({"id": f"row{number}", "text": text(number)}) + "\n" for number in range(count)))
    return str(path)


def settings(folder: Path, place: str | None) -> Settings:
    """A home whose index is at that place, or in it, embedded without a model."""
    return Settings(home=folder / "home", index=place, embedder="hash")


def filled(folder: Path, place: str, collection: str = "rows", count: int = 60) -> Settings:
    """A home with a collection of so many rows."""
    made = settings(folder, place)
    with Runtime(made) as runtime:
        ingest([rows(folder, count)], collection, runtime)
    return made


def finds(retriever: Retriever, number: int) -> None:
    """Both legs find the row before all others."""
    found = retriever.search(text(number), retriever.embed(text(number)), mode="hybrid", top_k=3, candidates=10, where={})
    assert found.passages, f"nothing was found for row {number}"
    assert found.passages[0].text == text(number)
    assert None not in (found.passages[0].dense, found.passages[0].lexical)


def whole(runtime: Runtime, count: int, collection: str = "rows") -> None:
    """The collection's generation is to the byte what was built, and each of so many rows is found in it."""
    retriever = runtime.retriever(collection)
    assert retriever.index.generation.chunks == count
    runtime.store.verify(collection, retriever.index.generation.id)
    with ThreadPoolExecutor(SEARCHERS) as pool:
        for _ in pool.map(lambda number: finds(retriever, number), range(count)):
            pass


@dataclass
class Searches:
    """What became of a stream of searches."""

    answered: int = 0
    slowest: float = 0.0
    """Seconds."""
    errors: list[Exception] = field(default_factory=list)


@contextmanager
def searching(runtime: Runtime, count: int, collection: str = "rows") -> Iterator[Searches]:
    """Threads that search all the while for each of so many rows."""
    told, over = Searches(), Event()

    def search(first: int) -> None:
        number = first
        while not over.is_set():
            began = time.monotonic()
            try:
                finds(runtime.retriever(collection), number)
            except Exception as error:  # noqa: BLE001
                told.errors.append(error)
            told.answered += 1
            told.slowest = max(told.slowest, time.monotonic() - began)
            number = (number + SEARCHERS) % count
            over.wait(PAUSE)

    threads = [Thread(target=search, args=(first,)) for first in range(SEARCHERS)]
    for thread in threads:
        thread.start()
    try:
        yield told
    finally:
        over.set()
        for thread in threads:
            thread.join()
