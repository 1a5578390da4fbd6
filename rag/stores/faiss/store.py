"""Generations as folders: vectors in FAISS, terms in tantivy, chunks in SQLite.

Knows how folders are named, sealed and opened. Knows no embedder, and not which generation is current.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rag.embedders.base import Vectors
from rag.errors import StorageError
from rag.stores.base import Block, Generation, Index, Source, Tuning, collection_name
from rag.stores.contents import Contents, blocks_of
from rag.stores.faiss import sealed
from rag.stores.faiss.index import FaissIndex
from rag.stores.faiss.schema import GENERATION, TERMS
from rag.stores.faiss.writer import Writer
from rag.types import Chunk


class FaissStore:
    """Generations under `root/<collection>/<id>/`.

    Up to `exact_limit` chunks dense search is exact, above it approximate (IVF).
    """

    def __init__(self, root: Path, exact_limit: int = 200_000) -> None:
        self._root = root
        self._exact_limit = exact_limit

    def build(
        self,
        collection: str,
        embedder: str,
        chunks: Iterable[Chunk],
        vectors: Iterable[Vectors],
        tune: Callable[[Index], Tuning],
    ) -> Generation:
        return self._sealed(
            collection, blocks_of(chunks, vectors), lambda contents: contents.generation(collection, embedder), tune
        )

    def copy(self, source: Source) -> Generation:
        generation = source.generation
        if generation.id in sealed.names(self._root / collection_name(generation.collection)):
            self.verify(generation.collection, generation.id)
            return generation
        return self._sealed(
            generation.collection, source.blocks(), lambda contents: contents.require(generation), lambda _: generation
        )

    def open(self, collection: str, generation_id: str) -> Index:
        folder = self._folder(collection, generation_id)
        sealed.verify(folder)
        try:
            return FaissIndex(folder, _generation(folder), self._exact_limit)
        except (OSError, RuntimeError, ValueError, sqlite3.Error) as error:
            problem = f"the index in {folder} cannot be opened ({error})"
            raise StorageError(problem, "make the folder readable and writable") from error

    def verify(self, collection: str, generation_id: str) -> None:
        sealed.verify(self._folder(collection, generation_id))

    def generations(self, collection: str) -> Iterator[Generation]:
        home = self._root / collection_name(collection)
        return (_generation(home / name) for name in sealed.names(home))

    def publish(self, collection: str, generation_id: str | None) -> None:
        """Does nothing: only the ledger records it."""

    def drop(self, collection: str, generation_id: str) -> None:
        sealed.remove(self._folder(collection, generation_id))

    def close(self) -> None:
        """Does nothing: only open indexes hold files."""

    def _sealed(
        self,
        collection: str,
        blocks: Iterable[Block],
        identify: Callable[[Contents], Generation],
        tune: Callable[[Index], Tuning],
    ) -> Generation:
        """Write blocks into a new folder, and seal it with the generation that `identify` gives and what `tune` returns."""
        home = self._root / collection_name(collection)
        with sealed.unsealed(home) as folder, contextlib.closing(Writer(folder)) as writer:
            for block in blocks:
                writer.add(block)
            writer.finish(inverted=writer.contents.count > self._exact_limit)
            generation = identify(writer.contents)
            with contextlib.closing(FaissIndex(folder, generation, self._exact_limit)) as index:
                generation = generation.model_copy(update=dict(tune(index)))
            with sealed.writing(home):
                for lock in folder.glob(f"{TERMS}/*.lock"):
                    lock.unlink()
                (folder / GENERATION).write_text(generation.model_dump_json(), encoding="utf-8")
                sealed.seal(folder, generation.id)
        return generation

    def _folder(self, collection: str, generation_id: str) -> Path:
        home = self._root / collection_name(collection)
        if generation_id not in sealed.names(home):
            raise StorageError(
                f"collection {collection} has no index {generation_id}",
                "`rag index list` shows what there is, `rag index rebuild --collection NAME` makes one",
            )
        return home / generation_id


def _generation(folder: Path) -> Generation:
    path = folder / GENERATION
    try:
        return Generation.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        mend = "remove its folder, then `rag index rebuild --collection NAME` makes another"
        raise StorageError(f"{path} is damaged or missing", mend) from error
