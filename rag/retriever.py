"""From a question to ranked passages: the dense and the lexical search of one generation, fused.

Knows the order: embed, search, fuse, judge relevance. Knows no engine; the fitted weights are in the generation.
"""

from asyncio import get_running_loop
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from rag.embedders.base import Embedder, Vectors
from rag.embedders.batching import Batching
from rag.errors import GroundwireError
from rag.fusion import Fused
from rag.relevance import evidence
from rag.stores.base import Index
from rag.types import Chunk, Filter, Passage
from rag.variant import Mode, Retrieval

SEARCHES = 16
"""Searches at the same time, in threads of their own, so that a store that does not answer delays only its own searches."""


class Found(NamedTuple):
    """The best passages, best first, and whether any of them is relevant to the question."""

    passages: tuple[Passage, ...]
    relevance: float
    relevant: bool


class Retriever:
    """Searches one generation of a collection. Safe to call from several threads."""

    def __init__(self, embedder: Embedder, index: Index) -> None:
        if embedder.identity != index.generation.embedder:
            raise GroundwireError(
                f"collection {index.generation.collection} was embedded by {index.generation.embedder}, not {embedder.identity}",
                "ingest its documents again, which embeds them anew",
            )
        self.embedder = embedder
        self.index = index
        self._batching = Batching(embedder)
        self._threads = ThreadPoolExecutor(SEARCHES, "search")

    def embed(self, question: str) -> Vectors:
        """The question's vector, shape (dimensions,)."""
        vector: Vectors = self.embedder.embed([question])[0]
        return vector

    async def aembed(self, question: str) -> Vectors:
        """Like `embed`, but asynchronous: questions that come at the same time are embedded in one batch."""
        return await self._batching.embed(question)

    async def asearch(self, question: str, vector: Vectors, how: Retrieval, where: Filter) -> Found:
        """Like `search`, but asynchronous, with the settings of a variant."""
        search = partial(self.search, mode=how.mode, top_k=how.top_k, candidates=how.candidates, where=where)
        return await get_running_loop().run_in_executor(self._threads, search, question, vector)

    async def require_index(self) -> None:
        """Raise `StorageError` if the index cannot be read at present."""
        await get_running_loop().run_in_executor(self._threads, self.index.chunks, range(min(1, self.index.generation.chunks)))

    def search(self, question: str, vector: Vectors, *, mode: Mode, top_k: int, candidates: int, where: Filter) -> Found:
        """At most `top_k` passages that match the filter, fused from the best `candidates` of each search.

        The dense search runs in every mode, because relevance is judged by it.
        """
        generation = self.index.generation
        dense = self.index.dense(vector, candidates, where)
        lexical = self.index.lexical(question, candidates, where) if mode != "dense" else []
        fused = generation.fusion.fuse(dense if mode != "lexical" else [], lexical)[:top_k]
        chunks = self.index.chunks([hit.position for hit in fused])
        cosine = dense[0].score if dense else 0.0
        relevance = evidence(question, generation.languages, cosine, chunks)
        passages = tuple(_passage(number, hit, chunk) for number, (hit, chunk) in enumerate(zip(fused, chunks, strict=True), 1))
        return Found(passages, relevance, bool(passages) and generation.relevance.relevant(relevance))


def _passage(number: int, hit: Fused, chunk: Chunk) -> Passage:
    kept = chunk.model_dump(exclude={"id", "tokens", "language"})
    return Passage(number=number, chunk_id=chunk.id, score=hit.score, dense=hit.dense, lexical=hit.lexical, **kept)
