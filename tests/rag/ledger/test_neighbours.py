"""What is done to one collection touches no other, though both are made of the same files."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from rag.ingest.ingest import ingest
from rag.ledger.schema import chunks, collections, documents, quarantine, sources
from rag.runtime import Runtime
from rag.settings import Settings


@pytest.fixture
def runtime(ledger_url: str, tmp_path: Path) -> Iterator[Runtime]:
    with Runtime(Settings(home=tmp_path / "home", ledger=ledger_url, embedder="hash")) as opened:
        yield opened


@pytest.fixture
def pages(tmp_path: Path, runtime: Runtime) -> Path:
    """A folder with a file that cannot be read, in the collections `mine` and `theirs`."""
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "hours.md").write_text("# Hours\n\nThe shop opens at nine.")
    (folder / "returns.md").write_text("# Returns\n\nGoods are taken back within a month.")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 nothing of the kind")
    for name in ("mine", "theirs"):
        ingest([str(folder)], name, runtime)
    return folder


def rows(runtime: Runtime, name: str) -> dict[str, list[tuple[object, ...]]]:
    """All that the ledger knows of a collection, by table."""
    found = {}
    with runtime.engine.connect() as connection:
        for table in (chunks, documents, sources, quarantine):
            kept = connection.execute(select(table).where(table.c.collection == name)).all()
            found[table.name] = sorted((tuple(row) for row in kept), key=repr)
        found["collections"] = [tuple(row) for row in connection.execute(select(collections).where(collections.c.name == name))]
    return found


def test_a_page_that_changes_in_one_collection(runtime: Runtime, pages: Path) -> None:
    before = rows(runtime, "theirs")
    assert all(before.values())
    (pages / "hours.md").write_text("# Hours\n\nThe shop opens at eight.")
    (pages / "broken.pdf").write_bytes(b"%PDF-1.7 nothing of that kind either")
    assert ingest([str(pages)], "mine", runtime).changed == 1
    assert rows(runtime, "theirs") == before


def test_a_page_that_goes_from_one_collection(runtime: Runtime, pages: Path) -> None:
    before = rows(runtime, "theirs")
    for name in ("hours.md", "broken.pdf"):
        (pages / name).unlink()
    assert ingest([str(pages)], "mine", runtime, prune=True).removed == 1
    assert rows(runtime, "theirs") == before


def test_a_collection_that_is_removed(runtime: Runtime, pages: Path) -> None:
    before = rows(runtime, "theirs")
    runtime.corpus.remove(runtime.corpus.collection("mine"))
    assert not any(rows(runtime, "mine").values())
    assert rows(runtime, "theirs") == before
