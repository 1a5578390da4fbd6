"""The ledger opens, migrates, and says clearly why it cannot."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, insert, make_url, select, text

from rag.errors import GroundwireError, StorageError
from rag.ledger import migrations
from rag.ledger.database import PassingError, connect, located, opened, told
from rag.ledger.schema import NEWEST, metadata, runs
from rag.ledger.traces import Traces
from rag.ledger.writer import Writer
from tests.rag.ledger.test_traces import trace
from tests.servers.postgres import NEEDED, PASSWORD, Postgres, binaries


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'ledger.db'}"


def differences(connection: Connection) -> list[Any]:
    """Between the tables that are there and the schema, the months of traces aside."""

    def is_ours(name: str | None, kind: str, _parents: object) -> bool:
        return not (kind == "table" and name is not None and name.startswith("traces_"))

    return list(compare_metadata(MigrationContext.configure(connection, opts={"include_name": is_ours}), metadata))


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, ledger_url: str, tmp_path: Path) -> Iterator[str]:
    """Of a database without tables."""
    if ledger_url.startswith("sqlite"):
        yield ledger_url
        return
    server: Postgres = request.getfixturevalue("postgres")
    empty = server.empty()
    yield empty
    server.drop(empty)


def test_the_migrations_lead_to_the_schema(ledger_url: str) -> None:
    with opened(ledger_url) as engine, engine.connect() as connection:
        assert differences(connection) == []
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == NEWEST


def test_opening_twice_keeps_what_is_there(ledger_url: str) -> None:
    with opened(ledger_url) as first, first.begin() as connection:
        connection.execute(text("INSERT INTO collections (name, embedder) VALUES ('kept', 'hash')"))
    with opened(ledger_url) as second, second.connect() as connection:
        assert connection.execute(text("SELECT name FROM collections")).scalar() == "kept"


def test_a_newer_ledger_is_refused(ledger_url: str) -> None:
    with opened(ledger_url) as engine, engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match=r"migration 9999.*upgrade"):
        connect(ledger_url)


def test_of_processes_that_open_a_new_ledger_at_once_one_migrates_it(empty_url: str) -> None:
    program = "import sys; from rag.ledger.database import opened\nwith opened(sys.argv[1]): pass"
    starting = [subprocess.Popen([sys.executable, "-c", program, empty_url], stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=60)[1] for process in starting] == [""] * 4
    with opened(empty_url) as engine, engine.connect() as connection:
        assert differences(connection) == []


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


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004"])
def test_an_older_ledger_is_upgraded_and_keeps_its_rows(revision: str, empty_url: str) -> None:
    engine = create_engine(located(empty_url))
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
        for id, at in OLD_TRACES.items():
            connection.execute(
                text(
                    "INSERT INTO traces (id, created_at, owner, channel, collection, variant, variant_sha256, model,"
                    " prompt_tokens, completion_tokens, body) VALUES (:id, :at, 'o', 'c', 'kept', 'v', 'x', 'm', 1, 1, :body)"
                ),
                {"id": id, "at": at, "body": json.dumps({"question": "a\0b \\u0000"})},
            )
        before = {
            table: connection.execute(text(f"SELECT * FROM {table}")).all() for table in ("collections", "documents", "chunks")
        }
    engine.dispose()
    with opened(empty_url) as engine, engine.connect() as connection:
        assert differences(connection) == []
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == NEWEST
        assert {table: connection.execute(text(f"SELECT * FROM {table}")).all() for table in before} == before
        there = connection.execute(text("SELECT id, created_at, question FROM traces ORDER BY id")).all()
        assert [tuple(row[:2]) for row in there] == sorted(OLD_TRACES.items())
        if engine.dialect.name == "postgresql":
            assert {row.question for row in there} == {None if revision >= "0003" else "a\ufffdb \\u0000"}
            parted = connection.execute(text("SELECT tableoid::regclass::text FROM traces ORDER BY id")).scalars().all()
            months = ["traces_2026_01", "traces_2026_02", "traces_2026_02", "traces_default"]
            assert parted == (months if revision < "0004" else ["traces_default"] * 4), "a migration moves what is there, once"


def test_text_is_ordered_by_its_code_points(ledger_url: str) -> None:
    with opened(ledger_url) as engine, engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            # Whatever table a migration adds, its text has to be ordered so, too.
            ordered = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
            odd = f"{ordered} AND data_type IN ('text', 'character varying') AND collation_name IS DISTINCT FROM 'C'"
            assert connection.execute(text(odd)).all() == [("alembic_version", "version_num")]
            assert connection.execute(text("SELECT 'a' < 'B'")).scalar(), "this database orders as SQLite does: nothing is proved"
        names = ["b", "a-b", "ab", "a b", "B", "_", "ä", "Z", "\U0001f600", "\ufb01", "a/1", "a/10", "a/2"]
        connection.execute(
            insert(runs), [{"id": str(n), "created_at": "", "name": name, "body": ""} for n, name in enumerate(names)]
        )
        assert connection.execute(select(runs.c.name).order_by(runs.c.name)).scalars().all() == sorted(names)


OLD_TRACES = {
    "019b7a3f-0000-7000-8000-000000000000": "2026-01-01T12:00:00.000+00:00",
    "019c1b00-0000-7000-8000-000000000000": "2026-02-01T18:00:00.000+00:00",
    "019c1b00-0000-7000-8000-000000000001": "2026-02-01T18:00:00.000+00:00",
    "odd": "2026-02-03T00:00:00.000+00:00",
}
"""Id, and when it began."""


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
        "no port": Case("postgresql://ann:secret@host:port/db", "the URL of the ledger cannot be read"),
        "no URL": Case("secret", "the URL of the ledger cannot be read"),
        "another database": Case("mysql://ann:secret@host/db", "the ledger cannot be kept in mysql"),
    }


WRONG = (
    *("no server", "no socket", "no such host", "wrong password", "no password", "no such role", "no such database", "no rights"),
    *("read only", "no port", "no URL", "another database"),
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


def test_a_driver_that_is_missing_is_told_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(GroundwireError, match=r"psycopg, which is not installed: `pip install 'groundwire\[cluster\]'`"):
        connect("postgresql://ann:secret@host/db")


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
        with pytest.raises(PassingError, match="see that the server runs|wait until it is up"):
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
    monkeypatch.setattr("rag.ledger.database.PATIENCE_SECONDS", 0.5)
    with opened(own_postgres.ledger()) as engine:
        writer = Writer(engine)
        log = Traces(engine, writer)
        log.submit(trace()).result(30)
        own_postgres.stop()
        with pytest.raises(PassingError):
            log.submit(trace()).result(30)
        own_postgres.start()
        log.submit(trace()).result(30)
        assert len(log.latest(10)) == 3, "what nobody waited for any more is written when it is back"
        writer.close()
