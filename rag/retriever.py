"""From a question to ranked passages: both legs of one generation, fused.

Knows the order: embed, search, fuse, judge relevance. Knows no engine and learns nothing: what was learnt is in the generation.
"""

from typing import NamedTuple

from rag.embedders.base import Embedder, Vectors
from rag.errors import GroundwireError
from rag.stores.base import Index
from rag.types import Passage


class Found(NamedTuple):
    """The best passages, best first, and whether any is relevant to the question at all."""

    passages: tuple[Passage, ...]
    relevance: float
    relevant: bool


class Retriever:
    """Over one generation of a collection. Safe to call from several threads."""

    def __init__(self, embedder: Embedder, index: Index) -> None:
        if embedder.identity != index.generation.embedder:
            raise GroundwireError(
                f"collection {index.generation.collection} was embedded by {index.generation.embedder}, not {embedder.identity}",
                "ingest its documents again, which embeds them anew",
            )
        self.embedder = embedder
        self.index = index

    def embed(self, question: str) -> Vectors:
        """The question's vector, shape (dimensions,)."""
        return self.embedder.embed([question])[0]
