"""A connection to the ledger, at the newest migration.

Knows SQLite's settings, migrations, and how a database that cannot be used is told to people. Knows no table.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DatabaseError

from rag.errors import StorageError
from rag.ledger.schema import NEWEST


def connect(url: str) -> Engine:
    """Open the ledger, make it if it is not there, and bring it to the newest migration.

    Raises `GroundwireError` where it cannot be written, is no database, or was written by a newer version.
    """
    place = make_url(url)
    if place.get_backend_name() == "sqlite" and place.database:
        _make_folder(Path(place.database).parent)
    engine = create_engine(place)
    if place.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    with told(place):
        found = _migration(engine)
        if found != NEWEST:
            _migrate(engine, found, place)
            engine.dispose()
    return engine


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """`connect`, for as long as it is needed."""
    engine = connect(url)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def exclusive(engine: Engine) -> Iterator[Connection]:
    """A transaction in which what is read stays true until what is written is committed.

    On SQLite it keeps out all other writers; elsewhere it does so for the rows that are selected `with_for_update()`.
    """
    with told(engine.url), engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # The driver begins a transaction at the first write: a row that was read before it may have changed by then.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


@contextmanager
def told(place: URL) -> Iterator[None]:
    """Tell what the database refuses as a `GroundwireError` that names it and the mend."""
    try:
        yield
    except DatabaseError as error:
        raise StorageError(f"the ledger {place.database} cannot be used: {error.orig}", _mend(str(error.orig))) from error


def _mend(reason: str) -> str:
    if "full" in reason or "I/O" in reason:
        return "free some disk space and run the command again; nothing was half written"
    if "readonly" in reason or "unable to open" in reason:
        return "make the folder writable, or set GROUNDWIRE_HOME to one that is"
    if "not a database" in reason or "malformed" in reason:
        return "restore it from a backup, or move it away and ingest again"
    if "locked" in reason:
        return "another process is writing; run the command again when it has finished"
    return "set GROUNDWIRE_HOME to another folder, or restore it from a backup"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the folder {folder} cannot be made ({error.strerror})", "make it writable, or set GROUNDWIRE_HOME to one that is"
        ) from error


def _set_up_sqlite(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.close()


def _migration(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(engine: Engine, found: str | None, place: URL) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        ScriptDirectory.from_config(config).get_revision(found or "base")
    except CommandError as error:
        raise StorageError(
            f"the ledger {place.database} is at migration {found}, which this version does not know",
            "it was written by a newer Groundwire: upgrade this one, or set GROUNDWIRE_HOME to another folder",
        ) from error
    with engine.begin() as connection:
        if place.get_backend_name() == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            # The driver begins no transaction for DDL: a process that is killed would leave some of the tables behind.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, NEWEST)
