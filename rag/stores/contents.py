"""The contents of a generation: chunks with their vectors, counted and digested in order.

Knows what identifies contents, whichever store holds them. Knows no engine.
"""

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import numpy as np

from rag.embedders.base import Vectors
from rag.errors import StorageError
from rag.stores.base import REBUILD, Block, Generation
from rag.types import Chunk

_LANGUAGE_SHARE = 0.02
"""A language of a smaller share of the chunks is mostly a misdetection; questions are not analysed in it."""


def blocks_of(chunks: Iterable[Chunk], vectors: Iterable[Vectors]) -> Iterator[Block]:
    """Blocks of the sizes of `vectors`, each row with the next chunk. Raises `ValueError` if their numbers differ."""
    remaining = iter(chunks)
    for rows in vectors:
        taken = list(itertools.islice(remaining, len(rows)))
        if len(taken) < len(rows):
            raise ValueError("there are more vectors than chunks")
        yield Block(taken, [chunk.model_dump_json() for chunk in taken], np.ascontiguousarray(rows, np.float32))
    if next(remaining, None) is not None:
        raise ValueError("there are more chunks than vectors")


class Contents:
    """Counts and digests blocks as they are written. Holds the texts of one document at a time."""

    def __init__(self) -> None:
        self.count = self.dimensions = 0
        self._documents: set[str] = set()
        self._languages: Counter[str] = Counter()
        self._document, self._texts = "", set[str]()
        self._digest = hashlib.sha256()

    def add(self, block: Block) -> None:
        """Count and digest the next block."""
        self.count += len(block.chunks)
        self.dimensions = block.vectors.shape[1]
        for chunk, text, vector in zip(block.chunks, block.texts, block.vectors, strict=True):
            self._documents.add(chunk.document_id)
            if chunk.document_id != self._document:
                self._document, self._texts = chunk.document_id, set()
            # A text that a document repeats counts once for the languages.
            self._languages[chunk.language] += chunk.text not in self._texts
            self._texts.add(chunk.text)
            self._digest.update(text.encode())
            self._digest.update(vector.tobytes())

    def generation(self, collection: str, embedder: str) -> Generation:
        """A new generation with these contents and the default fusion and relevance."""
        created = datetime.now(UTC)
        return Generation(
            id=f"{created:%Y%m%dT%H%M%S%f}-{self._checksum(collection, embedder)}",
            collection=collection,
            embedder=embedder,
            dimensions=self.dimensions,
            languages=tuple(
                code for code, count in self._languages.most_common() if count >= _LANGUAGE_SHARE * self._languages.total()
            ),
            chunks=self.count,
            documents=len(self._documents),
            created_at=created.isoformat(),
        )

    def require(self, generation: Generation) -> Generation:
        """Return `generation` if its id has the digest of these contents. Raises `StorageError` if not."""
        if self._checksum(generation.collection, generation.embedder) != generation.id.rpartition("-")[2]:
            raise StorageError(
                f"generation {generation.id} of collection {generation.collection} is damaged: {self.count} of its "
                f"{generation.chunks} chunks were read, and they are not those it was made of",
                REBUILD,
            )
        return generation

    def _checksum(self, collection: str, embedder: str) -> str:
        return hashlib.sha256(f"{collection}\n{embedder}\n{self._digest.hexdigest()}".encode()).hexdigest()[:12]
