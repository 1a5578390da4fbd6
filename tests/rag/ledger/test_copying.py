"""A ledger in another database: every row as it was, or none."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, delete, event, func, insert, select
from typer.testing import CliRunner

from prompts.errors import GroundwireError
from rag.cli import app
from rag.errors import StorageError
from rag.ingest.ingest import ingest
from rag.ledger import schema
from rag.ledger.copying import BLOCK, TABLES, copy
from rag.ledger.corpus import Change, Collection, Corpus
from rag.ledger.database import opened
from rag.runtime import Runtime
from rag.settings import Settings
from rag.types import Chunk, Document
from tests.conftest import PAGES
from tests.rag.ledger.test_retention import NOW, row
from tests.servers.postgres import PASSWORD, Postgres


@pytest.fixture
def engine(ledger_url: str) -> Iterator[Engine]:
    """A ledger with rows in every table, odd ones among them."""
    with opened(ledger_url) as engine:
        fill(engine)
        yield engine


@pytest.fixture
def empty(ledger_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Of the other kind than `engine`, where there is PostgreSQL."""
    if ledger_url.startswith("postgresql"):
        yield f"sqlite:///{tmp_path / 'copy' / 'ledger.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.empty()
    yield url
    server.drop(url)


def fill(engine: Engine) -> None:
    text = "Ärger \U0001f600 'quoted' \\ %s :x \ufffd\u2028" * 3
    vector = np.random.default_rng(0).standard_normal(384, dtype=np.float32)
    after = Collection("guide", "hash", "g1")
    document = Document(
        id="ä b",
        source="a.md",
        title=text,
        text=text,
        media_type="text/plain",
        language="de",
        metadata={"year": 2024, "share": 0.1, "on": True, "nul": "a\0b", "name": "ß"},
        sha256="0" * 64,
    )
    situated: dict[str, Any] = {"document_id": "ä b", "source": "a.md", "title": text, "headings": ("a", "b"), "language": "de"}
    chunk = Chunk(id="c", text=text[:9], start=0, end=9, tokens=3, **situated)
    corpus = Corpus(engine)
    corpus.keep_vectors("hash", {f"{number:064}": vector + number for number in range(BLOCK + 1)})
    corpus.replace(None, after, Change([(document, [chunk])], read={"a.md": "0"}))
    exact = {"first_token_ms": 0.1 + 0.2, "total_ms": 1e-300, "cost_nanodollars": 2**62, "question": text}
    asked = [*(row(NOW, **exact) for _ in range(2 * BLOCK)), row(NOW, **exact, id="odd", outcome=None)]
    body = {"body": text}
    rows: dict[str, Any] = {
        "traces": asked,
        "quarantine": [{"collection": "guide", "source": "b", "reason": "r", "detail": text}] * 3,
        "runs": [{"id": "r", "created_at": "now", "name": text, **body}],
        "results": [
            {"run_id": "r", "case_id": case, "repeat": 0, "trace_id": "odd", **body} for case in ("b", "B", "a", "ä", "_", "-")
        ],
        "responses": [{"key": "k", "created_at": "now", **body}],
        "keys": [{"id": "k", "created_at": "now", "name": "n", "sha256": "s", **body}],
        "admissions": [{"id": "a", "key_id": "k", "owner": "o", "day": "d", "expires_at": 1.1, "reserved_nanodollars": 2**60}],
        "allowances": [{"key_id": "k", "day": "d", "spent_nanodollars": 2**60, "tokens": 1 / 3, "refilled_at": 1e9 + 1 / 3}],
        "feedback": [{"trace_id": "odd", "author": "a", "created_at": "now", "score": 0.1, "comment": text}],
        "rollouts": [{"name": "n", "created_at": "now", "revision": 1, "policy": "p", "state": text}],
        "rollout_events": [{"rollout": "n", "at": "now", "actor": "a", "event": "e", "detail": text}] * 2,
    }
    with engine.begin() as connection:
        for table, entries in rows.items():
            connection.execute(insert(schema.metadata.tables[table]), entries)


def contents(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    with engine.connect() as connection:
        return {
            table.name: [tuple(found) for found in connection.execute(select(table).order_by(*table.primary_key))]
            for table in TABLES
        }


def test_every_row_of_every_table_arrives_as_it_was(engine: Engine, empty: str) -> None:
    shown: list[tuple[str, int, int]] = []
    with opened(empty) as target:
        rows = copy(engine, target, lambda *seen: shown.append(seen))
        assert contents(target) == contents(engine)
        assert all(rows.values())
        assert rows == {name: len(found) for name, found in contents(engine).items()}
        assert [total for _, done, total in shown if done == total] == [sum(rows.values())] * 2
        with target.begin() as connection:
            new = {"collection": "guide", "source": "b", "reason": "r", "detail": ""}
            connection.execute(insert(schema.quarantine), new)
            assert connection.execute(select(func.max(schema.quarantine.c.id))).scalar() == 4
        assert list(Corpus(target).chunks("guide")) == list(Corpus(engine).chunks("guide"))


def test_there_and_back_nothing_changes(engine: Engine, empty: str, tmp_path: Path) -> None:
    with opened(empty) as there, opened(f"sqlite:///{tmp_path / 'back.db'}") as back:
        copy(engine, there)
        copy(there, back)
        assert contents(back) == contents(engine)


def test_a_ledger_with_rows_is_left_alone(engine: Engine, empty: str) -> None:
    with opened(empty) as target:
        with target.begin() as connection:
            connection.execute(insert(schema.runs).values(id="r", created_at="", name="", body=""))
        before = contents(target)
        with pytest.raises(StorageError, match="has rows already, in runs: a copy goes into an empty ledger"):
            copy(engine, target)
        assert contents(target) == before


@pytest.mark.parametrize("when", [1, 6])
def test_a_copy_that_is_cut_off_leaves_nothing(engine: Engine, empty: str, when: int) -> None:
    def interrupt(*_: object) -> None:
        calls.append(1)
        if len(calls) == when:
            raise KeyboardInterrupt

    calls: list[int] = []
    with opened(empty) as target:
        with pytest.raises(KeyboardInterrupt):
            copy(engine, target, interrupt)
        assert not any(contents(target).values())
        copy(engine, target)
        assert contents(target) == contents(engine)


def test_it_is_the_ledger_of_one_moment(engine: Engine, empty: str) -> None:
    before = contents(engine)

    def meddle(*_: object) -> None:
        with engine.begin() as connection:
            connection.execute(delete(schema.traces).where(schema.traces.c.id == "odd"))
            connection.execute(delete(schema.rollout_events))

    with opened(empty) as target:
        copy(engine, target, meddle)
        assert contents(target) == before != contents(engine)


def test_a_row_that_did_not_arrive_is_told_and_nothing_is_kept(engine: Engine, empty: str) -> None:
    with opened(empty) as target:

        @event.listens_for(target, "before_cursor_execute", retval=True)
        def lose(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> Any:
            return statement, parameters[:-1] if many and "INTO vectors" in statement else parameters

        with pytest.raises(StorageError, match="rows of vectors in .* are not those that were copied"):
            copy(engine, target)
        assert not any(contents(target).values())


def test_what_is_too_long_is_named(tmp_path: Path, postgres: Postgres) -> None:
    url = postgres.ledger()
    with opened(f"sqlite:///{tmp_path / 'ledger.db'}") as source, opened(url) as target:
        with source.begin() as connection:
            connection.execute(insert(schema.traces), row(NOW, variant="v" * 65))
        with pytest.raises(StorageError, match="cannot hold a row of traces: variant has 65 characters where 64 fit in: vvv"):
            copy(source, target)
    postgres.drop(url)


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        (("groundwire@", f"groundwire:{PASSWORD}@"), "postgresql://groundwire:***@/"),
        (("?", f"?password={PASSWORD}&"), "postgresql://groundwire@/"),
    ],
)
def test_the_command_says_what_to_set_next_and_no_password(
    hidden: tuple[str, str], shown: str, tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, page in PAGES.items():
        (tmp_path / name).write_text(page)
    monkeypatch.setenv("GROUNDWIRE_HOME", str(tmp_path / "home"))
    with Runtime(Settings(embedder="hash")) as runtime:
        ingest([str(tmp_path / name) for name in PAGES], "shop", runtime)
    url = postgres.ledger()
    secret = url.replace(*hidden)
    done = CliRunner().invoke(app, ["ledger", "copy", "--to", secret], catch_exceptions=False)
    assert "3  documents" in done.stdout
    assert f"set GROUNDWIRE_LEDGER='{shown}" in done.stdout
    assert PASSWORD not in done.output
    with pytest.raises(GroundwireError, match="has rows already") as told:
        CliRunner().invoke(app, ["ledger", "copy", "--to", secret], catch_exceptions=False)
    assert PASSWORD not in str(told.value)
    monkeypatch.setenv("GROUNDWIRE_LEDGER", url)
    with Runtime(Settings()) as runtime:
        assert runtime.corpus.count("shop")[0] == 3
        assert runtime.retriever("shop").index.generation.chunks == runtime.corpus.count("shop")[1]
    postgres.drop(url)
