"""A connection to the ledger, at the newest migration.

Knows what SQLite and PostgreSQL each need to be opened and written to. Knows no table.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from rag.errors import ConfigurationError, StorageError
from rag.ledger.failures import POOL_SECONDS, describe, translated
from rag.ledger.migration import migrate

POOL = {"pool_size": 4, "max_overflow": 4, "pool_timeout": POOL_SECONDS, "pool_pre_ping": True}
"""A busy server holds four connections: the traces' writer, the allowances, the rollouts' controller, a reader. At
twice that for moments of many readers, PostgreSQL's default of 100 connections serves twelve processes.
`pool_pre_ping` replaces those the server has closed."""

CONNECTING = {"connect_timeout": "10", "application_name": "groundwire", "keepalives_idle": "30", "tcp_user_timeout": "30000"}
"""Options of libpq (seconds, but `tcp_user_timeout` in ms); those in the URL take precedence."""


def connect(url: str) -> Engine:
    """Open the ledger, creating it if it does not exist, and bring it to the newest migration.

    Raises `StorageError` if it cannot be reached or written, is no database, or was written by a newer version, and
    `ConfigurationError` if the URL names another kind of database.
    """
    parsed = parse_url(url)
    engine = _postgresql(parsed) if parsed.get_backend_name() == "postgresql" else _sqlite(parsed)
    try:
        with translated(parsed):
            migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """`connect` as a context manager, which disposes of the engine."""
    engine = connect(url)
    try:
        yield engine
    finally:
        engine.dispose()


def parse_url(url: str) -> URL:
    """Parse a ledger URL, choosing the driver.

    Raises `ConfigurationError`, which does not quote the URL: it may hold a password.
    """
    mend = "GROUNDWIRE_LEDGER is written as in postgresql://user:password@host/database; without it, SQLite in the home is used"
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise ConfigurationError("the URL of the ledger cannot be read", mend) from None
    if backend not in ("postgresql", "sqlite"):
        raise ConfigurationError(f"the ledger cannot be kept in {backend}", mend)
    return parsed.set(drivername="postgresql+psycopg") if backend == "postgresql" else parsed


@contextmanager
def exclusive(engine: Engine) -> Iterator[Connection]:
    """A transaction in which what was read stays true until it commits.

    On SQLite it excludes all other writers. On PostgreSQL it locks only the rows selected `with_for_update()`; use
    `insert_or_ignore` for new rows, so that their key decides which of two writers wins.
    """
    with translated(engine.url), engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # The driver begins a transaction at the first write: a row that was read before it may have changed by then.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


def insert_or_ignore(connection: Connection, table: Table) -> Any:
    """An insert that leaves an existing row with the same key as it is; `rowcount` counts the rows that were inserted."""
    return _insert(connection.dialect.name, table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


def upsert(connection: Connection, table: Table) -> Any:
    """An insert that updates an existing row with the same key in place, so a transaction waiting for the row still finds it."""
    return _upsert(connection.dialect.name, table)


@cache
def _upsert(dialect: str, table: Table) -> Any:
    statement = _insert(dialect, table)
    replaced = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=replaced)


def _insert(dialect: str, table: Table) -> Any:
    return (postgresql.insert if dialect == "postgresql" else sqlite.insert)(table)


def _sqlite(url: URL) -> Engine:
    if url.database:
        _make_private(Path(url.database))
    engine = create_engine(url)
    event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _postgresql(url: URL) -> Engine:
    try:
        engine = create_engine(
            url, connect_args={name: value for name, value in CONNECTING.items() if name not in url.query}, **POOL
        )
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{describe(url)} needs the driver {error.name}, which is not installed", "`pip install 'groundwire[cluster]'`"
        ) from error
    event.listen(engine, "connect", _set_up_postgresql)
    return engine


def _make_private(path: Path) -> None:
    """Make the file and its folder, if they do not exist, for this user alone: they hold every document and question."""
    folder = path.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the folder {folder} cannot be made ({error.strerror})", "make it writable, or set GROUNDWIRE_HOME to one that is"
        ) from error
    # SQLite itself tells what is wrong with a folder that takes no file.
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _set_up_sqlite(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA busy_timeout=30000")
    if cursor.execute("PRAGMA page_count").fetchone() == (0,):
        # Pages that become free can be given back a few at a time. Of an older file it would only be a write.
        cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    # What is deleted is overwritten, where that costs no more writing.
    cursor.execute("PRAGMA secure_delete=FAST")
    cursor.close()


def _set_up_postgresql(connection: Any, _record: object) -> None:
    connection.adapters.register_dumper(str, _without_nul())


@cache
def _without_nul() -> type:
    from psycopg.types.string import StrDumper

    class WithoutNul(StrDumper):
        """PostgreSQL takes every character but this one: it is replaced in what is written, and in what is looked for."""

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd"))

    return WithoutNul
