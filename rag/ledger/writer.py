"""Group commit: rows that arrive while a commit is under way share the next one, and say that their process lives.

Knows tables and their keys. Knows nothing of what a row says.
"""

import logging
import math
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Table

from rag.errors import GroundwireError
from rag.ledger.database import PassingError, put, told
from rag.ledger.grouping import Grouping
from rag.ledger.months import Months
from rag.ledger.processes import EVERY_SECONDS, beat, leave
from rag.ledger.schema import processes

PATIENCE_SECONDS = 20.0
"""For so long a PostgreSQL that starts anew, or whose standby takes over, is waited for; requests wait with it."""

AGAIN_SECONDS = 0.25

Row = dict[str, Any]


class Entry(NamedTuple):
    """A row on its way, and who waits for it. Null only says that the process lives."""

    table: Table
    row: Row | None
    written: Future[None]


class Writer:
    """Writes rows in the order they come, from a thread of its own; `close` waits for it.

    From its first row on until then, others hear that this process lives: what it has begun is not settled by them.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._months = Months(engine)
        self._groups = Grouping(self._commit, "ledger-writer", EVERY_SECONDS)
        self._heard_at = -math.inf
        """By `time.monotonic`."""

    def announce(self) -> Future[None]:
        """Say that this process lives, before its first row; done when it is committed."""
        return self._put(Entry(processes, None, Future()))

    def submit(self, table: Table, row: Row) -> Future[None]:
        """Write a row, in place of an earlier one with the same key; done when it is committed."""
        return self._put(Entry(table, row, Future()))

    def close(self) -> None:
        """Commit what is waiting and end the thread."""
        self._groups.close()
        if self._heard_at > -math.inf:
            self._heard_at = -math.inf
            # Where it cannot be said any more, silence will say it.
            with suppress(GroundwireError), told(self._engine.url), self._engine.begin() as connection:
                leave(connection)

    def _put(self, entry: Entry) -> Future[None]:
        self._groups.put(entry)
        return entry.written

    def _commit(self, entries: Sequence[Entry]) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        error = self._attempt(entries)
        # A commit of which only the answer was lost is done again to the same effect.
        while entries and isinstance(error, PassingError) and time.monotonic() < until:
            time.sleep(AGAIN_SECONDS)
            error = self._attempt(entries)
        if error and not entries:
            logging.getLogger("groundwire").warning("the ledger could not be told that this process lives: %s", error)
        for entry in entries:
            if entry.written.set_running_or_notify_cancel():
                entry.written.set_exception(error) if error else entry.written.set_result(None)

    def _attempt(self, entries: Sequence[Entry]) -> BaseException | None:
        """Write entries, and once in `EVERY_SECONDS` that this process lives; what went wrong."""
        now = time.monotonic()
        due = now - self._heard_at >= EVERY_SECONDS
        try:
            self._months.prepare()
            with told(self._engine.url), self._engine.begin() as connection:
                _write(connection, entries)
                if due:
                    beat(connection)
        except Exception as raised:  # noqa: BLE001 - it is raised where each row is waited for
            return raised
        if due:
            self._heard_at = now
        return None


def _write(connection: Connection, entries: Sequence[Entry]) -> None:
    newest: defaultdict[Table, dict[tuple[Any, ...], Row]] = defaultdict(dict)
    for table, row, _ in entries:
        if row is not None:
            newest[table][tuple(row[column.name] for column in table.primary_key)] = row
    # Every process locks rows in one order, so that none waits for another that waits for it.
    for table, rows in sorted(newest.items(), key=lambda pair: pair[0].name):
        connection.execute(put(connection, table), [rows[key] for key in sorted(rows)])
