"""A generation in another store is the same one, and what does not arrive whole is not there."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from rag.cli import app
from rag.embedders.base import Vectors
from rag.embedders.hashing import HashingEmbedder
from rag.errors import StorageError
from rag.ingest.ingest import ingest
from rag.runtime import Runtime
from rag.settings import Settings
from rag.stores import open_store
from rag.stores.base import Block, Generation, Index, Tuning
from rag.stores.copying import DEPTH, PROBES, Probe, agreement, copy
from rag.stores.faiss.store import FaissStore
from tests.chunks import chunk

EMBEDDER = HashingEmbedder()


def built(store: FaissStore, texts: list[str], of: Callable[[list[str]], Vectors] = EMBEDDER.embed) -> Index:
    chunks = [chunk(position, text, tokens=3) for position, text in enumerate(texts)]
    generation = store.build("guide", EMBEDDER.identity, chunks, [of(texts)] if texts else [], lambda _: Tuning())
    return store.open("guide", generation.id)


@pytest.fixture
def store(tmp_path: Path) -> FaissStore:
    return FaissStore(tmp_path / "one")


@pytest.fixture
def target(tmp_path: Path) -> FaissStore:
    return FaissStore(tmp_path / "other")


TEXTS = [f"passage {n} of the guide tells of word{n}" for n in range(300)]


@pytest.mark.parametrize("count", [0, 1, PROBES - 1, 300])
@pytest.mark.parametrize("limit", [10_000, 40])
def test_a_copy_has_the_same_id_and_answers_alike(count: int, limit: int, tmp_path: Path, target: FaissStore) -> None:
    index = built(FaissStore(tmp_path / "one", exact_limit=limit), TEXTS[:count])
    told: list[tuple[int, int]] = []
    assert copy(index, target, lambda done, total: told.append((done, total))) == (1.0, 1.0)
    assert list(target.generations("guide")) == [index.generation]
    assert told[-1:] == [(count, count)] * bool(count)
    copied = target.open("guide", index.generation.id)
    for one, other in zip(index.blocks(), copied.blocks(), strict=True):
        assert one.texts == other.texts
        assert one.vectors.tobytes() == other.vectors.tobytes()
    copied.close()
    index.close()


def test_a_second_copy_verifies_the_first(store: FaissStore, target: FaissStore, tmp_path: Path) -> None:
    index = built(store, TEXTS[:60])
    copy(index, target, lambda *_: None)
    assert copy(index, target, lambda *_: None) == (1.0, 1.0)
    (vectors,) = (tmp_path / "other").rglob("vectors.faiss")
    vectors.write_bytes(vectors.read_bytes()[:-1])
    with pytest.raises(StorageError, match=r"vectors\.faiss is damaged"):
        copy(index, target, lambda *_: None)
    index.close()


class Short:
    """A source of which something is lost, or another, on the way."""

    def __init__(self, index: Index, change: Callable[[Block], Block]) -> None:
        self.generation: Generation = index.generation
        self._index = index
        self._change = change

    def blocks(self) -> Iterator[Block]:
        return map(self._change, self._index.blocks())


@pytest.mark.parametrize(
    "change",
    [
        lambda block: Block(block.chunks[:-1], block.texts[:-1], block.vectors[:-1]),
        lambda block: block._replace(vectors=np.roll(block.vectors, 1)),
        lambda block: block._replace(texts=[text.replace("word7", "word8") for text in block.texts]),
        lambda block: Block(block.chunks[::-1], block.texts[::-1], block.vectors[::-1]),
    ],
)
def test_what_is_not_the_same_to_the_byte_is_not_sealed(
    change: Callable[[Block], Block], store: FaissStore, target: FaissStore
) -> None:
    index = built(store, TEXTS[:60])
    with pytest.raises(StorageError, match=rf"{index.generation.id} of collection guide is damaged.*rag index rebuild"):
        target.copy(Short(index, change))
    assert list(target.generations("guide")) == []
    index.close()


def test_agreement_is_the_share_of_the_best_that_both_find(store: FaissStore, target: FaissStore) -> None:
    index = built(store, TEXTS)
    shifted = built(target, TEXTS, lambda texts: EMBEDDER.embed([*texts[DEPTH // 2 :], *texts[: DEPTH // 2]]))
    probes = [Probe(text, vector) for text, vector in zip(TEXTS[:20], EMBEDDER.embed(TEXTS[:20]), strict=True)]
    assert agreement(index, index, probes) == (1.0, 1.0)
    found = agreement(index, shifted, probes)
    assert found.dense < 0.5
    assert found.lexical == 1.0
    index.close()
    shifted.close()


def test_a_copy_that_finds_other_passages_is_told(store: FaissStore, target: FaissStore) -> None:
    class Blind(FaissStore):
        """As an approximate index that was built badly: every vector is the last one's."""

        def open(self, collection: str, generation_id: str) -> Index:
            index = super().open(collection, generation_id)
            vectors = index._vectors  # type: ignore[attr-defined]
            last = vectors.reconstruct_n(index.generation.chunks - 1, 1)
            vectors.reset()
            vectors.add(np.repeat(last, index.generation.chunks, axis=0))
            return index

    index = built(store, TEXTS)
    with pytest.raises(StorageError, match=r"is whole, but finds only \d+% of what the original finds"):
        copy(index, Blind(target._root), lambda *_: None)
    index.close()


def test_the_command_copies_what_the_ledger_calls_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDWIRE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GROUNDWIRE_EMBEDDER", "hash")
    (tmp_path / "page.md").write_text("# Kettles\n\nKettles are covered for 24 months.\n")
    with Runtime(Settings()) as runtime:
        ingest([str(tmp_path / "page.md")], "guide", runtime)
        current = runtime.corpus.collection("guide").generation
    other = str(tmp_path / "elsewhere")
    told = CliRunner().invoke(app, ["index", "copy", "--to", other, "--collection", "guide"], catch_exceptions=False).stdout
    assert f"set GROUNDWIRE_INDEX={other} to search there" in " ".join(told.split())
    assert [generation.id for generation in open_store(other).generations("guide")] == [current]
    (tmp_path / "home" / "index").rename(tmp_path / "gone")
    monkeypatch.setenv("GROUNDWIRE_INDEX", other)
    found = CliRunner().invoke(app, ["search", "kettles", "--collection", "guide", "--json"], catch_exceptions=False).stdout
    assert "24 months" in found
