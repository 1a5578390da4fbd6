"""Group commit: rows that arrive while a commit is under way share the next one, and say that their process lives.

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
from rag.ledger.database import PassingError, patiently, put, told
from rag.ledger.grouping import Grouping
from rag.ledger.months import Months
from rag.ledger.processes import EVERY_SECONDS, beat, leave
from rag.ledger.schema import processes

OWED = 10_000
"""Rows that are kept for a database that is away for longer than anybody waits: with their texts, some hundred megabytes."""

Row = dict[str, Any]


class Entry(NamedTuple):
    """A row on its way, and who waits for it. Null only says that the process lives."""

    table: Table
    row: Row | None
    written: Future[None]


class Writer:
    """Writes rows in the order they come, from a thread of its own; `close` waits for it.

    From its first row on until then, others hear that this process lives: what it has begun is not settled by them. A row that could
    not be written, because the database is away, is written when it is back, though nobody waits for it any more.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._months = Months(engine)
        self._groups = Grouping(self._commit, "ledger-writer", EVERY_SECONDS)
        self._heard_at = -math.inf
        """By `time.monotonic`."""
        self._owed: dict[tuple[Table, tuple[Any, ...]], Row] = {}

    def announce(self) -> Future[None]:
        """Say that this process lives, before its first row; done when it is committed."""
        return self._put(Entry(processes, None, Future()))

    def submit(self, table: Table, row: Row) -> Future[None]:
        """Write a row, in place of an earlier one with the same key; done when it is committed."""
        return self._put(Entry(table, row, Future()))

    def close(self) -> None:
        """Commit what is waiting and end the thread."""
        self._groups.close()
        if self._owed:
            self._commit([])
        if self._heard_at > -math.inf:
            self._heard_at = -math.inf
            # Where it cannot be said any more, silence will say it.
            with suppress(GroundwireError), told(self._engine.url), self._engine.begin() as connection:
                leave(connection)

    def _put(self, entry: Entry) -> Future[None]:
        self._groups.put(entry)
        return entry.written

    def _commit(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            entry.written.set_running_or_notify_cancel()
        self._settle(entries)

    def _settle(self, entries: Sequence[Entry]) -> None:
        """Write entries, and tell those who wait. What the database refuses may be a single row: then each is written alone."""
        try:
            # A commit of which only the answer was lost is done again to the same effect.
            patiently(partial(self._attempt, entries)) if entries else self._attempt(entries)
        except Exception as error:  # noqa: BLE001 - it is raised where each row is waited for
            if not entries:
                logging.getLogger("groundwire").warning("the ledger could not be told that this process lives: %s", error)
            elif isinstance(error, PassingError):
                self._owe(entries)
                _tell(entries, error)
            elif len(entries) > 1 or self._owed:
                owed = [Entry(table, row, Future()) for (table, _), row in self._owed.items()]
                self._owed.clear()
                for entry in (*owed, *entries):
                    self._settle([entry])
            else:
                _tell(entries, error)
        else:
            _tell(entries)

    def _owe(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if entry.row is not None:
                self._owed[entry.table, _key(entry.table, entry.row)] = entry.row
        for place in list(itertools.islice(self._owed, max(0, len(self._owed) - OWED))):
            logging.getLogger("groundwire").error("a row of %s is lost: the ledger is away for too long", place[0].name)
            del self._owed[place]

    def _attempt(self, entries: Sequence[Entry]) -> None:
        """Write entries and what is owed, and once in `EVERY_SECONDS` that this process lives."""
        now = time.monotonic()
        due = now - self._heard_at >= EVERY_SECONDS
        rows = self._owed | {(entry.table, _key(entry.table, entry.row)): entry.row for entry in entries if entry.row is not None}
        self._months.prepare()
        with told(self._engine.url), self._engine.begin() as connection:
            _write(connection, rows)
            if due:
                beat(connection)
        self._owed.clear()
        if due:
            self._heard_at = now


def _tell(entries: Sequence[Entry], error: Exception | None = None) -> None:
    """Those who have not left meanwhile."""
    for entry in entries:
        if not entry.written.done():
            entry.written.set_exception(error) if error else entry.written.set_result(None)


def _key(table: Table, row: Row) -> tuple[Any, ...]:
    return tuple(row[column.name] for column in table.primary_key)


def _write(connection: Connection, rows: Mapping[tuple[Table, tuple[Any, ...]], Row]) -> None:
    """Every process locks rows in one order, so that none waits for another that waits for it."""
    places = sorted(rows, key=lambda place: (place[0].name, place[1]))
    for table, group in itertools.groupby(places, key=lambda place: place[0]):
        connection.execute(put(connection, table), [rows[place] for place in group])
