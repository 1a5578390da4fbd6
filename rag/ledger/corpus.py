"""The truth about documents: collections, documents, chunks, vectors, and what was quarantined.

Knows SQL and transactions. Knows nothing of how text is read, chunked or embedded, nor of index files: those are derived from here.
"""

import hashlib
from collections.abc import Collection as Group
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, Engine, Row, and_, delete, func, insert, select, update

from rag.embedders.base import Vectors
from rag.errors import GroundwireError, NotFoundError
from rag.ledger.database import insert_new, told
from rag.ledger.schema import chunks, collections, documents, quarantine, sources, vectors
from rag.types import Chunk, Document

ROWS = 500
"""Rows in one statement: below SQLite's limit of bound variables in every build of it."""


class Collection(NamedTuple):
    """A named set of documents, searched in its current generation; `embedder` is the name it is opened by."""

    name: str
    embedder: str
    generation: str | None


class Quarantined(NamedTuple):
    """What could not be ingested, and why."""

    source: str
    reason: str
    detail: str


def embedded_sha256(chunk: Chunk) -> str:
    """The key of a chunk's vector: what is embedded, hashed."""
    return hashlib.sha256(chunk.embedded.encode()).hexdigest()


class Corpus:
    """Reads are snapshots; every write is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def collections(self) -> list[Collection]:
        with told(self.engine.url), self.engine.connect() as connection:
            return [Collection(*row) for row in connection.execute(select(collections).order_by(collections.c.name))]

    def collection(self, name: str) -> Collection:
        """Raises `GroundwireError` with the collections there are."""
        there = {collection.name: collection for collection in self.collections()}
        if name not in there:
            known = f"there are: {', '.join(there)}" if there else "there is none yet"
            raise NotFoundError(f"collection {name} does not exist ({known})", _making(name))
        return there[name]

    def sources(self, collection: str) -> dict[str, str]:
        """Every file that was read, with the sha256 of its bytes."""
        with told(self.engine.url), self.engine.connect() as connection:
            query = select(sources.c.source, sources.c.sha256).where(sources.c.collection == collection)
            return {source: sha256 for source, sha256 in connection.execute(query)}  # noqa: C416 - rows, not pairs

    def documents(self, collection: str) -> dict[str, tuple[str, str]]:
        """Id to (source, sha256)."""
        with told(self.engine.url), self.engine.connect() as connection:
            query = select(documents.c.id, documents.c.source, documents.c.sha256).where(documents.c.collection == collection)
            return {id: (source, sha256) for id, source, sha256 in connection.execute(query)}

    def metadata_keys(self, collection: str) -> set[str]:
        """Every key that a document of the collection has."""
        query = select(documents.c.metadata).where(documents.c.collection == collection).execution_options(yield_per=ROWS)
        with told(self.engine.url), self.engine.connect() as connection:
            return {key for (metadata,) in connection.execute(query) for key in metadata}

    def quarantined(self, collection: str) -> list[Quarantined]:
        with told(self.engine.url), self.engine.connect() as connection:
            query = select(quarantine.c.source, quarantine.c.reason, quarantine.c.detail)
            rows = connection.execute(query.where(quarantine.c.collection == collection).order_by(quarantine.c.id))
            return [Quarantined(*row) for row in rows]

    def count(self, collection: str) -> tuple[int, int]:
        """(documents, chunks)."""
        with told(self.engine.url), self.engine.connect() as connection:
            count_documents = select(func.count()).select_from(documents).where(documents.c.collection == collection)
            count_chunks = select(func.count()).select_from(chunks).where(chunks.c.collection == collection)
            return connection.execute(count_documents).scalar_one(), connection.execute(count_chunks).scalar_one()

    def chunks(self, collection: str, without: Group[str] = ()) -> Iterator[Chunk]:
        """Every chunk but those of the documents `without`, by document id and place in it; streamed."""
        query = (
            select(chunks, documents.c.source, documents.c.title, documents.c.text, documents.c.language, documents.c.metadata)
            .join(documents, and_(documents.c.collection == chunks.c.collection, documents.c.id == chunks.c.document_id))
            .where(chunks.c.collection == collection)
            .order_by(chunks.c.document_id, chunks.c.ordinal)
            .execution_options(yield_per=ROWS)
        )
        with told(self.engine.url), self.engine.connect() as connection:
            for row in connection.execute(query):
                if row.document_id not in without:
                    yield _chunk(row)

    def vectors(self, embedder: str, hashes: Sequence[str]) -> dict[str, Vectors]:
        """Those of the vectors that are kept, by the sha256 of what was embedded; shape (dimensions,) each."""
        found: dict[str, Vectors] = {}
        with told(self.engine.url), self.engine.connect() as connection:
            for first in range(0, len(hashes), ROWS):
                query = select(vectors.c.sha256, vectors.c.vector).where(
                    vectors.c.embedder == embedder, vectors.c.sha256.in_(hashes[first : first + ROWS])
                )
                for sha256, vector in connection.execute(query):
                    found[sha256] = np.frombuffer(vector, dtype=np.float32)
        return found

    def keep_vectors(self, embedder: str, embedded: Mapping[str, Vectors]) -> None:
        """Remember vectors: those that are kept already are left as they are."""
        missing = embedded.keys() - self.vectors(embedder, list(embedded)).keys()
        rows = [
            {"embedder": embedder, "sha256": sha, "vector": embedded[sha].astype(np.float32).tobytes()} for sha in sorted(missing)
        ]
        with told(self.engine.url), self.engine.begin() as connection:
            if rows:
                # In one order: of two processes that keep the same ones, neither waits for the other.
                connection.execute(insert_new(connection, vectors), rows)

    def replace(
        self,
        before: Collection | None,
        after: Collection,
        *,
        changed: Iterable[tuple[Document, Sequence[Chunk]]],
        removed: Iterable[str],
        read: Mapping[str, str],
        gone: Iterable[str],
        quarantined: Iterable[Quarantined],
    ) -> None:
        """Documents, chunks, sources, quarantine and the current generation, in one transaction.

        `removed` are document ids; `read` gives the sha256 of each file that was read, whose earlier quarantine is forgotten;
        `gone` are the files of which nothing stays.
        Raises `GroundwireError`, and changes nothing, where the collection is no longer as it was `before`.
        """
        with told(self.engine.url), self.engine.begin() as connection:
            _claim(connection, before, after)
            for id in removed:
                _forget(connection, after.name, id)
            for document, pieces in changed:
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
            for source in (*read, *gone):
                for table in (sources, quarantine):
                    connection.execute(delete(table).where(table.c.collection == after.name, table.c.source == source))
            _insert(connection, sources, [{"collection": after.name, "source": s, "sha256": sha} for s, sha in read.items()])
            _insert(connection, quarantine, [{"collection": after.name, **row._asdict()} for row in quarantined])

    def remove(self, there: Collection) -> None:
        """Forget a collection and all that is known of its documents, but for vectors, which any may share. Raises as `replace`."""
        same = collections.c.generation == there.generation
        with told(self.engine.url), self.engine.begin() as connection:
            if connection.execute(delete(collections).where(collections.c.name == there.name, same)).rowcount != 1:
                raise _moved(there.name)
            for table in (chunks, documents, sources, quarantine):
                connection.execute(delete(table).where(table.c.collection == there.name))

    def use(self, before: Collection, generation: str) -> None:
        """Make another generation the current one. Raises as `replace`."""
        with told(self.engine.url), self.engine.begin() as connection:
            _claim(connection, before, before._replace(generation=generation))


def _making(collection: str) -> str:
    from rag.stores.base import collection_name

    try:
        return f"`rag ingest PATH --collection {collection_name(collection)}` makes it"
    except GroundwireError as error:
        return error.mend


def _claim(connection: Connection, before: Collection | None, after: Collection) -> None:
    """Move the collection from `before` to `after`, or raise because somebody else moved it first."""
    if before is None:
        moved = connection.execute(insert_new(connection, collections), after._asdict()).rowcount
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
        tokens=row.tokens,
        language=row.language,
        metadata=row.metadata,
    )
