"""Vectors of texts that are in no collection any more are dropped, and no other."""

from collections.abc import Iterator

import numpy as np
import pytest
from sqlalchemy import Engine, func, insert, select

from rag.ledger import vectors as module
from rag.ledger.corpus import Collection, Corpus
from rag.ledger.database import opened
from rag.ledger.ingest_lock import ingesting
from rag.ledger.schema import chunks, collections, documents, vectors
from rag.ledger.vectors import drop_unnamed


@pytest.fixture
def engine(ledger_url: str) -> Iterator[Engine]:
    with opened(ledger_url) as engine:
        yield engine


def fill(engine: Engine, named: int, others: int) -> None:
    """Vectors of two embedders; one document names the first `named` of them."""
    corpus = Corpus(engine)
    for embedder in ("a", "b"):
        corpus.keep_vectors(embedder, {f"{number:064}": np.ones(2, np.float32) for number in range(named + others)})
    empty = dict.fromkeys(("title", "text", "media_type", "language", "sha256"), "")
    document = {"collection": "shop", "id": "d", "source": "d", **empty}
    piece = {"collection": "shop", "document_id": "d", "id": "", "headings": [], "start": 0, "end": 0, "tokens": 0}
    rows = [{**piece, "ordinal": number, "embedded_sha256": f"{number:064}"} for number in range(named)]
    with engine.begin() as connection:
        connection.execute(insert(documents), {**document, "metadata": {}})
        connection.execute(insert(chunks), rows)


def kept(engine: Engine) -> list[tuple[str, int]]:
    with engine.connect() as connection:
        rows = connection.execute(select(vectors.c.embedder, vectors.c.sha256).order_by(vectors.c.embedder, vectors.c.sha256))
        return [(embedder, int(sha256)) for embedder, sha256 in rows]


def test_what_no_chunk_names_is_dropped(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEP", 3)
    fill(engine, named=4, others=7)
    assert drop_unnamed(engine) == 14
    assert kept(engine) == [(embedder, number) for embedder in "ab" for number in range(4)]
    assert drop_unnamed(engine) == 0


def test_a_ledger_without_any(engine: Engine) -> None:
    assert drop_unnamed(engine) == 0
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(vectors)).scalar_one() == 0


def test_what_an_ingest_has_embedded_and_not_committed_stays(engine: Engine, ledger_url: str) -> None:
    fill(engine, named=1, others=2)
    with opened(ledger_url) as other:
        with ingesting(other), ingesting(engine):
            assert drop_unnamed(engine) is None
            assert len(kept(engine)) == 6
        assert drop_unnamed(other) == 4
        with ingesting(engine):
            pass
    assert drop_unnamed(engine) == 0


def test_a_removed_collection_takes_what_no_other_names_and_nothing_else(engine: Engine) -> None:
    """The others may be of an ingest into another collection."""
    fill(engine, named=3, others=2)
    there = Collection("shop", "a", None)
    with engine.begin() as connection:
        connection.execute(insert(collections), there._asdict() | {"generation": "g"})
        shared = select(documents).where(documents.c.id == "d")
        rows = [dict(row) for row in connection.execute(shared).mappings()]
        connection.execute(insert(documents), [row | {"collection": "other"} for row in rows])
        last = connection.execute(select(chunks).where(chunks.c.ordinal == 2)).mappings().one()
        connection.execute(insert(chunks), dict(last) | {"collection": "other"})
    Corpus(engine).remove(there._replace(generation="g"))
    assert kept(engine) == [(embedder, number) for embedder in "ab" for number in (2, 3, 4)]
