"""The documents in the ledger: collections, documents, chunks, vectors, and what was quarantined.

Knows SQL and transactions. Knows nothing of how text is read, chunked or embedded, nor of indexes: those are derived from it.
"""

import hashlib
from collections.abc import Collection as Group
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, Engine, Row, Select, and_, delete, func, insert, select, update

from rag.embedders.base import Vectors
from rag.errors import GroundwireError, NotFoundError
from rag.ledger.database import insert_or_ignore
from rag.ledger.failures import translated
from rag.ledger.retention import free_space
from rag.ledger.schema import chunks, collections, documents, quarantine, sources, vectors
from rag.ledger.vectors import drop_own
from rag.types import Chunk, Document, Metadata, page

ROWS = 500
"""Rows in one statement: below the limit of bound variables in every build of SQLite."""


class Collection(NamedTuple):
    """A named set of documents.

    `embedder` is the name to open it by; `generation` is the id of the one that is searched, null if none.
    """

    name: str
    embedder: str
    generation: str | None


class Source(NamedTuple):
    """A file that was read: the sha256 of its bytes, and the folder that its name is relative to.

    The folder is null where the file was read before it was kept.
    """

    sha256: str
    root: str | None


class Summary(NamedTuple):
    """A document without its text; `chunks` counts them."""

    id: str
    title: str
    source: str
    chunks: int
    language: str
    metadata: Metadata


class Quarantined(NamedTuple):
    """A document or file that could not be ingested, and why."""

    source: str
    reason: str
    detail: str


class Change(NamedTuple):
    """What one ingest changes in a collection."""

    documents: Iterable[tuple[Document, Sequence[Chunk]]] = ()
    """Those that are new or changed, each with its chunks in order."""
    removed: Iterable[str] = ()
    """Ids of documents."""
    read: Mapping[str, str] = MappingProxyType({})
    """The sha256 of each file that was read, by source; what was quarantined of it before is deleted."""
    gone: Iterable[str] = ()
    """Sources of which nothing stays."""
    quarantined: Iterable[Quarantined] = ()
    root: str | None = None
    """The folder that the names of `read` and `adopted` are relative to."""
    adopted: Iterable[str] = ()
    """Sources that were not read again, and that have this root from now on."""


def embedded_sha256(chunk: Chunk) -> str:
    """The key of a chunk's vector: the hash of the text that is embedded."""
    return hashlib.sha256(chunk.embedded.encode()).hexdigest()


class Corpus:
    """Reads are snapshots; every write is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def collections(self) -> list[Collection]:
        with translated(self.engine.url), self.engine.connect() as connection:
            return [Collection(*row) for row in connection.execute(select(collections).order_by(collections.c.name))]

    def collection(self, name: str) -> Collection:
        """Raises `NotFoundError`, which lists the collections there are."""
        there = {collection.name: collection for collection in self.collections()}
        if name not in there:
            known = f"there are: {', '.join(there)}" if there else "there is none yet"
            raise NotFoundError(f"collection {name} does not exist ({known})", _making(name))
        return there[name]

    def sources(self, collection: str) -> dict[str, Source]:
        """Every file that was read, by source."""
        with translated(self.engine.url), self.engine.connect() as connection:
            query = select(sources.c.source, sources.c.sha256, sources.c.root).where(sources.c.collection == collection)
            return {source: Source(sha256, root) for source, sha256, root in connection.execute(query)}

    def documents(self, collection: str) -> dict[str, tuple[str, str]]:
        """(source, sha256) of every document, by id."""
        with translated(self.engine.url), self.engine.connect() as connection:
            query = select(documents.c.id, documents.c.source, documents.c.sha256).where(documents.c.collection == collection)
            return {id: (source, sha256) for id, source, sha256 in connection.execute(query)}

    def listed(self, collection: str) -> Iterator[Summary]:
        """All documents, by id; streamed."""
        of_it = and_(chunks.c.collection == documents.c.collection, chunks.c.document_id == documents.c.id)
        count = select(func.count()).select_from(chunks).where(of_it).scalar_subquery()
        wanted = (documents.c.id, documents.c.title, documents.c.source, count, documents.c.language, documents.c.metadata)
        query = select(*wanted).where(documents.c.collection == collection).order_by(documents.c.id)
        with translated(self.engine.url), self.engine.connect() as connection:
            yield from map(Summary._make, connection.execute(query.execution_options(yield_per=ROWS)))

    def metadata(self, collection: str) -> Iterator[Metadata]:
        """The metadata of every document; streamed."""
        query = select(documents.c.metadata).where(documents.c.collection == collection).execution_options(yield_per=ROWS)
        with translated(self.engine.url), self.engine.connect() as connection:
            yield from connection.execute(query).scalars()

    def quarantined(self, collection: str) -> list[Quarantined]:
        with translated(self.engine.url), self.engine.connect() as connection:
            query = select(quarantine.c.source, quarantine.c.reason, quarantine.c.detail)
            rows = connection.execute(query.where(quarantine.c.collection == collection).order_by(quarantine.c.id))
            return [Quarantined(*row) for row in rows]

    def count(self, collection: str) -> tuple[int, int]:
        """The number of documents, and of chunks."""
        with translated(self.engine.url), self.engine.connect() as connection:
            count_documents = select(func.count()).select_from(documents).where(documents.c.collection == collection)
            count_chunks = select(func.count()).select_from(chunks).where(chunks.c.collection == collection)
            return connection.execute(count_documents).scalar_one(), connection.execute(count_chunks).scalar_one()

    def chunks(self, collection: str, without: Group[str] = ()) -> Iterator[Chunk]:
        """The chunks of all documents but those in `without` (ids), by document id and position in it; streamed."""
        query = _chunks(collection).order_by(chunks.c.document_id, chunks.c.ordinal).execution_options(yield_per=ROWS)
        with translated(self.engine.url), self.engine.connect() as connection, connection.execute(query) as rows:
            for row in rows:
                if row.document_id not in without:
                    yield _chunk(row)

    def document(self, collection: str, id: str) -> list[Chunk]:
        """The chunks of a document, in order. Raises `NotFoundError`."""
        query = _chunks(collection).where(chunks.c.document_id == id).order_by(chunks.c.ordinal)
        with translated(self.engine.url), self.engine.connect() as connection:
            found = [_chunk(row) for row in connection.execute(query)]
        if not found:
            raise NotFoundError(
                f"collection {collection} has no document {id}",
                f"`rag documents --collection {collection}` lists those there are",
            )
        return found

    def vectors(self, embedder: str, hashes: Sequence[str]) -> dict[str, Vectors]:
        """The stored vectors among `hashes`, by the sha256 of the embedded text; each of shape (dimensions,), float32."""
        found: dict[str, Vectors] = {}
        with translated(self.engine.url), self.engine.connect() as connection:
            for first in range(0, len(hashes), ROWS):
                query = select(vectors.c.sha256, vectors.c.vector).where(
                    vectors.c.embedder == embedder, vectors.c.sha256.in_(hashes[first : first + ROWS])
                )
                for sha256, vector in connection.execute(query):
                    found[sha256] = np.frombuffer(vector, dtype=np.float32)
        return found

    def keep_vectors(self, embedder: str, embedded: Mapping[str, Vectors]) -> None:
        """Store vectors by the sha256 of the embedded text; those that are stored already stay as they are."""
        missing = embedded.keys() - self.vectors(embedder, list(embedded)).keys()
        rows = [
            {"embedder": embedder, "sha256": sha, "vector": embedded[sha].astype(np.float32).tobytes()} for sha in sorted(missing)
        ]
        with translated(self.engine.url), self.engine.begin() as connection:
            if rows:
                # Sorted, so that two processes that store the same vectors do not deadlock.
                connection.execute(insert_or_ignore(connection, vectors), rows)

    def replace(self, before: Collection | None, after: Collection, change: Change) -> None:
        """Write documents, chunks, sources, quarantine and the current generation in one transaction.

        Raises `GroundwireError`, and writes nothing, if the collection is no longer as it was `before` (null if it
        did not exist).
        """
        with translated(self.engine.url), self.engine.begin() as connection:
            _claim(connection, before, after)
            for id in change.removed:
                _forget(connection, after.name, id)
            for document, pieces in change.documents:
                _forget(connection, after.name, document.id)
                connection.execute(insert(documents), {"collection": after.name, **document.model_dump()})
                rows = [
                    {
                        "collection": after.name,
                        "ordinal": ordinal,
                        "embedded_sha256": embedded_sha256(piece),
                        **piece.model_dump(include={"document_id", "id", "headings", "start", "end", "tokens"}),
                    }
                    for ordinal, piece in enumerate(pieces)
                ]
                _insert(connection, chunks, rows)
            for source in (*change.read, *change.gone):
                for table in (sources, quarantine):
                    connection.execute(delete(table).where(table.c.collection == after.name, table.c.source == source))
            head = {"collection": after.name, "root": change.root}
            _insert(connection, sources, [{**head, "source": source, "sha256": sha} for source, sha in change.read.items()])
            for source in change.adopted:
                same = (sources.c.collection == after.name, sources.c.source == source)
                connection.execute(update(sources).where(*same).values(root=change.root))
            _insert(connection, quarantine, [{"collection": after.name, **row._asdict()} for row in change.quarantined])

    def remove(self, there: Collection) -> None:
        """Delete a collection with its documents, chunks, sources and quarantine, and the vectors that no other collection names.

        Raises as `replace`.
        """
        same = collections.c.generation == there.generation
        with translated(self.engine.url), self.engine.begin() as connection:
            if connection.execute(delete(collections).where(collections.c.name == there.name, same)).rowcount != 1:
                raise _moved(there.name)
            dropped = drop_own(connection, there.name)
            for table in (chunks, documents, sources, quarantine):
                connection.execute(delete(table).where(table.c.collection == there.name))
        if self.engine.dialect.name == "sqlite" and dropped:
            free_space(self.engine)

    def use(self, before: Collection, generation: str) -> None:
        """Make another generation the current one. Raises as `replace`."""
        with translated(self.engine.url), self.engine.begin() as connection:
            _claim(connection, before, before._replace(generation=generation))


def _making(collection: str) -> str:
    from rag.stores.base import collection_name

    try:
        return f"`rag ingest PATH --collection {collection_name(collection)}` makes it"
    except GroundwireError as error:
        return error.mend


def _claim(connection: Connection, before: Collection | None, after: Collection) -> None:
    """Move the collection from `before` to `after`. Raises `GroundwireError` if another process moved it first."""
    if before is None:
        moved = connection.execute(insert_or_ignore(connection, collections), after._asdict()).rowcount
    else:
        same = collections.c.generation == before.generation
        moved = connection.execute(
            update(collections).where(collections.c.name == before.name, same).values(after._asdict())
        ).rowcount
    if moved != 1:
        raise _moved(after.name)


def _moved(collection: str) -> GroundwireError:
    return GroundwireError(
        f"collection {collection} was changed by another process meanwhile", "nothing was written; run the command again"
    )


def _forget(connection: Connection, collection: str, document_id: str) -> None:
    connection.execute(delete(chunks).where(chunks.c.collection == collection, chunks.c.document_id == document_id))
    connection.execute(delete(documents).where(documents.c.collection == collection, documents.c.id == document_id))


def _insert(connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), list(rows))


def _chunks(collection: str) -> Select[Any]:
    """The rows that `_chunk` takes."""
    of_it = and_(documents.c.collection == chunks.c.collection, documents.c.id == chunks.c.document_id)
    columns = (documents.c[name] for name in ("source", "title", "text", "language", "metadata"))
    return select(chunks, *columns).join(documents, of_it).where(chunks.c.collection == collection)


def _chunk(row: Row[Any]) -> Chunk:
    return Chunk(
        id=row.id,
        document_id=row.document_id,
        source=row.source,
        title=row.title,
        headings=tuple(row.headings),
        text=row.text[row.start : row.end],
        start=row.start,
        end=row.end,
        page=page(row.text, row.start),
        tokens=row.tokens,
        language=row.language,
        metadata=row.metadata,
    )
