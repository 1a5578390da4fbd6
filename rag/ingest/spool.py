"""Documents on their way from files to the ledger: on disk, so that a run of any size fits into memory.

Knows order; judges nothing. Its file has no name, so that it is gone with the process, however that ends.
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
CREATE TABLE cuts (id TEXT PRIMARY KEY, language TEXT, chunks TEXT);
"""
_CHUNKS = TypeAdapter(list[Chunk])


class Head(NamedTuple):
    """An entry without its text."""

    number: int
    """In the order of `add`."""
    id: str
    source: str
    sha256: str
    named: bool


class Cut(NamedTuple):
    """What became of a document."""

    id: str
    language: str
    size: int
    """In chunks."""
    chunks: str
    """As JSON."""

    @classmethod
    def of(cls, document: Document, pieces: list[Chunk]) -> Self:
        return cls(document.id, document.language, len(pieces), _CHUNKS.dump_json(pieces).decode())


class Spool:
    """Entries in the order they came; the accepted of them, and what these were cut into, by id. Raises `StorageError` for a disk
    that does not take them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.chunk_count = 0
        with self._told():
            folder.mkdir(parents=True, exist_ok=True)
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

    def heads(self) -> Iterator[Head]:
        return map(Head._make, self._read("SELECT number, id, source, sha256, named FROM entries ORDER BY number"))

    def accept(self, head: Head) -> None:
        self._write("INSERT INTO accepted VALUES (?, ?)", head.id, head.number)

    def accepted(self) -> Iterator[Document]:
        rows = self._read("SELECT document FROM accepted JOIN entries USING (number) ORDER BY accepted.id")
        return (Document.model_validate_json(document) for (document,) in rows)

    def keep(self, cut: Cut) -> None:
        self._write("INSERT INTO cuts VALUES (?, ?, ?)", cut.id, cut.language, cut.chunks)
        self.chunk_count += cut.size

    def chunks(self) -> Iterator[Chunk]:
        for (chunks,) in self._read("SELECT chunks FROM cuts ORDER BY id"):
            yield from _CHUNKS.validate_json(chunks)

    def cuts(self) -> Iterator[tuple[Document, list[Chunk]]]:
        sql = "SELECT document, language, chunks FROM cuts JOIN accepted USING (id) JOIN entries USING (number) ORDER BY cuts.id"
        for document, language, chunks in self._read(sql):
            whole = Document.model_validate_json(document).model_copy(update={"language": language})
            yield whole, _CHUNKS.validate_json(chunks)

    def _read(self, sql: str) -> Iterator[tuple[Any, ...]]:
        with self._told():
            # One by one: what is left behind half read must not ask a database that is closed by then.
            for row in self._rows.execute(sql):  # noqa: UP028
                yield row

    def _write(self, sql: str, *values: object) -> None:
        with self._told():
            self._rows.execute(sql, values)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise StorageError(
                f"documents on their way to the ledger cannot be kept in {self._folder} ({error})",
                "make the folder writable and leave room on its disk, or set GROUNDWIRE_HOME to another; nothing was changed",
            ) from error
