"""Deletes old traces, in small transactions between which others can write.

Knows what refers to a trace, and how each database frees space. Knows nothing of what a trace says.
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
    not_,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.exc import DBAPIError

from rag.ledger import months
from rag.ledger.database import exclusive
from rag.ledger.failures import translated
from rag.ledger.ids import first_id
from rag.ledger.schema import feedback, results, traces
from rag.progress import Progress, Stage, silent

STEP = 500
"""Traces deleted in one transaction: it holds up other writers for some milliseconds."""

PAGES = 1_000
"""Pages of SQLite's file that are freed in one transaction."""

INCREMENTAL = 2
"""The value of SQLite's `auto_vacuum` at which pages can be freed a few at a time."""

ATTEMPTS = 5
"""Attempts to drop a partition that others are reading."""

LOCK_NOT_AVAILABLE = "55P03"


class Only(NamedTuple):
    """Whose traces: those that fit all that is given."""

    trace: str | None = None
    """Its id; the copies that shadow it are meant as well."""
    key: str | None = None
    """The id of the API key that asked."""
    collection: str | None = None


EVERY = Only()


class Pruned(NamedTuple):
    """What was deleted, or would be."""

    traces: int
    feedback: int
    bytes: int
    """The size of the traces as text; on disk they may take more or less."""


def prunable(engine: Engine, before: datetime, only: Only = EVERY) -> Pruned:
    """What `prune` would delete."""
    with translated(engine.url), engine.connect() as connection:
        return _measured(connection, traces, before, only)


def prune(engine: Engine, before: datetime, progress: Progress = silent, only: Only = EVERY) -> Pruned:
    """Delete the traces of `only` that were begun before `before` (timezone-aware), with their feedback.

    Traces that still run, and those that an evaluation's results refer to, stay. It can be interrupted and run again.
    """
    expected = prunable(engine, before, only)
    pruned = Pruned(0, 0, 0)
    for more in _steps(engine, before, only):
        pruned = Pruned(*(sum(pair) for pair in zip(pruned, more, strict=True)))
        progress(Stage.PRUNE, pruned.traces, max(expected.traces, pruned.traces))
    if engine.dialect.name == "sqlite" and pruned.traces:
        free_space(engine)
    return pruned


def obstacle(engine: Engine, before: datetime, only: Only) -> str | None:
    """Why the one trace that is meant stays; null if it may go, or none is named."""
    if only.trace is None:
        return None
    conditions = (_named(traces), ~_settled(traces), ~_begun(traces, before), not_(and_(true(), *_asked(traces, only))))
    with translated(engine.url), engine.connect() as connection:
        row = connection.execute(select(*conditions).where(traces.c.id == only.trace)).first()
    if row is None:
        return f"no trace has the id {only.trace}"
    reasons = (
        "the results of an evaluation name it",
        "its answer is not finished",
        "it is younger than what is to go",
        "it is of another key or collection",
    )
    return next((f"trace {only.trace} stays: {reason}" for hinders, reason in zip(row, reasons, strict=True) if hinders), None)


def _steps(engine: Engine, before: datetime, only: Only) -> Iterator[Pruned]:
    if engine.dialect.name == "postgresql" and only == EVERY:
        yield from _whole_months(engine, before)
    last: tuple[str, ...] = ("", "")
    while last:
        with exclusive(engine) as connection:
            last, pruned = _step(connection, before, only, last)
        yield pruned


def _step(connection: Connection, before: datetime, only: Only, last: tuple[str, ...]) -> tuple[tuple[str, ...], Pruned]:
    """Delete the oldest traces after `last`, (created_at, id).

    Returns the last one deleted, empty if none is left, and what was deleted.
    """
    columns = traces.c
    older = select(columns.created_at, columns.id, _size(connection)).where(*_old(traces, before, only))
    behind = or_(columns.created_at > last[0], and_(columns.created_at == last[0], columns.id > last[1]))
    # Traces that others have locked, to give feedback or to prune, are left for the next run.
    chosen = older.where(behind).order_by(columns.created_at, columns.id).limit(STEP).with_for_update(skip_locked=True, of=traces)
    rows = connection.execute(chosen).all()
    ids = [id for _, id, _ in rows]
    connection.execute(delete(traces).where(columns.id.in_(ids)))
    opinions = connection.execute(delete(feedback).where(feedback.c.trace_id.in_(ids))).rowcount
    return tuple(rows[-1][:2]) if len(rows) == STEP else (), Pruned(len(rows), opinions, sum(size for *_, size in rows))


def _whole_months(engine: Engine, before: datetime) -> Iterator[Pruned]:
    """Drop the partitions of which every trace may go: that costs the same for any number of rows."""
    with translated(engine.url), engine.connect() as connection:
        past = [month for month in months.existing(connection) if month.next.begin <= before]
    for month in past:
        for attempt in range(ATTEMPTS):
            try:
                with engine.begin() as connection:
                    pruned = _drop(connection, month, before)
                # Feedback that was given while the partition was dropped.
                with engine.begin() as connection:
                    connection.execute(delete(feedback).where(*_orphaned(month)))
                break
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE or attempt == ATTEMPTS - 1:
                    with translated(engine.url):
                        raise
                time.sleep(1.0)
        yield pruned


def _drop(connection: Connection, month: months.Month, before: datetime) -> Pruned:
    """Drop the partition of a month, unless one of its traces must stay."""
    name = month.partition
    own = Table(name, MetaData(), *(Column(column.name, column.type) for column in traces.columns))
    months.lock(connection)
    kept = select(exists().where(or_(~_begun(own, before), ~_settled(own), _named(own))))
    if month not in months.existing(connection) or connection.execute(kept).scalar_one():
        return Pruned(0, 0, 0)
    pruned = _measured(connection, own, before, EVERY)
    connection.execute(delete(feedback).where(feedback.c.trace_id.in_(select(own.c.id))))
    connection.execute(text(f"ALTER TABLE traces DETACH PARTITION {name}"))
    connection.execute(text(f"DROP TABLE {name}"))
    return pruned


def _orphaned(month: months.Month) -> tuple[Any, ...]:
    """The condition on feedback whose trace, of this month, no longer exists."""
    begin, end = first_id(month.begin), first_id(month.next.begin)
    return feedback.c.trace_id >= begin, feedback.c.trace_id < end, ~exists().where(traces.c.id == feedback.c.trace_id)


def _measured(connection: Connection, table: Table, before: datetime, only: Only) -> Pruned:
    old = _old(table, before, only)
    count, size = connection.execute(select(func.count(), func.coalesce(func.sum(_size(connection, table)), 0)).where(*old)).one()
    opinions = select(func.count()).select_from(feedback.join(table, table.c.id == feedback.c.trace_id)).where(*old)
    return Pruned(count, connection.execute(opinions).scalar_one(), int(size))


def _old(table: Table, before: datetime, only: Only) -> tuple[Any, ...]:
    own = () if only.trace is None else (or_(table.c.id == only.trace, table.c.shadow_of == only.trace),)
    return _begun(table, before), _settled(table), ~_named(table), *own, *_asked(table, only)


def _asked(table: Table, only: Only) -> tuple[Any, ...]:
    columns = {table.c.key_id: only.key, table.c.collection: only.collection}
    return tuple(column == value for column, value in columns.items() if value is not None)


def _begun(table: Table, before: datetime) -> Any:
    return table.c.created_at < before.isoformat(timespec="milliseconds")


def _settled(table: Table) -> Any:
    return table.c.outcome.is_not(None)


def _named(table: Table) -> Any:
    """Whether the results of an evaluation refer to it."""
    return exists().where(results.c.trace_id == table.c.id)


def _size(connection: Connection, table: Table = traces) -> Any:
    if connection.dialect.name == "postgresql":
        return func.octet_length(table.c.body)
    return func.length(cast(table.c.body, LargeBinary))


def free_space(engine: Engine) -> None:
    """Give the free pages of SQLite's file back to the disk."""
    with translated(engine.url), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.exec_driver_sql("PRAGMA auto_vacuum").scalar_one() != INCREMENTAL:
            # A file made by an earlier version could only be shrunk by rewriting it whole. Its free pages are reused instead.
            return
        driver: Any = connection.connection.driver_connection
        # If others hold the lock for long, the rest is freed in the next run.
        with suppress(sqlite3.OperationalError):
            while connection.exec_driver_sql("PRAGMA freelist_count").scalar_one():
                # `execute` would stop after the first page: the driver takes it for a statement that returns rows.
                driver.executescript(f"PRAGMA incremental_vacuum({PAGES})")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
