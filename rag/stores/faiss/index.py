"""One generation's folder, opened for search.

Knows how the three engines are searched and read. Knows nothing of how a folder is written or sealed.
"""

import contextlib
import itertools
import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.embedders.base import Vectors
from rag.stores.base import Block, Generation, best_first
from rag.stores.facets import Facets, wanted
from rag.stores.faiss.schema import PASSAGES, TERMS, VECTORS
from rag.text import analyzer
from rag.types import Chunk, Filter, Hit

_ROWS = 4_096
"""Chunks that are read back at once."""
_PROBES = 32
"""Lists an IVF search reads, of twice the square root of the chunks."""

Positions = NDArray[np.int64]


class FaissIndex:
    """The folder of one generation. Call `close` when done."""

    def __init__(self, folder: Path, generation: Generation, exact_limit: int) -> None:
        import faiss
        import tantivy

        self.generation = generation
        self._exact_limit = exact_limit
        self._faiss: Any = faiss
        self._vectors: Any = faiss.read_index(str(folder / VECTORS))
        self._tantivy = tantivy
        lexical = tantivy.Index.open(str(folder / TERMS))
        self._terms = lexical.searcher()
        self._schema = lexical.schema
        passages = f"{(folder / PASSAGES).absolute().as_uri()}?mode=ro&immutable=1"
        self._passages = sqlite3.connect(passages, uri=True, check_same_thread=False)
        self._reading = threading.Lock()

    def dense(self, vector: Vectors, k: int, where: Filter) -> list[Hit]:
        positions = self._match(wanted(where)) if where else None
        matching = self.generation.chunks if positions is None else len(positions)
        k = min(k, matching)
        if k < 1:
            return []
        query = np.ascontiguousarray(vector, np.float32)[np.newaxis]
        found = self._nearest(query, k, matching, self._parameters(positions, exact=matching <= self._exact_limit))
        if len(found) < k:
            found = self._nearest(query, k, matching, self._parameters(positions, exact=True))
        return found

    def lexical(self, question: str, k: int, where: Filter) -> list[Hit]:
        query, occur = self._tantivy.Query, self._tantivy.Occur
        asked = analyzer.asked(question, self.generation.languages)
        if not asked or min(k, self.generation.chunks) < 1:
            return []
        terms = [query.term_query(self._schema, "terms", term, "freq") for term in asked]
        filters = [query.term_set_query(self._schema, "facets", list(any_of)) for any_of in wanted(where)]
        parts = [query.boolean_query([(occur.Should, term) for term in terms])]
        parts += [query.const_score_query(part, 0.0) for part in filters]
        found = self._terms.search(query.boolean_query([(occur.Must, part) for part in parts]), min(k, self.generation.chunks))
        positions = self._terms.fast_field_values("position", [address for _, address in found.hits])
        hits = [Hit(int(position or 0), score) for position, (score, _) in zip(positions, found.hits, strict=True)]
        return sorted(hits, key=best_first)

    def chunks(self, positions: Sequence[int]) -> list[Chunk]:
        sql = "SELECT position, chunk FROM passages WHERE position IN (SELECT value FROM json_each(?))"
        rows = self._rows(sql, [list(positions)])
        found = {position: Chunk.model_validate_json(chunk) for position, chunk in rows}
        return [found[position] for position in positions]

    def blocks(self) -> Iterator[Block]:
        if isinstance(self._vectors, self._faiss.IndexIVF):
            self._vectors.make_direct_map()
        for start in range(0, self.generation.chunks, _ROWS):
            count = min(_ROWS, self.generation.chunks - start)
            sql = "SELECT chunk FROM passages WHERE position >= ? AND position < ? ORDER BY position"
            with self._reading:
                texts = [text for (text,) in self._passages.execute(sql, (start, start + count))]
            yield Block([Chunk.model_validate_json(text) for text in texts], texts, self._vectors.reconstruct_n(start, count))

    def close(self) -> None:
        self._passages.close()

    def _nearest(self, query: Vectors, k: int, matching: int, parameters: Any) -> list[Hit]:
        """The k best. One more is fetched: if it ties with the k-th, all that tie are fetched, and the lower positions win."""
        with _single_threaded(self._faiss):
            (scores,), (positions,) = self._vectors.search(query, min(k + 1, matching), params=parameters)
            scores, positions = scores[positions >= 0], positions[positions >= 0]
            if len(scores) > k and scores[k] == scores[k - 1]:
                _, scores, positions = self._vectors.range_search(
                    query, np.nextafter(scores[k], np.float32(-2)), params=parameters
                )
        return sorted(itertools.starmap(Hit, zip(positions.tolist(), scores.tolist(), strict=True)), key=best_first)[:k]

    def _parameters(self, positions: Positions | None, *, exact: bool) -> Any:
        options: dict[str, Any] = {}
        if positions is not None:
            mask = np.zeros(self.generation.chunks, np.bool_)
            mask[positions] = True
            options["sel"] = self._faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
        if isinstance(self._vectors, self._faiss.IndexIVF):
            return self._faiss.SearchParametersIVF(nprobe=self._vectors.nlist if exact else _PROBES, **options)
        return self._faiss.SearchParameters(**options)

    def _match(self, facets: Facets) -> Positions:
        """Positions of the chunks that have at least one facet of every entry."""
        sql = " INTERSECT ".join(["SELECT position FROM facets WHERE facet IN (SELECT value FROM json_each(?))"] * len(facets))
        return np.array([position for (position,) in self._rows(sql, facets)], np.int64)

    def _rows(self, sql: str, lists: Sequence[Sequence[object]]) -> list[tuple[Any, ...]]:
        with self._reading:
            return self._passages.execute(sql, [json.dumps(values) for values in lists]).fetchall()


@contextlib.contextmanager
def _single_threaded(faiss: Any) -> Iterator[None]:
    """Run FAISS on one thread, for calls from this one: splitting a single query only keeps cores spinning that others need."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
