"""The ledger opens, migrates, and says clearly why it cannot."""

import sqlite3
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from rag.errors import GroundwireError
from rag.ledger import migrations
from rag.ledger.database import connect, told
from rag.ledger.schema import NEWEST, metadata


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'ledger.db'}"


def test_the_migrations_lead_to_the_schema(tmp_path: Path) -> None:
    with connect(url(tmp_path)).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == NEWEST


def test_opening_twice_keeps_what_is_there(tmp_path: Path) -> None:
    first = connect(url(tmp_path))
    with first.begin() as connection:
        connection.execute(text("INSERT INTO collections (name, embedder) VALUES ('kept', 'hash')"))
    with connect(url(tmp_path)).connect() as connection:
        assert connection.execute(text("SELECT name FROM collections")).scalar() == "kept"


def test_a_newer_ledger_is_refused(tmp_path: Path) -> None:
    with connect(url(tmp_path)).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(GroundwireError, match=r"migration 9999.*upgrade"):
        connect(url(tmp_path))


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"not a database, by any means" * 100)
    with pytest.raises(GroundwireError, match=r"ledger\.db.*restore it from a backup"):
        connect(url(tmp_path))


READ_ONLY = """
import os, sys
import alembic.command, alembic.config, alembic.util.exc, sqlalchemy.dialects.sqlite, sqlite3
from rag.ledger.database import connect
if os.geteuid() == 0:
    os.setuid(65534)
connect(sys.argv[1])
"""


def test_a_read_only_folder_is_told_with_its_mend() -> None:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        done = subprocess.run([sys.executable, "-c", READ_ONLY, url(Path(folder))], capture_output=True, text=True, check=False)
    assert "StorageError" in done.stderr
    assert "make the folder writable, or set GROUNDWIRE_HOME" in done.stderr


def test_a_full_disk_is_told_with_its_mend(tmp_path: Path) -> None:
    engine = connect(url(tmp_path))
    with pytest.raises(GroundwireError, match="free some disk space"), told(engine.url), engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        connection.execute(
            text("INSERT INTO vectors (embedder, sha256, vector) VALUES ('hash', 'x', :vector)"), {"vector": b"0" * 10_000_000}
        )


def test_a_locked_ledger_is_told_with_its_mend(tmp_path: Path) -> None:
    engine = connect(url(tmp_path))
    writer = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(GroundwireError, match="another process is writing"), told(engine.url), engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1")
        connection.execute(text("INSERT INTO collections (name, embedder) VALUES ('a', 'hash')"))
    writer.close()


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_an_older_ledger_is_upgraded_and_keeps_its_rows(revision: str, tmp_path: Path) -> None:
    engine = create_engine(url(tmp_path))
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.execute(text("INSERT INTO collections (name, embedder) VALUES ('kept', 'hash')"))
        connection.execute(
            text(
                "INSERT INTO documents (collection, id, source, title, text, media_type, language, metadata, sha256)"
                " VALUES ('kept', 'a.md', 'a.md', 'A', 'Words.', 'text/markdown', 'en', '{}', 'x')"
            )
        )
        connection.execute(
            text(
                'INSERT INTO chunks (collection, document_id, ordinal, id, headings, start, "end", tokens, embedded_sha256)'
                " VALUES ('kept', 'a.md', 0, 'c', '[]', 0, 6, 2, 'y')"
            )
        )
        before = {
            table: connection.execute(text(f"SELECT * FROM {table}")).all() for table in ("collections", "documents", "chunks")
        }
    engine.dispose()
    with connect(url(tmp_path)).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == NEWEST
        assert {table: connection.execute(text(f"SELECT * FROM {table}")).all() for table in before} == before
