"""Generations as folders: vectors in FAISS, terms in tantivy, chunks in SQLite.

Knows the three engines. Knows no embedder, and not which generation is current.
"""

import contextlib
import itertools
import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.embedders.base import Vectors
from rag.errors import StorageError
from rag.stores import sealed
from rag.stores.base import Block, Generation, Index, Learnt, Source, best_first, collection_name
from rag.stores.contents import Contents, paired
from rag.stores.facets import Facets, facets, wanted
from rag.text import analyzer
from rag.types import Chunk, Filter, Hit

_VECTORS = "vectors.faiss"
_LEXICAL = "lexical"
_PASSAGES = "passages.db"
_GENERATION = "generation.json"
_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE passages (position INTEGER PRIMARY KEY, chunk TEXT NOT NULL);
CREATE TABLE facets (facet TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (facet, position)) WITHOUT ROWID;
"""
_WRITER_BYTES = 64_000_000
_ROWS = 4_096
"""Of a block that is read back."""
_PROBES = 32
"""Lists an IVF search reads, of twice the square root of the chunks."""

Positions = NDArray[np.int64]


class FaissStore:
    """Generations under `root/<collection>/<id>/`. The dense leg is exact over `exact_limit` chunks, approximate (IVF) over more."""

    def __init__(self, root: Path, exact_limit: int = 200_000) -> None:
        self._root = root
        self._exact_limit = exact_limit

    def build(
        self,
        collection: str,
        embedder: str,
        chunks: Iterable[Chunk],
        vectors: Iterable[Vectors],
        learn: Callable[[Index], Learnt],
    ) -> Generation:
        return self._sealed(
            collection, paired(chunks, vectors), lambda contents: contents.generation(collection, embedder), learn
        )

    def copy(self, source: Source) -> Generation:
        generation = source.generation
        if generation.id in sealed.names(self._root / collection_name(generation.collection)):
            self.verify(generation.collection, generation.id)
            return generation
        return self._sealed(
            generation.collection, source.blocks(), lambda contents: contents.require(generation), lambda _: generation
        )

    def open(self, collection: str, generation_id: str) -> Index:
        folder = self._folder(collection, generation_id)
        sealed.verify(folder)
        try:
            return FaissIndex(folder, _read(folder), self._exact_limit)
        except (OSError, RuntimeError, ValueError, sqlite3.Error) as error:
            problem = f"the index in {folder} cannot be opened ({error})"
            raise StorageError(problem, "make the folder readable and writable") from error

    def verify(self, collection: str, generation_id: str) -> None:
        sealed.verify(self._folder(collection, generation_id))

    def generations(self, collection: str) -> Iterator[Generation]:
        home = self._root / collection_name(collection)
        return (_read(home / name) for name in sealed.names(home))

    def publish(self, collection: str, generation_id: str | None) -> None:
        """The ledger alone says it."""

    def drop(self, collection: str, generation_id: str) -> None:
        sealed.remove(self._folder(collection, generation_id))

    def close(self) -> None:
        """Nothing is held but by open indexes."""

    def _sealed(
        self,
        collection: str,
        blocks: Iterable[Block],
        identify: Callable[[Contents], Generation],
        learn: Callable[[Index], Learnt],
    ) -> Generation:
        """Write blocks into a folder, and seal it as what they are and what was learnt from them."""
        home = self._root / collection_name(collection)
        with sealed.unsealed(home) as folder, contextlib.closing(_Writing(folder)) as writing:
            for block in blocks:
                writing.add(block)
            writing.finish(inverted=writing.contents.count > self._exact_limit)
            generation = identify(writing.contents)
            with contextlib.closing(FaissIndex(folder, generation, self._exact_limit)) as index:
                generation = generation.model_copy(update=dict(learn(index)))
            with sealed.writing(home):
                for lock in folder.glob(f"{_LEXICAL}/*.lock"):
                    lock.unlink()
                (folder / _GENERATION).write_text(generation.model_dump_json(), encoding="utf-8")
                sealed.seal(folder, generation.id)
        return generation

    def _folder(self, collection: str, generation_id: str) -> Path:
        home = self._root / collection_name(collection)
        if generation_id not in sealed.names(home):
            raise StorageError(
                f"collection {collection} has no index {generation_id}",
                "`rag index list` shows what there is, `rag index rebuild --collection NAME` makes one",
            )
        return home / generation_id


class FaissIndex:
    """One folder, opened."""

    def __init__(self, folder: Path, generation: Generation, exact_limit: int) -> None:
        import faiss
        import tantivy

        self.generation = generation
        self._exact_limit = exact_limit
        self._faiss: Any = faiss
        self._vectors: Any = faiss.read_index(str(folder / _VECTORS))
        self._tantivy = tantivy
        lexical = tantivy.Index.open(str(folder / _LEXICAL))
        self._terms = lexical.searcher()
        self._schema = lexical.schema
        passages = f"{(folder / _PASSAGES).absolute().as_uri()}?mode=ro&immutable=1"
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
        rows = self._read(sql, [list(positions)])
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
        """The k best, one more being looked at: where it ties with the last, all that tie are fetched, and position decides."""
        (scores,), (positions,) = self._vectors.search(query, min(k + 1, matching), params=parameters)
        scores, positions = scores[positions >= 0], positions[positions >= 0]
        if len(scores) > k and scores[k] == scores[k - 1]:
            _, scores, positions = self._vectors.range_search(query, np.nextafter(scores[k], np.float32(-2)), params=parameters)
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
        """Positions of the chunks that have, of every entry, at least one."""
        sql = " INTERSECT ".join(["SELECT position FROM facets WHERE facet IN (SELECT value FROM json_each(?))"] * len(facets))
        return np.array([position for (position,) in self._read(sql, facets)], np.int64)

    def _read(self, sql: str, lists: Sequence[Sequence[object]]) -> list[tuple[Any, ...]]:
        with self._reading:
            return self._passages.execute(sql, [json.dumps(values) for values in lists]).fetchall()


class _Writing:
    """A generation as it is written, block by block."""

    def __init__(self, folder: Path) -> None:
        import tantivy

        self.contents = Contents()
        self._folder = folder
        self._home = folder.parent
        self._vectors: Any = None
        self._tantivy = tantivy
        with sealed.writing(self._home):
            self._passages = sqlite3.connect(folder / _PASSAGES)
            self._passages.executescript(_SCHEMA)
            (folder / _LEXICAL).mkdir()
            schema = tantivy.SchemaBuilder()
            schema.add_text_field("terms", tokenizer_name="whitespace", index_option="freq")
            schema.add_text_field("facets", tokenizer_name="raw", index_option="basic")
            schema.add_integer_field("position", fast=True)
            # One thread keeps the order of positions within a segment, which is what breaks ties.
            self._terms = tantivy.Index(schema.build(), str(folder / _LEXICAL)).writer(_WRITER_BYTES, 1)

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
        import faiss

        index = self._vectors or faiss.IndexFlatIP(self.contents.dimensions)
        if inverted:
            index = _inverted(index)
        with sealed.writing(self._home):
            faiss.write_index(index, str(self._folder / _VECTORS))
            self._passages.commit()
            self._terms.commit()
            self._terms.wait_merging_threads()
            self.close()
        self._vectors = None

    def close(self) -> None:
        """End the engines' threads, so that nothing writes any more; again is no harm."""
        self._passages.close()
        with contextlib.suppress(RuntimeError, ValueError):
            self._terms.wait_merging_threads()


def _inverted(flat: Any) -> Any:
    """The same vectors in lists around centroids, which are trained on a sample."""
    import faiss

    lists = 2 * int(flat.ntotal**0.5)
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(flat.d), flat.d, lists, faiss.METRIC_INNER_PRODUCT)
    sample = np.sort(np.random.default_rng(0).choice(flat.ntotal, min(flat.ntotal, 50 * lists), replace=False))
    index.train(flat.reconstruct_batch(sample))
    for start in range(0, flat.ntotal, 65_536):
        index.add(flat.reconstruct_n(start, min(65_536, flat.ntotal - start)))
    return index


def _read(folder: Path) -> Generation:
    path = folder / _GENERATION
    try:
        return Generation.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        mend = "remove its folder, then `rag index rebuild --collection NAME` makes another"
        raise StorageError(f"{path} is damaged or missing", mend) from error
