"""The chunks of a generation on their way into a folder, a block at a time.

Knows how the three engines are written. Knows nothing of seals or of searches.
"""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np

from rag.stores.base import Block
from rag.stores.contents import Contents
from rag.stores.facets import facets
from rag.stores.faiss import sealed
from rag.stores.faiss.schema import PASSAGES, TABLES, TERMS, VECTORS
from rag.text import analyzer

_WRITER_BYTES = 64_000_000
"""Memory of tantivy's writer."""


class Writer:
    """Writes the files of one generation."""

    def __init__(self, folder: Path) -> None:
        import tantivy

        self.contents = Contents()
        self._folder = folder
        self._home = folder.parent
        self._vectors: Any = None
        self._tantivy = tantivy
        with sealed.writing(self._home):
            self._passages = sqlite3.connect(folder / PASSAGES)
            self._passages.executescript(TABLES)
            (folder / TERMS).mkdir()
            schema = tantivy.SchemaBuilder()
            schema.add_text_field("terms", tokenizer_name="whitespace", index_option="freq")
            schema.add_text_field("facets", tokenizer_name="raw", index_option="basic")
            schema.add_integer_field("position", fast=True)
            # One thread keeps the order of positions within a segment, which is what breaks ties.
            self._terms = tantivy.Index(schema.build(), str(folder / TERMS)).writer(_WRITER_BYTES, 1)

    def add(self, block: Block) -> None:
        if self._vectors is None:
            import faiss

            self._vectors = faiss.IndexFlatIP(block.vectors.shape[1])
        rows = list(enumerate(block.texts, self.contents.count))
        labels = [facets(chunk.metadata) for chunk in block.chunks]
        terms = [" ".join(analyzer.terms(chunk.embedded, chunk.language)) for chunk in block.chunks]
        with sealed.writing(self._home):
            self._vectors.add(block.vectors)
            self._passages.executemany("INSERT INTO passages VALUES (?, ?)", rows)
            for (position, _), found, text in zip(rows, labels, terms, strict=True):
                self._passages.executemany("INSERT INTO facets VALUES (?, ?)", [(label, position) for label in found])
                self._terms.add_document(self._tantivy.Document(position=position, facets=found, terms=text))
        self.contents.add(block)

    def finish(self, *, inverted: bool) -> None:
        """Write what is still in memory; `inverted` makes dense search approximate (IVF)."""
        import faiss

        index = self._vectors or faiss.IndexFlatIP(self.contents.dimensions)
        if inverted:
            index = _inverted(index)
        with sealed.writing(self._home):
            faiss.write_index(index, str(self._folder / VECTORS))
            self._passages.commit()
            self._terms.commit()
            self._terms.wait_merging_threads()
            self.close()
        self._vectors = None

    def close(self) -> None:
        """End the engines' threads, so that nothing is written any more. May be called again."""
        self._passages.close()
        with contextlib.suppress(RuntimeError, ValueError):
            self._terms.wait_merging_threads()


def _inverted(flat: Any) -> Any:
    """An IVF index of the same vectors: lists around centroids, which are trained on a sample."""
    import faiss

    lists = 2 * int(flat.ntotal**0.5)
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(flat.d), flat.d, lists, faiss.METRIC_INNER_PRODUCT)
    sample = np.sort(np.random.default_rng(0).choice(flat.ntotal, min(flat.ntotal, 50 * lists), replace=False))
    index.train(flat.reconstruct_batch(sample))
    for start in range(0, flat.ntotal, 65_536):
        index.add(flat.reconstruct_n(start, min(65_536, flat.ntotal - start)))
    return index
