"""The monthly partitions of traces on PostgreSQL; SQLite has one table.

Knows which partitions exist, and creates the next ones before they are needed. Knows no column but the id.
"""

import logging
import time
from collections.abc import Collection
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from rag.ledger.ids import first_id

AHEAD = 2
"""Months whose partitions are created in advance: creating them may fail for that long without harm."""

AGAIN_SECONDS = 60.0
"""Between two attempts to create partitions."""

PATIENCE = "2s"
"""How long to wait for a lock: while one process waits for it, all later ones queue behind."""

LOCK = 0x67776D6F6E
"""The advisory lock of a process that creates or drops a partition."""


class Month(NamedTuple):
    """A calendar month in UTC."""

    year: int
    month: int

    @classmethod
    def of(cls, moment: datetime) -> "Month":
        return cls(moment.year, moment.month)

    @property
    def next(self) -> "Month":
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    @property
    def begin(self) -> datetime:
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def partition(self) -> str:
        """The table that holds its traces."""
        return f"traces_{self.year:04}_{self.month:02}"


class Months:
    """Ensures that the current month and the `AHEAD` after it have partitions. Several processes may do so at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._made: Month | None = None
        """The last month whose partition is known to exist."""
        self._again = 0.0

    def prepare(self, now: datetime | None = None) -> None:
        """Create the partitions that are missing; returns at once if a former call has done so. A failure is logged
        and tried again after `AGAIN_SECONDS`; until then, traces go to the default partition.
        """
        if self._engine.dialect.name != "postgresql" or time.monotonic() < self._again:
            return
        wanted = coming(now or datetime.now(UTC))
        if self._made is not None and self._made >= wanted[-1]:
            return
        try:
            with self._engine.connect() as connection:
                if missing(connection, wanted):
                    make(connection, wanted)
                    connection.commit()
        except DBAPIError as error:
            self._again = time.monotonic() + AGAIN_SECONDS
            logging.getLogger("groundwire").warning("no partition for the traces of %s yet: %s", wanted[-1].partition, error.orig)
        else:
            self._made = wanted[-1]


def coming(now: datetime) -> list[Month]:
    """The month of `now` and the `AHEAD` after it."""
    months = [Month.of(now)]
    for _ in range(AHEAD):
        months.append(months[-1].next)
    return months


def existing(connection: Connection) -> list[Month]:
    """The months that have a partition, oldest first."""
    listed = r"""
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'traces'::regclass AND relname ~ '^traces_\d{4}_\d\d$'
    """
    return sorted(Month(int(name[7:11]), int(name[12:])) for name in connection.execute(text(listed)).scalars())


def missing(connection: Connection, months: Collection[Month]) -> list[Month]:
    """Which of `months` have no partition, oldest first."""
    return sorted(set(months) - set(existing(connection)))


def make(connection: Connection, months: Collection[Month]) -> None:
    """Create the partitions of these months that are missing, in the transaction of the connection.

    A month that has traces in the default partition already gets none: they stay there.
    """
    if not missing(connection, months):
        return
    lock(connection)
    for month in missing(connection, months):
        bounds = {"begin": first_id(month.begin), "end": first_id(month.next.begin)}
        astray = text("SELECT EXISTS (SELECT FROM traces_default WHERE id >= :begin AND id < :end)")
        if connection.execute(astray, bounds).scalar_one():
            continue
        # Unlike creating the partition in place, attaching it does not lock out readers and writers of the other months.
        connection.execute(text(f"CREATE TABLE {month.partition} (LIKE traces INCLUDING ALL)"))
        connection.execute(
            text(
                f"ALTER TABLE traces ATTACH PARTITION {month.partition} FOR VALUES FROM ('{bounds['begin']}') TO ('{bounds['end']}')"
            )
        )


def lock(connection: Connection) -> None:
    """Take the lock on partitions until the transaction ends. From here on, every lock is given up after `PATIENCE`."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE}'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
