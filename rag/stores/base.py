"""What every store can do. Knows no engine.

A generation is one immutable index build over the chunks of a collection. A store builds it, verifies it and searches it; which
generation of a collection is current is the ledger's to say, so that documents and index change in one transaction.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from rag.embedders.base import Vectors
from rag.errors import GroundwireError
from rag.fusion import Fusion
from rag.relevance import Relevance
from rag.types import Chunk, Filter, Hit, Value

REBUILD = "`rag index rebuild --collection NAME` makes the index anew from the ledger, without embedding"
"""What mends an index that is damaged or missing."""
_COLLECTION = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def collection_name(name: str) -> str:
    """The name, which no store can take for a path or a query. Raises `GroundwireError` where it is not allowed."""
    if not _COLLECTION.fullmatch(name):
        raise GroundwireError(
            f"collection name {name!r} is not allowed", "use 1 to 64 of a-z, 0-9, _ and -, beginning with a letter or a digit"
        )
    return name


def best_first(hit: Hit) -> tuple[float, int]:
    """The order of results: by score, ties by position."""
    return -hit.score, hit.position


class Learnt(Value):
    """What an index taught about its collection before it was sealed."""

    fusion: Fusion = Fusion()
    relevance: Relevance = Relevance()


class Generation(Learnt):
    """What identifies one index build, and what was learnt when it was built."""

    id: str
    """Sortable by time of creation, and ending in the digest of its contents."""
    collection: str
    embedder: str
    """The embedder's identity: a question must be embedded by the same one."""
    dimensions: int
    languages: tuple[str, ...]
    """Languages of its chunks but the odd ones, most frequent first: the lexical leg analyses a question in them."""
    chunks: int
    documents: int
    created_at: str
    """ISO 8601, UTC."""


class Block(NamedTuple):
    """Chunks that follow one another, with their vectors."""

    chunks: Sequence[Chunk]
    texts: Sequence[str]
    """The chunks as JSON: what a store keeps, and gives back to the byte."""
    vectors: Vectors
    """Shape (chunks, dimensions), float32."""


class Source(Protocol):
    """What a generation can be copied from."""

    @property
    def generation(self) -> Generation: ...

    def blocks(self) -> Iterator[Block]:
        """All of it, in the order of positions."""
        ...


class Index(Source, Protocol):
    """One generation, opened for search. Safe to call from several threads; results are best first, ties by position."""

    def dense(self, vector: Vectors, k: int, where: Filter) -> list[Hit]:
        """The k chunks of highest cosine with `vector`, shape (dimensions,), among those that match."""
        ...

    def lexical(self, question: str, k: int, where: Filter) -> list[Hit]:
        """The at most k chunks of highest BM25 that share a term with the question, among those that match."""
        ...

    def chunks(self, positions: Sequence[int]) -> list[Chunk]:
        """The chunks at these positions, in the order asked for."""
        ...

    def close(self) -> None: ...


class Store(Protocol):
    """Keeps generations, by collection."""

    def build(
        self,
        collection: str,
        embedder: str,
        chunks: Iterable[Chunk],
        vectors: Iterable[Vectors],
        learn: Callable[[Index], Learnt],
    ) -> Generation:
        """Write and seal a generation; `vectors` yields blocks whose rows follow the chunks in order.

        `learn` is given the index before it is sealed, with the default fusion and relevance; what it returns is sealed with it.
        Nothing refers to it until the caller makes it current; what a killed build leaves behind is never opened.
        """
        ...

    def copy(self, source: Source) -> Generation:
        """Write and seal a generation of another store, under its id. Raises `StorageError`, and leaves nothing, where what arrived is
        not what that id was given to.
        """
        ...

    def open(self, collection: str, generation_id: str) -> Index:
        """Open it for search, once it is seen to be whole. Raises `StorageError` naming what is damaged or missing."""
        ...

    def verify(self, collection: str, generation_id: str) -> None:
        """Read every byte and compare. Raises as `open`."""
        ...

    def publish(self, collection: str, generation_id: str | None) -> None:
        """Show people who look into the store, not into the ledger, which generation is current, or that none is."""
        ...

    def generations(self, collection: str) -> Iterator[Generation]:
        """Sealed generations, oldest first."""
        ...

    def drop(self, collection: str, generation_id: str) -> None: ...

    def close(self) -> None:
        """Let go of connections; indexes that are open are of no use afterwards."""
        ...
