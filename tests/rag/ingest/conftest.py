"""The embedders and the workplace that the tests of ingest share."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from rag.embedders.base import Embedder, Vectors
from rag.embedders.hashing import HashingEmbedder
from rag.embedders.onnx import OnnxEmbedder
from rag.ingest.ingest import ingest
from rag.ingest.report import Report
from rag.runtime import Runtime
from rag.settings import Settings


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return OnnxEmbedder()


@pytest.fixture(scope="session")
def small(embedder: OnnxEmbedder) -> Embedder:
    """The same tokenizer with a window of 32."""

    class Small(OnnxEmbedder):
        max_tokens = 32

        def __init__(self) -> None:
            vars(self).update(vars(embedder))

    return Small()


class Counting(HashingEmbedder):
    """Remembers what it embedded."""

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.embedded += texts
        return super().embed(texts)


class Workplace:
    """A folder that is the current one, with a ledger and a store of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runtime = Runtime(Settings(home=folder.parent / "home", embedder="hash"))
        self.corpus, self.store = self.runtime.corpus, self.runtime.store
        self.use(Counting())

    def use(self, embedder: Counting) -> None:
        self.embedder = embedder
        self.runtime._embedders["hash"] = embedder

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def ingest(self, *paths: str, prune: bool = False, moved: bool = False) -> Report:
        self.embedder.embedded.clear()
        return ingest(paths or ["."], "guide", self.runtime, prune=prune, moved=moved)

    def texts(self) -> dict[str, str]:
        """What the current generation holds, by document id."""
        generation = self.corpus.collection("guide").generation
        if generation is None:
            return {}
        index = self.store.open("guide", generation)
        chunks = index.chunks(range(index.generation.chunks))
        index.close()
        texts: dict[str, str] = {}
        for chunk in chunks:
            texts[chunk.document_id] = f"{texts.get(chunk.document_id, '')}{chunk.text}\n"
        return texts


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workplace]:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    place = Workplace(folder)
    with place.runtime:
        yield place
