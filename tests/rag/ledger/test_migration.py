"""The ledger is brought to the newest migration, whatever wrote it and however many open it at once."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, insert, select, text

from rag.errors import StorageError
from rag.ledger import migrations
from rag.ledger.database import connect, opened, parse_url
from rag.ledger.schema import NEWEST, metadata, runs
from tests.servers.postgres import Postgres

OLD_TRACES = {
    "019b7a3f-0000-7000-8000-000000000000": "2026-01-01T12:00:00.000+00:00",
    "019c1b00-0000-7000-8000-000000000000": "2026-02-01T18:00:00.000+00:00",
    "019c1b00-0000-7000-8000-000000000001": "2026-02-01T18:00:00.000+00:00",
    "odd": "2026-02-03T00:00:00.000+00:00",
}
"""Id, and when it began."""


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


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004", "0005"])
def test_an_older_ledger_is_upgraded_and_keeps_its_rows(revision: str, empty_url: str) -> None:
    engine = create_engine(parse_url(empty_url))
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
        connection.execute(text("INSERT INTO sources (collection, source, sha256) VALUES ('kept', 'a.md', 'z')"))
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
        kept = connection.execute(text("SELECT collection, source, sha256, root FROM sources")).all()
        assert [tuple(row) for row in kept] == [("kept", "a.md", "z", None)]
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
