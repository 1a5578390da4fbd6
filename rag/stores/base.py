"""What every store can do: the protocols `Store` and `Index`. Knows no engine.

A generation is one immutable index build over the chunks of a collection. A store builds, verifies and searches it.
Which generation of a collection is current is recorded in the ledger, so that documents and index change in one
transaction.
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
"""How to mend an index that is damaged or missing."""
_COLLECTION = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def collection_name(name: str) -> str:
    """The name, checked so that no store can take it for a path or a query. Raises `GroundwireError` for any other."""
    if not _COLLECTION.fullmatch(name):
        raise GroundwireError(
            f"collection name {name!r} is not allowed", "use 1 to 64 of a-z, 0-9, _ and -, beginning with a letter or a digit"
        )
    return name


def best_first(hit: Hit) -> tuple[float, int]:
    """The sort key of results: highest score first, ties by position."""
    return -hit.score, hit.position


class Tuning(Value):
    """What was learnt about a collection from its index, before it was sealed."""

    fusion: Fusion = Fusion()
    relevance: Relevance = Relevance()


class Generation(Tuning):
    """The metadata of one index build."""

    id: str
    """Sorts by time of creation; ends in the digest of its contents."""
    collection: str
    embedder: str
    """The embedder's identity: a question must be embedded by the same one."""
    dimensions: int
    languages: tuple[str, ...]
    """The languages of its chunks, most frequent first, rare ones left out: the lexical leg analyses a question in them."""
    chunks: int
    documents: int
    created_at: str
    """ISO 8601, UTC."""


class Block(NamedTuple):
    """Consecutive chunks with their vectors."""

    chunks: Sequence[Chunk]
    texts: Sequence[str]
    """Each chunk as JSON, which a store returns byte for byte."""
    vectors: Vectors
    """Shape (chunks, dimensions), float32."""


class Source(Protocol):
    """A generation that can be read whole, and so copied."""

    @property
    def generation(self) -> Generation: ...

    def blocks(self) -> Iterator[Block]:
        """All chunks, in the order of their positions."""
        ...


class Index(Source, Protocol):
    """One generation, opened for search. Thread-safe. Results are best first, ties by position."""

    def dense(self, vector: Vectors, k: int, where: Filter) -> list[Hit]:
        """The k chunks of highest cosine with `vector`, shape (dimensions,), among those that match `where`."""
        ...

    def lexical(self, question: str, k: int, where: Filter) -> list[Hit]:
        """At most k chunks of highest BM25 that share a term with the question, among those that match `where`."""
        ...

    def chunks(self, positions: Sequence[int]) -> list[Chunk]:
        """The chunks at these positions, in the same order."""
        ...

    def close(self) -> None: ...


class Store(Protocol):
    """Builds, opens and deletes the generations of collections."""

    def build(
        self,
        collection: str,
        embedder: str,
        chunks: Iterable[Chunk],
        vectors: Iterable[Vectors],
        tune: Callable[[Index], Tuning],
    ) -> Generation:
        """Write and seal a generation. `vectors` yields arrays of shape (rows, dimensions), whose rows follow the
        chunks in order.

        `tune` is called with the finished index, which has the default fusion and relevance; what it returns is
        sealed with it. Nothing refers to the generation until the caller makes it current. What a killed build leaves
        behind is never opened.
        """
        ...

    def copy(self, source: Source) -> Generation:
        """Write and seal a generation of another store under the same id; one that is here already is verified instead.

        Raises `StorageError`, and leaves nothing behind, if what arrived does not have the digest in the id.
        """
        ...

    def open(self, collection: str, generation_id: str) -> Index:
        """Check that a generation is whole, and open it for search.

        Raises `StorageError`, which names what is damaged or missing.
        """
        ...

    def verify(self, collection: str, generation_id: str) -> None:
        """Read every byte and compare it with what was sealed. Raises as `open`."""
        ...

    def publish(self, collection: str, generation_id: str | None) -> None:
        """Mark the current generation, null for none, for people who look into the store itself; searches go by the ledger."""
        ...

    def generations(self, collection: str) -> Iterator[Generation]:
        """Sealed generations, oldest first."""
        ...

    def drop(self, collection: str, generation_id: str) -> None: ...

    def close(self) -> None:
        """Close connections; open indexes cannot be used afterwards."""
        ...
