"""Group commit: rows that arrive while a commit is under way share the next one.

Knows tables and their keys. Knows nothing of what a row says.
"""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Table, bindparam, delete, insert

from rag.ledger.database import told
from rag.ledger.grouping import Grouping

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
        self._groups = Grouping(self._commit, "ledger-writer")

    def submit(self, table: Table, row: Row) -> Future[None]:
        """Write a row, in place of an earlier one with the same key; done when it is committed."""
        entry = Entry(table, row, Future())
        self._groups.put(entry)
        return entry.written

    def close(self) -> None:
        """Commit what is waiting and end the thread."""
        self._groups.close()

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
