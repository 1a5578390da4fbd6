"""How long traces are kept: those that are older go, in steps between which everybody else goes on.

Knows what refers to a trace, and how each database gives space back. Knows nothing of what a trace says.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    Table,
    and_,
    cast,
    delete,
    exists,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError

from rag.ledger import months
from rag.ledger.database import exclusive, told
from rag.ledger.ids import first_id
from rag.ledger.schema import feedback, results, traces
from rag.progress import Progress, Stage, silent

STEP = 500
"""Traces that go in one transaction: a server's writes wait for some milliseconds."""

PAGES = 1_000
"""Of SQLite's file, that are given back in one transaction."""

INCREMENTAL = 2
"""SQLite's `auto_vacuum` by which pages are given back a few at a time."""

ATTEMPTS = 5
"""To drop a month that others are reading."""

LOCK_NOT_AVAILABLE = "55P03"


class Pruned(NamedTuple):
    """What went, or would go."""

    traces: int
    feedback: int
    bytes: int
    """Of the traces, as text; what it took on disk is more or less than that."""


def prunable(engine: Engine, before: datetime) -> Pruned:
    """What `prune` would remove."""
    with told(engine.url), engine.connect() as connection:
        return _measured(connection, traces, before)


def prune(engine: Engine, before: datetime, progress: Progress = silent) -> Pruned:
    """Remove the traces that were begun before `before` (with its zone), with what was said of them.

    Those stay that still run, and those that the results of an evaluation name. It can be interrupted, and run again.
    """
    expected = prunable(engine, before)
    pruned = Pruned(0, 0, 0)
    for more in _steps(engine, before):
        pruned = Pruned(*(sum(pair) for pair in zip(pruned, more, strict=True)))
        progress(Stage.PRUNE, pruned.traces, max(expected.traces, pruned.traces))
    if engine.dialect.name == "sqlite" and pruned.traces:
        _give_space_back(engine)
    return pruned


def _steps(engine: Engine, before: datetime) -> Iterator[Pruned]:
    if engine.dialect.name == "postgresql":
        yield from _whole_months(engine, before)
    last: tuple[str, ...] = ("", "")
    while last:
        with exclusive(engine) as connection:
            last, pruned = _step(connection, before, last)
        yield pruned


def _step(connection: Connection, before: datetime, last: tuple[str, ...]) -> tuple[tuple[str, ...], Pruned]:
    """Remove the oldest behind `last`, (created_at, id); the last one that was looked at, or nothing where none is left."""
    columns = traces.c
    older = select(columns.created_at, columns.id, _size(connection)).where(
        _begun(traces, before), _settled(traces), ~_named(traces)
    )
    behind = or_(columns.created_at > last[0], and_(columns.created_at == last[0], columns.id > last[1]))
    # What somebody is giving feedback on, or another process prunes, is left to the next time.
    chosen = older.where(behind).order_by(columns.created_at, columns.id).limit(STEP).with_for_update(skip_locked=True, of=traces)
    rows = connection.execute(chosen).all()
    ids = [id for _, id, _ in rows]
    connection.execute(delete(traces).where(columns.id.in_(ids)))
    said = connection.execute(delete(feedback).where(feedback.c.trace_id.in_(ids))).rowcount
    return tuple(rows[-1][:2]) if len(rows) == STEP else (), Pruned(len(rows), said, sum(size for *_, size in rows))


def _whole_months(engine: Engine, before: datetime) -> Iterator[Pruned]:
    """Drop the partitions in which nothing is to be kept: that costs the same for any number of rows."""
    with told(engine.url), engine.connect() as connection:
        past = [month for month in months.there(connection) if month.next.begin <= before]
    for month in past:
        for attempt in range(ATTEMPTS):
            try:
                with engine.begin() as connection:
                    pruned = _drop(connection, month, before)
                # What was said of its traces while it was dropped.
                with engine.begin() as connection:
                    connection.execute(delete(feedback).where(*_orphaned(month)))
                break
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE or attempt == ATTEMPTS - 1:
                    with told(engine.url):
                        raise
                time.sleep(1.0)
        yield pruned


def _drop(connection: Connection, month: months.Month, before: datetime) -> Pruned:
    """Drop the partition of a month, unless it has something to keep."""
    name = month.partition
    own = Table(name, MetaData(), *(Column(column.name, column.type) for column in traces.columns))
    months.hold(connection)
    kept = select(exists().where(or_(~_begun(own, before), ~_settled(own), _named(own))))
    if month not in months.there(connection) or connection.execute(kept).scalar_one():
        return Pruned(0, 0, 0)
    pruned = _measured(connection, own, before)
    connection.execute(delete(feedback).where(feedback.c.trace_id.in_(select(own.c.id))))
    connection.execute(text(f"ALTER TABLE traces DETACH PARTITION {name}"))
    connection.execute(text(f"DROP TABLE {name}"))
    return pruned


def _orphaned(month: months.Month) -> tuple[Any, ...]:
    """Of the feedback on traces of this month, that whose trace is gone."""
    begin, end = first_id(month.begin), first_id(month.next.begin)
    return feedback.c.trace_id >= begin, feedback.c.trace_id < end, ~exists().where(traces.c.id == feedback.c.trace_id)


def _measured(connection: Connection, table: Table, before: datetime) -> Pruned:
    old = (_begun(table, before), _settled(table), ~_named(table))
    count, size = connection.execute(select(func.count(), func.coalesce(func.sum(_size(connection, table)), 0)).where(*old)).one()
    said = select(func.count()).select_from(feedback.join(table, table.c.id == feedback.c.trace_id)).where(*old)
    return Pruned(count, connection.execute(said).scalar_one(), int(size))


def _begun(table: Table, before: datetime) -> Any:
    return table.c.created_at < before.isoformat(timespec="milliseconds")


def _settled(table: Table) -> Any:
    return table.c.outcome.is_not(None)


def _named(table: Table) -> Any:
    """Whether an evaluation's results name it."""
    return exists().where(results.c.trace_id == table.c.id)


def _size(connection: Connection, table: Table = traces) -> Any:
    if connection.dialect.name == "postgresql":
        return func.octet_length(table.c.body)
    return func.length(cast(table.c.body, LargeBinary))


def _give_space_back(engine: Engine) -> None:
    with told(engine.url), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.exec_driver_sql("PRAGMA auto_vacuum").scalar_one() != INCREMENTAL:
            # A file of an earlier version would have to be written anew, while nobody else writes: its free pages are used again.
            return
        driver: Any = connection.connection.driver_connection
        # Where others write for long, the rest is given back the next time.
        with suppress(sqlite3.OperationalError):
            while connection.exec_driver_sql("PRAGMA freelist_count").scalar_one():
                # Executed alone it would stop after the first page: the driver takes it for a statement with rows.
                driver.executescript(f"PRAGMA incremental_vacuum({PAGES})")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
