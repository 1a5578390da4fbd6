"""FAISS and Weaviate beside each other: building, copying, searching, memory and disk, over chunks that are made up.

`python -m tests.bench.stores` starts the server of WEAVIATE_BIN; with `--sets DIR` it also compares what both find over retrieval sets,
which it embeds into `--home DIR` where they are not there yet. Knows stores and clocks; two cores are shared by server and clients.
"""

import argparse
import asyncio
import itertools
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
from rich.console import Console
from rich.table import Table

from rag.embedders.base import Vectors
from rag.retriever import Retriever
from rag.stores import open_store
from rag.stores.base import Generation, Index, Store, Tuning
from rag.stores.copying import copy
from rag.types import Chunk, Filter
from rag.variant import Retrieval
from tests.bench.clock import Load, loaded
from tests.bench.hybrids import hybrids
from tests.bench.overload import resident_mb
from tests.servers.weaviate import Cluster, Node, running

COLLECTION = "made"
SIZES = (10_000, 100_000)
DIMENSIONS = 384
FREEDOM = 32
"""Directions that vectors really differ in. Those of texts fill little of their space, too; in all of it, no graph finds its way."""
FEWEST, WORDS, VOCABULARY, ZIPF = 60, 100, 50_000, 1.1
"""Of a chunk, at least and at most; of all; and the exponent by which its rank makes a word rare."""
BLOCK = 1_000
QUESTIONS, QUESTION_WORDS = 200, 8
LOADS = {1: 200, 16: 400}
"""Requests, by the number of clients."""
FILTERS: dict[str, Filter] = {"": {}, ", 1 chunk in 10": {"shelf": 3}, ", 1,000 chunks": {"thousand": 3}}
HOW = Retrieval()
PROCESSORS = ("processor ms each, here", "and in Weaviate")
"""What else the machine does changes them far less than the time of the clock."""

Asked = tuple[str, Vectors]


class Made(NamedTuple):
    """Chunks without meaning, the same in every run, and what is asked of them."""

    chunks: list[Chunk]
    vectors: Vectors
    """Shape (chunks, DIMENSIONS), rows of length 1."""
    asked: list[Asked]


class Nothing:
    """An embedder that is never asked."""

    identity, dimensions, max_tokens = "none", DIMENSIONS, 256

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        raise NotImplementedError

    def embed(self, texts: Sequence[str]) -> Vectors:
        raise NotImplementedError


class Spent:
    """What a block of code takes: seconds of the clock, and of processors, here and in a server."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._began = self._ended = self._now()

    def __enter__(self) -> Self:
        self._began = self._now()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended = self._now()

    def cells(self, count: int) -> list[str]:
        """How many a second of so many, and milliseconds for each; as in `PROCESSORS`."""
        wall, here, there = (ended - began for ended, began in zip(self._ended, self._began, strict=True))
        return [f"{count / wall:.0f}", f"{1000 * here / count:.2f}", f"{1000 * there / count:.2f}"]

    def _now(self) -> tuple[float, float, float]:
        assert self._node.process
        fields = Path(f"/proc/{self._node.process.pid}/stat").read_text().rpartition(")")[2].split()
        return time.perf_counter(), time.process_time(), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stores(console: Console) -> None:
    """All but retrieval sets."""
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder, running() as server:
            compared(made(size), Path(folder), server, console)


def compared(what: Made, folder: Path, server: Cluster, console: Console) -> None:
    """One size, both stores empty at first; what FAISS builds is copied to Weaviate, and back."""
    size = len(what.chunks)
    (node,) = server.nodes
    writes = Table("", "a second", *PROCESSORS, title=f"{size:,} chunks, written")
    searches = Table("", "1 client: p50 ms", "p95 ms", "16 clients: p50 ms", "p95 ms", "a second", *PROCESSORS)
    searches.title = f"Searches over {size:,} chunks"
    with closing(open_store(folder / "here")) as faiss, closing(open_store(server.place)) as weaviate:
        empty = _resident_mb(node)
        with Spent(node) as cost:
            generation = built(faiss, what)
        writes.add_row("FAISS, built", *cost.cells(size))
        with closing(faiss.open(COLLECTION, generation.id)) as here:
            with Spent(node) as cost:
                agreement = copy(here, weaviate, lambda done, total: None)
            writes.add_row("FAISS to Weaviate", *cost.cells(size))
            there = weaviate.open(COLLECTION, generation.id)
            with closing(open_store(folder / "back")) as back, Spent(node) as cost:
                copy(there, back, lambda done, total: None)
            writes.add_row("Weaviate to FAISS", *cost.cells(size))
            console.print(writes)
            console.print(f"of FAISS's 10 best, Weaviate finds {agreement.dense:.1%} by vector, {agreement.lexical:.1%} by words")
            kept, filled = _megabytes(node.data), _resident_mb(node)
            server.kill()
            server.start()
            for name, index in {"FAISS": here, "Weaviate": there}.items():
                for row in searched(name, index, what.asked, node):
                    searches.add_row(*row)
        console.print(searches)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as child:
        alone = child.submit(faiss_resident_mb, folder / "here", generation.id, what.asked).result()
    console.print(
        f"resident: FAISS {alone:.0f} MB more in each process; Weaviate {empty:.0f} MB empty, {filled:.0f} MB filled, "
        f"{_resident_mb(node):.0f} MB started anew and searched"
    )
    console.print(f"on disk: FAISS {_megabytes(folder / 'here'):.0f} MB, Weaviate {kept:.0f} MB")


def made(count: int) -> Made:
    """Vectors at random, words by Zipf's law."""
    chance = np.random.default_rng(0)
    share = np.arange(1, VOCABULARY + 1) ** -ZIPF
    space = chance.normal(size=(FREEDOM, DIMENSIONS))
    rows = chance.normal(size=(count + QUESTIONS, FREEDOM)) @ space
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    drawn = chance.choice(VOCABULARY, (count + QUESTIONS, WORDS), p=share / share.sum())
    lengths = chance.integers(FEWEST, WORDS + 1, count).tolist()
    texts = (" ".join(map(_word, words[:length])) for words, length in zip(drawn.tolist(), lengths, strict=False))
    chunks = list(itertools.starmap(_chunk, enumerate(texts)))
    questions = [" ".join(map(_word, words[:QUESTION_WORDS])) for words in drawn[count:].tolist()]
    return Made(chunks, vectors[:count], list(zip(questions, vectors[count:], strict=True)))


def built(store: Store, what: Made) -> Generation:
    blocks = (what.vectors[start : start + BLOCK] for start in range(0, len(what.vectors), BLOCK))
    return store.build(COLLECTION, Nothing.identity, what.chunks, blocks, lambda index: Tuning())


def searched(store: str, index: Index, asked: Sequence[Asked], node: Node) -> Iterator[list[str]]:
    """Each leg alone, then both with their chunks as for an answer, filtered too; a row each."""
    retriever = Retriever(Nothing(), index)

    def hybrid(where: Filter) -> Callable[[Asked], object]:
        return lambda one: retriever.search(*one, mode=HOW.mode, top_k=HOW.top_k, candidates=HOW.candidates, where=where)

    calls: dict[str, Callable[[Asked], object]] = {
        "dense": lambda one: index.dense(one[1], HOW.candidates, {}),
        "lexical": lambda one: index.lexical(one[0], HOW.candidates, {}),
    }
    calls |= {f"hybrid{name}": hybrid(where) for name, where in FILTERS.items()}
    for name, call in calls.items():
        asyncio.run(_loaded(call, asked, {4: len(asked)}))
        with Spent(node) as cost:
            alone, many = asyncio.run(_loaded(call, asked, LOADS))
        figures = alone.p50_ms, alone.p95_ms, many.p50_ms, many.p95_ms, many.a_second
        yield [f"{store}, {name}", *(f"{figure:.1f}" for figure in figures), *cost.cells(sum(LOADS.values()))[1:]]


def faiss_resident_mb(folder: Path, generation_id: str, asked: Sequence[Asked]) -> float:
    """What a process needs more for an index that was opened and searched."""
    store = open_store(folder)
    import faiss  # noqa: F401 - what it needs itself is not counted
    import tantivy  # noqa: F401

    before = resident_mb(os.getpid())
    index = store.open(COLLECTION, generation_id)
    for question, vector in asked:
        index.dense(vector, HOW.candidates, {})
        index.lexical(question, HOW.candidates, {})
    return resident_mb(os.getpid()) - before


async def _loaded(call: Callable[[Asked], object], asked: Sequence[Asked], loads: Mapping[int, int]) -> list[Load]:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(max(LOADS)) as threads:

        async def ask(one: Asked) -> None:
            await loop.run_in_executor(threads, call, one)

        return [await loaded(ask, asked, clients, total) for clients, total in loads.items()]


def _chunk(number: int, text: str) -> Chunk:
    return Chunk(
        id=f"{number:032x}",
        document_id=f"note {number}",
        source="notes.jsonl",
        title="",
        text=text,
        start=0,
        end=len(text),
        tokens=WORDS,
        language="en",
        metadata={"shelf": number % 10, "thousand": number // 1_000},
    )


def _word(number: int) -> str:
    """Four letters, so that nothing takes it for a number."""
    return "".join(chr(ord("a") + number // 26**place % 26) for place in range(4))


def _resident_mb(node: Node) -> float:
    assert node.process
    return resident_mb(node.process.pid)


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=Path, help="a folder of retrieval sets")
    parser.add_argument("--home", type=Path, help="where their vectors stay for the next time")
    given = parser.parse_args()
    console = Console()
    if given.sets:
        with tempfile.TemporaryDirectory() as scratch, running() as server:
            hybrids(given.sets, given.home or Path(scratch), server.place, console)
    stores(console)


if __name__ == "__main__":
    main()
