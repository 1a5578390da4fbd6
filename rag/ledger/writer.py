"""Group commit: rows that arrive while a commit is under way share the next one, which also carries the process's heartbeat.

Knows tables and their keys. Knows nothing of what a row says.
"""

import itertools
import logging
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Table

from rag.errors import GroundwireError
from rag.ledger.batch_queue import BatchQueue
from rag.ledger.database import upsert
from rag.ledger.failures import TransientError, retried, translated
from rag.ledger.months import Months
from rag.ledger.processes import EVERY_SECONDS, deregister, heartbeat
from rag.ledger.schema import processes

BACKLOG = 10_000
"""Rows held in memory while the database is unreachable for longer than callers wait: some hundred megabytes with their texts."""

Row = dict[str, Any]


class Entry(NamedTuple):
    """A row to write, and the future of its caller. A null row is only a heartbeat."""

    table: Table
    row: Row | None
    written: Future[None]


class Writer:
    """Writes rows in arrival order from a thread of its own; `close` waits for it.

    From its first row until `close` it sends heartbeats, so that other processes leave this one's unfinished rows
    alone. A row that cannot be written because the database is unreachable is written once it is back, even if its
    caller no longer waits.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._months = Months(engine)
        self._groups = BatchQueue(self._commit, "ledger-writer", EVERY_SECONDS)
        self._heartbeat_at = -math.inf
        """The last heartbeat, by `time.monotonic`."""
        self._backlog: dict[tuple[Table, tuple[Any, ...]], Row] = {}

    def announce(self) -> Future[None]:
        """Send a heartbeat before the first row; the future is done once it is committed."""
        return self._put(Entry(processes, None, Future()))

    def submit(self, table: Table, row: Row) -> Future[None]:
        """Write a row, replacing an earlier one with the same key; the future is done once it is committed."""
        return self._put(Entry(table, row, Future()))

    def close(self) -> None:
        """Commit the rows that wait, end the thread and deregister the process."""
        self._groups.close()
        if self._backlog:
            self._commit([])
        if self._heartbeat_at > -math.inf:
            self._heartbeat_at = -math.inf
            # If this fails, the missing heartbeats tell the same.
            with suppress(GroundwireError), translated(self._engine.url), self._engine.begin() as connection:
                deregister(connection)

    def _put(self, entry: Entry) -> Future[None]:
        self._groups.put(entry)
        return entry.written

    def _commit(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            entry.written.set_running_or_notify_cancel()
        self._settle(entries)

    def _settle(self, entries: Sequence[Entry]) -> None:
        """Write entries and resolve their futures.

        If the database rejects them, each is written alone, as a single row may be at fault.
        """
        try:
            # Repeating a commit of which only the reply was lost has the same effect.
            retried(partial(self._attempt, entries)) if entries else self._attempt(entries)
        except Exception as error:  # noqa: BLE001 - it is raised where each row is waited for
            if not entries:
                logging.getLogger("groundwire").warning("the ledger could not be told that this process lives: %s", error)
            elif isinstance(error, TransientError):
                self._keep(entries)
                _resolve(entries, error)
            elif len(entries) > 1 or self._backlog:
                backlog = [Entry(table, row, Future()) for (table, _), row in self._backlog.items()]
                self._backlog.clear()
                for entry in (*backlog, *entries):
                    self._settle([entry])
            else:
                _resolve(entries, error)
        else:
            _resolve(entries)

    def _keep(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if entry.row is not None:
                self._backlog[entry.table, _key(entry.table, entry.row)] = entry.row
        for place in list(itertools.islice(self._backlog, max(0, len(self._backlog) - BACKLOG))):
            logging.getLogger("groundwire").error("a row of %s is lost: the ledger is away for too long", place[0].name)
            del self._backlog[place]

    def _attempt(self, entries: Sequence[Entry]) -> None:
        """Write entries and the backlog, with a heartbeat if the last is `EVERY_SECONDS` ago."""
        now = time.monotonic()
        due = now - self._heartbeat_at >= EVERY_SECONDS
        rows = self._backlog | {
            (entry.table, _key(entry.table, entry.row)): entry.row for entry in entries if entry.row is not None
        }
        self._months.prepare()
        with translated(self._engine.url), self._engine.begin() as connection:
            _write(connection, rows)
            if due:
                heartbeat(connection)
        self._backlog.clear()
        if due:
            self._heartbeat_at = now


def _resolve(entries: Sequence[Entry], error: Exception | None = None) -> None:
    """Resolve the futures of callers that still wait."""
    for entry in entries:
        if not entry.written.done():
            entry.written.set_exception(error) if error else entry.written.set_result(None)


def _key(table: Table, row: Row) -> tuple[Any, ...]:
    return tuple(row[column.name] for column in table.primary_key)


def _write(connection: Connection, rows: Mapping[tuple[Table, tuple[Any, ...]], Row]) -> None:
    """Sorted by table and key, so that processes lock rows in the same order and do not deadlock."""
    places = sorted(rows, key=lambda place: (place[0].name, place[1]))
    for table, group in itertools.groupby(places, key=lambda place: place[0]):
        connection.execute(upsert(connection, table), [rows[place] for place in group])
