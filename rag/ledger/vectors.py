"""Vectors that no chunk names any more: what is left of removed documents, dropped in steps.

Knows the tables of chunks and vectors. Knows nothing of embedders, which make a vector anew where its text comes back.
"""

from typing import Any

from sqlalchemy import Connection, Engine, delete, except_, select

from rag.ledger.database import exclusive
from rag.ledger.ingest_lock import quiet
from rag.ledger.retention import free_space
from rag.ledger.schema import chunks, vectors

STEP = 5_000
"""Texts whose vectors are dropped in one transaction: each step compares all chunks with all vectors, so not too few."""


def drop_unnamed(engine: Engine) -> int | None:
    """Drop the vectors whose text is in no chunk of any collection; how many those were. It can be interrupted and run again.

    Null, and nothing dropped, while an ingest runs: what it has embedded is in no chunk until it is done.
    """
    with quiet(engine) as undisturbed:
        if not undisturbed:
            return None
        dropped, more = 0, True
        while more:
            with exclusive(engine) as connection:
                gone = _dropped(connection, except_(select(vectors.c.sha256), select(chunks.c.embedded_sha256)).limit(STEP))
            dropped += gone
            more = gone > 0
    if engine.dialect.name == "sqlite" and dropped:
        free_space(engine)
    return dropped


def drop_own(connection: Connection, collection: str) -> int:
    """Drop the vectors that the chunks of this collection name and no other's; how many those were."""
    own = select(chunks.c.embedded_sha256).where(chunks.c.collection == collection)
    others = select(chunks.c.embedded_sha256).where(chunks.c.collection != collection)
    return _dropped(connection, except_(own, others))


def _dropped(connection: Connection, hashes: Any) -> int:
    return connection.execute(delete(vectors).where(vectors.c.sha256.in_(hashes))).rowcount
