"""A connection to the ledger, at the newest migration.

Knows what SQLite and PostgreSQL each need, migrations, and how a database that cannot be used is told to people. Knows no table.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Table, create_engine, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from rag.errors import ConfigurationError, StorageError
from rag.ledger.schema import NEWEST

POOL = {"pool_size": 4, "max_overflow": 4, "pool_timeout": 30, "pool_pre_ping": True}
"""A busy server holds four: the traces' writer, the allowances, the rollouts' controller, a reader. With twice as many for moments of
many readers, PostgreSQL's usual hundred do for twelve processes. One that the server has closed meanwhile is replaced unseen."""

CONNECTING = {"connect_timeout": "10", "application_name": "groundwire", "keepalives_idle": "30", "tcp_user_timeout": "30000"}
"""Of libpq; what the URL says counts more."""

PATIENCE_SECONDS = 20.0
"""For so long a PostgreSQL that starts anew, or whose standby takes over, is waited for; requests wait with it."""

AGAIN_SECONDS = 0.25

MIGRATION = 0x677765697265
"""The advisory lock of whoever migrates."""


T = TypeVar("T")


class PassingError(StorageError):
    """What may be well soon: PostgreSQL is not reached or starts anew, or two transactions waited for each other."""


def connect(url: str) -> Engine:
    """Open the ledger, make it if it is not there, and bring it to the newest migration.

    Raises `StorageError` where it cannot be reached or written, is no database, or was written by a newer version, and
    `ConfigurationError` for a URL of something else.
    """
    place = located(url)
    engine = _postgresql(place) if place.get_backend_name() == "postgresql" else _sqlite(place)
    try:
        with told(place):
            if _migration(engine) != NEWEST:
                _migrate(engine)
                engine.dispose()
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """`connect`, for as long as it is needed."""
    engine = connect(url)
    try:
        yield engine
    finally:
        engine.dispose()


def located(url: str) -> URL:
    """The URL, read. Raises `ConfigurationError` for one that names no database we know, without repeating it: it may have a password."""
    mend = "GROUNDWIRE_LEDGER is written as in postgresql://user:password@host/database; without it, SQLite in the home is used"
    try:
        place = make_url(url)
        backend = place.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise ConfigurationError("the URL of the ledger cannot be read", mend) from None
    if backend not in ("postgresql", "sqlite"):
        raise ConfigurationError(f"the ledger cannot be kept in {backend}", mend)
    return place.set(drivername="postgresql+psycopg") if backend == "postgresql" else place


def named(place: URL) -> str:
    """A ledger as people are told of it: where it is, without the password."""
    if place.get_backend_name() == "sqlite":
        return f"the ledger {place.database}"
    host = place.host or place.query.get("host", "localhost")
    return f"the ledger {place.database or place.username} on {host}{f':{place.port}' if place.port else ''}"


@contextmanager
def exclusive(engine: Engine) -> Iterator[Connection]:
    """A transaction in which what is read stays true until what is written is committed.

    On SQLite it keeps out all other writers; on PostgreSQL it does so for the rows that are selected `with_for_update()`, and for
    new rows their key decides: `insert_new`.
    """
    with told(engine.url), engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # The driver begins a transaction at the first write: a row that was read before it may have changed by then.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


def patiently(attempt: Callable[[], T]) -> T:
    """What `attempt` returns, which is tried again for `PATIENCE_SECONDS` where what it meets may be well soon."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return attempt()
        except PassingError:
            if time.monotonic() >= until:
                raise
        time.sleep(AGAIN_SECONDS)


def insert_new(connection: Connection, table: Table) -> Any:
    """An insert that leaves a row with the same key as it is, whoever wrote it meanwhile; its `rowcount` tells."""
    return _insert(connection.dialect.name, table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


def put(connection: Connection, table: Table) -> Any:
    """An insert that replaces a row with the same key in its place: whoever waits for the row finds it."""
    return _put(connection.dialect.name, table)


@cache
def _put(dialect: str, table: Table) -> Any:
    statement = _insert(dialect, table)
    replaced = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=replaced)


@contextmanager
def told(place: URL) -> Iterator[None]:
    """Tell what the database refuses as a `StorageError` that names it and the mend."""
    try:
        yield
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        kind = PassingError if _passes(error) else StorageError
        raise kind(f"{named(place)} cannot be used: {reason}", _mend(error, place)) from error
    except PoolTimeoutError as error:
        raise StorageError(
            f"{named(place)} cannot be used: all connections of this process were busy for {POOL['pool_timeout']} s",
            "something holds them for long, or too much is asked of one process: run more of them",
        ) from error


def _passes(error: DBAPIError) -> bool:
    code = getattr(error.orig, "sqlstate", "") or ""
    # Where no connection was made there is no code.
    unreached = code == "" and isinstance(error, OperationalError) and hasattr(error.orig, "sqlstate")
    return error.connection_invalidated or unreached or code.startswith(("08", "57P", "40"))


def _insert(dialect: str, table: Table) -> Any:
    return (postgresql.insert if dialect == "postgresql" else sqlite.insert)(table)


def _mend(error: DBAPIError, place: URL) -> str:
    mends = _SQLITE if place.get_backend_name() == "sqlite" else _POSTGRESQL
    reason = f"{getattr(error.orig, 'sqlstate', None)}: {error.orig}"
    for mend, signs in mends.items():
        if any(sign in reason for sign in signs):
            return mend
    if place.get_backend_name() == "sqlite":
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
"""Mends, and the signs that ask for them: error codes of PostgreSQL, and what libpq says where there was no connection to give one."""


def _sqlite(place: URL) -> Engine:
    if place.database:
        _make_folder(Path(place.database).parent)
    engine = create_engine(place)
    event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _postgresql(place: URL) -> Engine:
    try:
        engine = create_engine(
            place, connect_args={name: value for name, value in CONNECTING.items() if name not in place.query}, **POOL
        )
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{named(place)} needs the driver {error.name}, which is not installed", "`pip install 'groundwire[cluster]'`"
        ) from error
    event.listen(engine, "connect", _set_up_postgresql)
    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the folder {folder} cannot be made ({error.strerror})", "make it writable, or set GROUNDWIRE_HOME to one that is"
        ) from error


def _set_up_sqlite(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA busy_timeout=30000")
    if cursor.execute("PRAGMA page_count").fetchone() == (0,):
        # Pages that become free can be given back a few at a time. Of an older file it would only be a write.
        cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
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


def _migration(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            # The driver begins no transaction for DDL: a process that is killed would leave some of the tables behind.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            # Of several processes that start at once, one migrates, and the others wait and find it done.
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION})
        found = MigrationContext.configure(connection).get_current_revision()
        try:
            ScriptDirectory.from_config(config).get_revision(found or "base")
        except CommandError as error:
            raise StorageError(
                f"{named(engine.url)} is at migration {found}, which this version does not know",
                "it was written by a newer Groundwire: upgrade this one, or use another ledger",
            ) from error
        config.attributes["connection"] = connection
        command.upgrade(config, NEWEST)
