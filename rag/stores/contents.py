"""What a generation holds: chunks paired with their vectors, counted and digested in order.

Knows what identifies contents, whichever store keeps them. Knows no engine.
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
"""A language of fewer of the chunks than this is mostly a misdetection, and no question is analysed in it."""


def paired(chunks: Iterable[Chunk], vectors: Iterable[Vectors]) -> Iterator[Block]:
    """Blocks as `vectors` has them, each row with the next chunk. Raises `ValueError` where there are more of one than of the other."""
    remaining = iter(chunks)
    for rows in vectors:
        some = list(itertools.islice(remaining, len(rows)))
        if len(some) < len(rows):
            raise ValueError("there are more vectors than chunks")
        yield Block(some, [chunk.model_dump_json() for chunk in some], np.ascontiguousarray(rows, np.float32))
    if next(remaining, None) is not None:
        raise ValueError("there are more chunks than vectors")


class Contents:
    """The account of what was written, block by block, no text kept but one document's."""

    def __init__(self) -> None:
        self.count = self.dimensions = 0
        self._documents: set[str] = set()
        self._languages: Counter[str] = Counter()
        self._document, self._texts = "", set[str]()
        self._digest = hashlib.sha256()

    def add(self, block: Block) -> None:
        """The next block."""
        self.count += len(block.chunks)
        self.dimensions = block.vectors.shape[1]
        for chunk, text, vector in zip(block.chunks, block.texts, block.vectors, strict=True):
            self._documents.add(chunk.document_id)
            if chunk.document_id != self._document:
                self._document, self._texts = chunk.document_id, set()
            # What a document repeats says no more of the collection's languages.
            self._languages[chunk.language] += chunk.text not in self._texts
            self._texts.add(chunk.text)
            self._digest.update(text.encode())
            self._digest.update(vector.tobytes())

    def generation(self, collection: str, embedder: str) -> Generation:
        """What identifies it; the rest is learnt from it."""
        created = datetime.now(UTC)
        return Generation(
            id=f"{created:%Y%m%dT%H%M%S%f}-{self._sum(collection, embedder)}",
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
        """The same, where it was made of this. Raises `StorageError` where not."""
        if self._sum(generation.collection, generation.embedder) != generation.id.rpartition("-")[2]:
            raise StorageError(
                f"generation {generation.id} of collection {generation.collection} is damaged: {self.count} of its "
                f"{generation.chunks} chunks were read, and they are not those it was made of",
                REBUILD,
            )
        return generation

    def _sum(self, collection: str, embedder: str) -> str:
        return hashlib.sha256(f"{collection}\n{embedder}\n{self._digest.hexdigest()}".encode()).hexdigest()[:12]
