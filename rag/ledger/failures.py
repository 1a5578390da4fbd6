"""Failures of a database: those that pass by themselves, and those that people must mend.

Knows what SQLite, PostgreSQL and their drivers say when they cannot be used. Knows no table.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from rag.errors import StorageError

PATIENCE_SECONDS = 20.0
"""How long to wait for PostgreSQL to restart or fail over. Requests wait too."""

AGAIN_SECONDS = 0.25
"""Between two attempts."""

POOL_SECONDS = 30
"""How long to wait for a free connection of this process."""

Result = TypeVar("Result")


class TransientError(StorageError):
    """A failure that may pass by itself: PostgreSQL is unreachable or restarting, or a deadlock was broken."""


def describe(url: URL) -> str:
    """The ledger's location for messages, without the password."""
    if url.get_backend_name() == "sqlite":
        return f"the ledger {url.database}"
    host = url.host or url.query.get("host", "localhost")
    return f"the ledger {url.database or url.username} on {host}{f':{url.port}' if url.port else ''}"


def retried(attempt: Callable[[], Result]) -> Result:
    """Call `attempt`, retrying transient failures for up to `PATIENCE_SECONDS`."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return attempt()
        except TransientError:
            if time.monotonic() >= until:
                raise
        time.sleep(AGAIN_SECONDS)


@contextmanager
def translated(url: URL) -> Iterator[None]:
    """Translate SQLAlchemy errors into a `StorageError` that names the database and the remedy."""
    try:
        yield
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        kind = TransientError if _is_transient(error) else StorageError
        raise kind(f"{describe(url)} cannot be used: {reason}", _mend(error, url)) from error
    except PoolTimeoutError as error:
        raise StorageError(
            f"{describe(url)} cannot be used: all connections of this process were busy for {POOL_SECONDS} s",
            "something holds them for long, or too much is asked of one process: run more of them",
        ) from error


def _is_transient(error: DBAPIError) -> bool:
    code = getattr(error.orig, "sqlstate", "") or ""
    # An error without a code: no connection was made.
    unreached = code == "" and isinstance(error, OperationalError) and hasattr(error.orig, "sqlstate")
    return error.connection_invalidated or unreached or code.startswith(("08", "57P", "40"))


def _mend(error: DBAPIError, url: URL) -> str:
    mends = _SQLITE if url.get_backend_name() == "sqlite" else _POSTGRESQL
    reason = f"{getattr(error.orig, 'sqlstate', None)}: {error.orig}"
    for mend, signs in mends.items():
        if any(sign in reason for sign in signs):
            return mend
    if url.get_backend_name() == "sqlite":
        return "set GROUNDWIRE_HOME to another folder, or restore it from a backup"
    return "the log of the PostgreSQL server says more; GROUNDWIRE_LEDGER names the database"


_SQLITE = {
    "free some disk space and run the command again; nothing was half written": ("full", "I/O"),
    "make the folder writable, or set GROUNDWIRE_HOME to one that is": ("readonly", "unable to open"),
    "restore it from a backup, or move it away and ingest again": ("not a database", "malformed"),
    "another process is writing; run the command again when it has finished": ("locked",),
}

_POSTGRESQL = {
    "give GROUNDWIRE_LEDGER the right password, as in postgresql://user:password@host/database, or set PGPASSWORD": (
        *("password authentication failed", "no password supplied", "authentication failed", "28P01"),
    ),
    "pg_hba.conf of the server says who may connect from where": ("no pg_hba.conf entry", "28000"),
    "make it with `createdb`, or name another in GROUNDWIRE_LEDGER": ('" does not exist', "3D000"),
    "wait for processes to end, raise max_connections of the server, or put a pooler before it": (
        *("too many clients", "connection slots are reserved", "too many connections", "53300"),
    ),
    "free some disk space on its server and run the command again; nothing was half written": ("53100", "No space left"),
    "name the primary in GROUNDWIRE_LEDGER: a replica takes no writes": ("25006", "read-only transaction"),
    "the role has to own the database, or to be granted CREATE on its schema": ("42501",),
    "wait until it is up and run the command again; nothing was half written": (
        *(
            "starting up",
            "shutting down",
            "recovery mode",
            "57P01",
            "57P02",
            "57P03",
            "terminating connection",
            "closed the connection",
        ),
        *("connection is lost", "consuming input failed", "connection is closed", "the connection is bad"),
    ),
    "see that the server runs, and that GROUNDWIRE_LEDGER names its host and port": (
        *("Connection refused", "No such file", "could not translate", "failed to resolve", "Name or service", "timeout expired"),
        *("timed out", "unreachable", "No route", "connection failed"),
    ),
    "a name is longer than what is kept of one: shorten it": ("22001",),
    "another process holds what was to be changed; run the command again": ("55P03", "40P01", "40001"),
}
"""Each mend with the signs of its failures: error codes of PostgreSQL, or parts of libpq's messages, which come
without a code."""
