"""The lock between ingests, which embed texts long before a chunk names them, and what drops vectors that no chunk names.

Any number of ingests hold it together. It ends with its process, and with its connection to PostgreSQL.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from rag.ledger.failures import translated

LOCK = 0x67775F696E67
"""The advisory lock in PostgreSQL."""


@contextmanager
def ingesting(engine: Engine) -> Iterator[None]:
    """Held by an ingest from before it embeds until it is committed; waits for what drops vectors."""
    with _advisory(engine, "pg_advisory_lock_shared") if _shared(engine) else _folder(engine, fcntl.LOCK_SH):
        yield


@contextmanager
def quiet(engine: Engine) -> Iterator[bool]:
    """Whether no ingest runs; then none begins to embed before this ends."""
    with _advisory(engine, "pg_try_advisory_lock") if _shared(engine) else _folder(engine, fcntl.LOCK_EX | fcntl.LOCK_NB) as held:
        yield held


def _shared(engine: Engine) -> bool:
    return engine.dialect.name == "postgresql"


@contextmanager
def _advisory(engine: Engine, function: str) -> Iterator[bool]:
    with translated(engine.url):
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        with translated(engine.url):
            # Of a lock that waits, PostgreSQL returns nothing.
            held = connection.execute(text(f"SELECT {function}(:key)"), {"key": LOCK}).scalar_one() is not False
        yield held
    finally:
        # The lock belongs to the session, which would go back to the pool with it. If the session is gone, so is the lock.
        with suppress(DBAPIError):
            connection.invalidate()
        connection.close()


@contextmanager
def _folder(engine: Engine, operation: int) -> Iterator[bool]:
    """On the folder of SQLite's file. Where a folder cannot be locked, nobody waits."""
    if not engine.url.database:
        yield True
        return
    descriptor = os.open(Path(engine.url.database).parent, os.O_RDONLY)
    try:
        held = True
        try:
            fcntl.flock(descriptor, operation)
        except BlockingIOError:
            held = False
        except OSError:
            pass
        yield held
    finally:
        os.close(descriptor)
