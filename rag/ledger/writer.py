"""Group commit: rows that arrive while a commit is under way share the next one.

Knows tables and their keys. Knows nothing of what a row says.
"""

import queue
import threading
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Table, bindparam, delete, insert

from rag.ledger.database import told

GROUP = 256
"""Most rows in one commit."""

Row = dict[str, Any]


class Entry(NamedTuple):
    """A row on its way, and who waits for it."""

    table: Table
    row: Row
    written: Future[None]


class Writer:
    """Writes rows in the order they come, from a thread of its own; `close` waits for it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._entries: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._ending = threading.Lock()

    def submit(self, table: Table, row: Row) -> Future[None]:
        """Write a row, in place of an earlier one with the same key; done when it is committed."""
        entry = Entry(table, row, Future())
        with self._ending:
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_groups, name="ledger-writer", daemon=True)
                self._thread.start()
            self._entries.put(entry)
        return entry.written

    def close(self) -> None:
        """Commit what is waiting and end the thread."""
        with self._ending:
            if self._thread:
                self._entries.put(None)
                self._thread.join()
                self._thread = None

    def _write_groups(self) -> None:
        ended = False
        while not ended:
            group = [self._entries.get()]
            while len(group) < GROUP and not self._entries.empty():
                group.append(self._entries.get())
            ended = None in group
            self._commit([entry for entry in group if entry])

    def _commit(self, entries: Sequence[Entry]) -> None:
        error: BaseException | None = None
        try:
            with told(self._engine.url), self._engine.begin() as connection:
                _write(connection, entries)
        except Exception as raised:  # noqa: BLE001 - it is raised where each row is waited for
            error = raised
        for entry in entries:
            if entry.written.set_running_or_notify_cancel():
                entry.written.set_exception(error) if error else entry.written.set_result(None)


def _write(connection: Connection, entries: Sequence[Entry]) -> None:
    newest: defaultdict[Table, dict[tuple[Any, ...], Row]] = defaultdict(dict)
    for table, row, _ in entries:
        newest[table][tuple(row[column.name] for column in table.primary_key)] = row
    for table, rows in newest.items():
        key = [column == bindparam(f"key_{column.name}") for column in table.primary_key]
        keys = [{f"key_{column.name}": row[column.name] for column in table.primary_key} for row in rows.values()]
        connection.execute(delete(table).where(*key), keys)
        connection.execute(insert(table), list(rows.values()))
