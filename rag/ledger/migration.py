"""A ledger brought to the newest migration.

Knows alembic, and that several processes may migrate at once. Knows no table.
"""

from pathlib import Path

from sqlalchemy import Engine, inspect, text

from rag.errors import StorageError
from rag.ledger.failures import describe
from rag.ledger.schema import NEWEST

LOCK = 0x677765697265
"""The advisory lock of the process that migrates."""


def migrate(engine: Engine) -> None:
    """Upgrade the ledger to `NEWEST`; does nothing if it is there. Raises `StorageError` if a newer version has written it."""
    if _revision(engine) != NEWEST:
        _upgrade(engine)
        # The upgrade switched off foreign keys on its connection, which must not be reused.
        engine.dispose()


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(engine: Engine) -> None:
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
            # The driver begins no transaction for DDL: without one, a process that is killed would leave some of the
            # tables behind.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            # Of several processes that start at once, one migrates; the others wait, and find it done.
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        found = MigrationContext.configure(connection).get_current_revision()
        try:
            ScriptDirectory.from_config(config).get_revision(found or "base")
        except CommandError as error:
            raise StorageError(
                f"{describe(engine.url)} is at migration {found}, which this version does not know",
                "it was written by a newer Groundwire: upgrade this one, or use another ledger",
            ) from error
        config.attributes["connection"] = connection
        command.upgrade(config, NEWEST)
