"""Holds documents on disk between files and ledger, so that a run of any size fits into memory.

Knows order; judges nothing. Its file is unlinked at once, so that it is gone when the process ends, however that happens.
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from pydantic import TypeAdapter

from rag.errors import StorageError
from rag.types import Chunk, Document

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE entries (number INTEGER PRIMARY KEY, id TEXT, source TEXT, sha256 TEXT, named INTEGER, document TEXT);
CREATE TABLE accepted (id TEXT PRIMARY KEY, number INTEGER) WITHOUT ROWID;
CREATE TABLE chunked (id TEXT PRIMARY KEY, language TEXT, chunks TEXT);
"""
_CHUNKS = TypeAdapter(list[Chunk])


class EntryHeader(NamedTuple):
    """An entry without its text. `named`: its file gives it an id."""

    number: int
    """Counts up in the order of `add`."""
    id: str
    source: str
    sha256: str
    named: bool


class ChunkedDocument(NamedTuple):
    """A document's chunks, without its text."""

    id: str
    language: str
    size: int
    """Number of chunks."""
    chunks: str
    """A JSON list of `Chunk`."""

    @classmethod
    def of(cls, document: Document, chunks: list[Chunk]) -> Self:
        return cls(document.id, document.language, len(chunks), _CHUNKS.dump_json(chunks).decode())


class Spool:
    """Stores entries in arrival order, then accepted documents and their chunks by id.

    Raises `StorageError` if the disk is full or not writable.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.chunk_count = 0
        with self._translated():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".spool-") as file:
                self._rows = sqlite3.connect(file.name)
                self._rows.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._rows.close()

    def add(self, document: Document, *, named: bool) -> None:
        row = (document.id, document.source, document.sha256, named, document.model_dump_json())
        self._write("INSERT INTO entries (id, source, sha256, named, document) VALUES (?, ?, ?, ?, ?)", *row)

    def headers(self) -> Iterator[EntryHeader]:
        return map(EntryHeader._make, self._read("SELECT number, id, source, sha256, named FROM entries ORDER BY number"))

    def accept(self, header: EntryHeader) -> None:
        self._write("INSERT INTO accepted VALUES (?, ?)", header.id, header.number)

    def accepted(self) -> Iterator[Document]:
        rows = self._read("SELECT document FROM accepted JOIN entries USING (number) ORDER BY accepted.id")
        return (Document.model_validate_json(document) for (document,) in rows)

    def add_chunks(self, chunked: ChunkedDocument) -> None:
        self._write("INSERT INTO chunked VALUES (?, ?, ?)", chunked.id, chunked.language, chunked.chunks)
        self.chunk_count += chunked.size

    def chunks(self) -> Iterator[Chunk]:
        for (chunks,) in self._read("SELECT chunks FROM chunked ORDER BY id"):
            yield from _CHUNKS.validate_json(chunks)

    def documents(self) -> Iterator[tuple[Document, list[Chunk]]]:
        tables = "chunked JOIN accepted USING (id) JOIN entries USING (number)"
        sql = f"SELECT document, language, chunks FROM {tables} ORDER BY chunked.id"  # noqa: S608 - no value in it
        for document, language, chunks in self._read(sql):
            whole = Document.model_validate_json(document).model_copy(update={"language": language})
            yield whole, _CHUNKS.validate_json(chunks)

    def _read(self, sql: str) -> Iterator[tuple[Any, ...]]:
        with self._translated():
            # Not `yield from`: a reader that is abandoned half way must not ask a database that is closed by then.
            for row in self._rows.execute(sql):  # noqa: UP028
                yield row

    def _write(self, sql: str, *values: object) -> None:
        with self._translated():
            self._rows.execute(sql, values)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise StorageError(
                f"documents on their way to the ledger cannot be kept in {self._folder} ({error})",
                "make the folder writable and leave room on its disk, or set GROUNDWIRE_HOME to another; nothing was changed",
            ) from error
