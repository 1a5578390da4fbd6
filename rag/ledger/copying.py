"""Copies a whole ledger into an empty one, in one transaction: all of it or nothing.

Knows tables, blocks of rows and their digests. Knows nothing of what a row says.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Integer, Table, Text, exists, func, insert, select, text
from sqlalchemy.exc import DataError

from rag.errors import StorageError
from rag.ledger.database import exclusive
from rag.ledger.failures import describe, translated
from rag.ledger.months import Month, make
from rag.ledger.schema import metadata, processes, traces
from rag.progress import Progress, Stage, silent

BLOCK = 250
"""Rows in memory at once. A document's row may have a megabyte."""

COPYING = 0x6777636F7079
"""The advisory lock of a process that copies into a ledger."""

TABLES = [table for table in metadata.sorted_tables if table is not processes]
"""Every table that is copied. The live processes are left out: they use the other ledger."""


def copy(source: Engine, target: Engine, progress: Progress = silent) -> dict[str, int]:
    """Copy a snapshot of `source` into `target`, and compare the two. Returns the number of rows by table.

    Raises `StorageError`, and leaves `target` as it was, if it has rows already, cannot hold a row, or differs afterwards.
    """
    with _moment(source) as reading, exclusive(target) as writing:
        _require_empty(writing, target)
        rows = {table.name: reading.execute(select(func.count()).select_from(table)).scalar_one() for table in TABLES}
        if target.dialect.name == "postgresql":
            make(writing, _months(reading))
        total, done = sum(rows.values()), 0
        digests = {}
        for table in TABLES:
            digest = hashlib.sha256()
            for block in _blocks(reading, table):
                _write(writing, table, block)
                _digest(digest, block)
                done += len(block)
                progress(Stage.ROWS, done, total)
            digests[table.name] = digest.hexdigest()
        if target.dialect.name == "postgresql":
            _set_sequences(writing)
        _compare(writing, target, digests, total, progress)
    return rows


@contextmanager
def _moment(engine: Engine) -> Iterator[Connection]:
    """A read transaction that sees the database as it is now, whatever is written meanwhile."""
    with translated(engine.url), engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # The driver begins no transaction for reading alone.
            connection.exec_driver_sql("BEGIN")
        else:
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        yield connection


def _require_empty(connection: Connection, target: Engine) -> None:
    if target.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": COPYING})
    filled = [table.name for table in TABLES if connection.execute(select(exists().select_from(table))).scalar_one()]
    if filled:
        raise StorageError(
            f"{describe(target.url)} has rows already, in {', '.join(filled)}",
            "a copy goes into an empty ledger: name a new database; nothing was written",
        )


def _months(connection: Connection) -> list[Month]:
    """The months in which traces were created."""
    written = connection.execute(select(func.substr(traces.c.created_at, 1, 7)).distinct()).scalars()
    return [Month(int(month[:4]), int(month[5:])) for month in written]


def _blocks(connection: Connection, table: Table) -> Iterator[list[Mapping[str, Any]]]:
    """Every row in the order of its primary key, `BLOCK` at a time."""
    rows = connection.execution_options(yield_per=BLOCK).execute(select(table).order_by(*table.primary_key))
    for block in rows.mappings().partitions():
        # PostgreSQL stores no NUL in text: it is replaced on both sides, so that they compare equal.
        yield [
            {name: value.replace("\0", "\ufffd") if isinstance(value, str) else value for name, value in row.items()}
            for row in block
        ]


def _write(connection: Connection, table: Table, block: list[Mapping[str, Any]]) -> None:
    try:
        connection.execute(insert(table), block)
    except DataError as error:
        raise StorageError(
            f"{describe(connection.engine.url)} cannot hold a row of {table.name}: {_reason(table, block) or error.orig}",
            "nothing was written; change or delete that row and copy again",
        ) from error


def _reason(table: Table, block: list[Mapping[str, Any]]) -> str | None:
    """What is wrong with the first value that is longer than its column, which SQLite does not enforce; null if there is none."""
    for row in block:
        for column in table.columns:
            value, most = row[column.name], getattr(column.type, "length", None)
            if isinstance(column.type, Text) or most is None or value is None or len(value) <= most:
                continue
            return f"{column.name} has {len(value)} characters where {most} fit in: {value[:80]}"
    return None


def _set_sequences(connection: Connection) -> None:
    """Set PostgreSQL's sequences so that the next row gets a number above those that were copied."""
    for table in TABLES:
        for column in table.primary_key:
            if isinstance(column.type, Integer) and column.autoincrement is True:
                sequence = func.pg_get_serial_sequence(table.name, column.name)
                connection.execute(select(func.setval(sequence, func.coalesce(func.max(column), 0) + 1, False)))


def _compare(connection: Connection, target: Engine, digests: Mapping[str, str], total: int, progress: Progress) -> None:
    done = 0
    for table in TABLES:
        digest = hashlib.sha256()
        for block in _blocks(connection, table):
            _digest(digest, block)
            done += len(block)
            progress(Stage.COMPARE, done, total)
        if digest.hexdigest() != digests[table.name]:
            raise StorageError(
                f"the rows of {table.name} in {describe(target.url)} are not those that were copied",
                "somebody else writes there, or a disk is broken; nothing was kept: copy into a ledger that nobody uses yet",
            )


def _digest(digest: Any, block: list[Mapping[str, Any]]) -> None:
    for row in block:
        digest.update(repr(tuple(row.values())).encode("utf-8", "surrogatepass"))
