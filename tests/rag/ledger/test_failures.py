"""Failures of a database: what people are told of them, and which are waited for."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from sqlalchemy import make_url, text

from rag.errors import GroundwireError, StorageError
from rag.ledger import database
from rag.ledger.corpus import Corpus
from rag.ledger.database import connect, opened
from rag.ledger.failures import TransientError, translated
from rag.ledger.traces import Traces
from rag.ledger.writer import Writer
from tests.rag.ledger.test_traces import trace
from tests.servers.postgres import NEEDED, PASSWORD, Postgres, binaries


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'ledger.db'}"


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
    with pytest.raises(GroundwireError, match="free some disk space"), translated(engine.url), engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        connection.execute(
            text("INSERT INTO vectors (embedder, sha256, vector) VALUES ('hash', 'x', :vector)"), {"vector": b"0" * 10_000_000}
        )


def test_a_locked_ledger_is_told_with_its_mend(tmp_path: Path) -> None:
    engine = connect(url(tmp_path))
    writer = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(GroundwireError, match="another process is writing"), translated(engine.url), engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1")
        connection.execute(text("INSERT INTO collections (name, embedder) VALUES ('a', 'hash')"))
    writer.close()


class Case(NamedTuple):
    """What is wrong, and what is told of it."""

    url: str
    told: str


def refused(postgres: Postgres) -> dict[str, Case]:
    there = postgres.url("template1", "guarded")
    return {
        "no server": Case("postgresql://ann:secret@127.0.0.1:1/db", "see that the server runs"),
        "no socket": Case("postgresql://ann:secret@/db?host=/nowhere", "see that the server runs"),
        "no such host": Case("postgresql://ann:secret@nowhere.invalid/db", "see that the server runs"),
        "wrong password": Case(there.replace("guarded@", "guarded:secret@"), "the right password"),
        "no password": Case(there, "the right password"),
        "no such role": Case(postgres.url("template1", "nobody"), "make it with"),
        "no such database": Case(postgres.url("nothing"), "make it with `createdb`"),
        "no rights": Case(there.replace("guarded@", f"guarded:{PASSWORD}@"), "the role has to own the database"),
        "read only": Case(f"{postgres.url('template1')}&options=-cdefault_transaction_read_only=on", "name the primary"),
    }


WRONG = (
    *("no server", "no socket", "no such host", "wrong password", "no password", "no such role", "no such database", "no rights"),
    "read only",
)


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_told_with_its_mend_and_without_the_password(wrong: str, postgres: Postgres) -> None:
    case = refused(postgres)[wrong]
    with pytest.raises(GroundwireError) as told:
        connect(case.url)
    everything = f"{told.value.problem}: {told.value.mend}"
    assert case.told in everything
    assert "secret" not in everything
    assert PASSWORD not in everything


def test_too_many_connections_are_told_with_their_mend(postgres: Postgres) -> None:
    url = postgres.ledger()
    postgres.run(f"ALTER DATABASE {make_url(url).database} CONNECTION LIMIT 1")
    theirs = url.replace("groundwire@", f"guarded:{PASSWORD}@")
    with opened(url) as engine, engine.connect(), pytest.raises(StorageError, match="raise max_connections"):
        connect(theirs)
    postgres.drop(url)


def test_connections_that_are_all_busy_are_told(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if ledger_url.startswith("sqlite"):
        pytest.skip("SQLite has no server")
    monkeypatch.setitem(database.POOL, "pool_timeout", 0.2)
    engine = connect(ledger_url)
    held = [engine.connect() for _ in range(8)]
    with pytest.raises(StorageError, match="all connections of this process were busy"):
        Corpus(engine).collections()
    for one in held:
        one.close()
    engine.dispose()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """That is stopped by the test."""
    if binaries() is None:
        pytest.skip(NEEDED)
    with Postgres() as server:
        yield server


def test_a_server_that_starts_anew_is_waited_for_by_who_writes_and_told_to_who_reads(own_postgres: Postgres) -> None:
    with opened(own_postgres.ledger()) as engine:
        writer = Writer(engine)
        log = Traces(engine, writer)
        log.submit(trace()).result(30)
        own_postgres.crash()
        waiting = [log.submit(trace()) for _ in range(3)]
        with pytest.raises(TransientError, match="see that the server runs|wait until it is up"):
            log.latest(10)
        assert not any(entry.done() for entry in waiting)
        own_postgres.start()
        for entry in waiting:
            entry.result(30)
        assert len(log.latest(10)) == 4
        own_postgres.stop()
        own_postgres.start()
        assert len(log.latest(10)) == 4, "connections that the server has closed are replaced unseen"
        writer.close()


def test_a_server_that_stays_away_is_told_to_who_writes(own_postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.ledger.failures.PATIENCE_SECONDS", 0.5)
    with opened(own_postgres.ledger()) as engine:
        writer = Writer(engine)
        log = Traces(engine, writer)
        log.submit(trace()).result(30)
        own_postgres.stop()
        with pytest.raises(TransientError):
            log.submit(trace()).result(30)
        own_postgres.start()
        log.submit(trace()).result(30)
        assert len(log.latest(10)) == 3, "what nobody waited for any more is written when it is back"
        writer.close()
