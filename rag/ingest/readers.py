"""Reads files into entries: one per file, or one per row of CSV and JSON Lines.

Knows file types and encodings. Leaves HTML, PDF and DOCX to the sandbox, and judges no content.
"""

import codecs
import csv
import datetime
import io
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

import yaml

from rag.ingest.charset import decoded
from rag.ingest.chunker import OUTLINED, outline
from rag.ingest.quality import MOST_CHARACTERS, Flaw, Reason
from rag.ingest.sandbox import Failure, Sandbox
from rag.ingest.sources import File
from rag.text.characters import sound
from rag.types import Metadata, Scalar

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
MEDIA_TYPES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".txt": "text/plain",
    ".text": "text/plain",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".pdf": "application/pdf",
    ".docx": DOCX,
    ".csv": "text/csv",
    ".tsv": "text/csv",
    ".jsonl": "application/jsonl",
    ".ndjson": "application/jsonl",
}
HEAD = 8192
"""Leading bytes that decide whether a file of unknown type is text."""
MOST_BYTES = 4 * MOST_CHARACTERS
MARK = "---"


class Entry(NamedTuple):
    """One document as it was read, before any check."""

    id: str
    title: str
    text: str
    media_type: str
    metadata: Metadata
    named: bool = False
    """Whether the file gave the id, which is else made from the file's name and row."""


def media_type(file: File) -> str | None:
    """The type by the file's suffix, else `text/plain` if it begins like text; null for a binary file. Raises `OSError`."""
    known = MEDIA_TYPES.get(file.path.suffix.lower())
    if known:
        return known
    with file.path.open("rb") as stream:
        head = stream.read(HEAD)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return None
    return None if b"\0" in head else "text/plain"


def read(file: File, kind: str, sandbox: Sandbox) -> Iterator[Entry | Flaw]:
    """The entries of a file of media type `kind`, and a flaw for each that could not be read. Raises `OSError`."""
    rows = {"text/csv": _csv, "application/jsonl": _jsonl}.get(kind)
    if rows is not None:
        yield from rows(file)
    elif kind in ("text/markdown", "text/plain"):
        yield _text(file, kind)
    else:
        yield _parsed(file, kind, sandbox)


def _text(file: File, kind: str) -> Entry | Flaw:
    text = _decoded(file)
    if isinstance(text, Flaw):
        return text
    metadata: dict[str, Scalar] = {}
    if kind == "text/markdown":
        text, metadata = _front_matter(text)
    return Entry(file.source, str(metadata.pop("title", "")) or _first_heading(text, kind), text, kind, metadata)


def _parsed(file: File, kind: str, sandbox: Sandbox) -> Entry | Flaw:
    parsed = sandbox.parse(file.path, kind)
    if isinstance(parsed, Failure):
        return Flaw(source=file.source, reason=parsed.reason, detail=f"{file.source}: {parsed.detail}", document_id=file.source)
    text = sound(parsed.text)
    return Entry(file.source, sound(parsed.title) or _first_heading(text, kind), text, kind, {})


def _first_heading(text: str, kind: str) -> str:
    sections = outline(text) if kind in OUTLINED else []
    return next((section.headings[0] for section in sections if section.headings), "")


def _jsonl(file: File) -> Iterator[Entry | Flaw]:
    with file.path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"), parse_constant=_refuse)
                    yield _json_entry(file, number, row)
                except UnicodeDecodeError as error:
                    yield _bad_row(file, number, f"not UTF-8 at byte {error.start + 1} of the line")
                except json.JSONDecodeError as error:
                    yield _bad_row(file, number, f"not JSON ({error.msg} at column {error.colno})")
                except (ValueError, RecursionError) as error:
                    yield _bad_row(file, number, str(error))


def _json_entry(file: File, number: int, row: Any) -> Entry:
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    if not isinstance(row.get("text"), str):
        raise ValueError('no "text", or one that is not a string')
    id, title, inner = row.get("id"), row.get("title"), row.get("metadata")
    if id is not None and (isinstance(id, bool) or not isinstance(id, str | int) or id == ""):
        raise ValueError('"id" is neither a string nor an integer')
    if title is not None and not isinstance(title, str):
        raise ValueError('"title" is not a string')
    if inner is not None and not isinstance(inner, dict):
        raise ValueError('"metadata" is not an object')
    outer = {key: value for key, value in row.items() if key not in ("id", "title", "text", "metadata")}
    return Entry(
        sound(str(id)) if id is not None else f"{file.source}#{number}",
        sound(title or ""),
        sound(row["text"]),
        "application/jsonl",
        _scalars({**outer, **(inner or {})}),
        named=id is not None,
    )


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _csv(file: File) -> Iterator[Entry | Flaw]:
    text = _decoded(file)
    if isinstance(text, Flaw):
        yield text
        return
    rows = _csv_rows(text)
    line, header = next(rows, (1, []))
    if isinstance(header, csv.Error):
        yield _bad_row(file, line, str(header))
        return
    names = [name.strip() for name in header]
    repeated = [name for name, count in Counter(map(str.lower, names)).items() if name and count > 1]
    if repeated:
        yield _bad_row(file, line, f"more than one column is called {repeated[0]}")
        return
    number = 0
    for line, row in rows:
        if isinstance(row, csv.Error):
            yield _bad_row(file, line, str(row))
        elif any(row):
            number += 1
            if len(row) == len(names):
                yield _csv_entry(file, number, dict(zip(names, row, strict=True)))
            else:
                problem = f"{len(row)} columns where the first line has {len(names)}"
                yield _bad_row(file, line, problem, f"{file.source}#{number}")


def _csv_rows(text: str) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """Each row, or the error in it, with the number of its first line."""
    csv.field_size_limit(MOST_CHARACTERS)
    delimiter = max("\t;,|", key=text.partition("\n")[0].count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        began = rows.line_num + 1
        try:
            yield began, next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield began, error


def _csv_entry(file: File, number: int, row: Mapping[str, str]) -> Entry:
    """If there is a `text` column, it is the text and the others are metadata; else the text is one line per column."""
    role = {name.lower(): value for name, value in row.items() if name.lower() in ("id", "title", "text")}
    others = {name: value for name, value in row.items() if name and value and name.lower() not in role}
    lines = (f"{name}: {value}" for name, value in row.items() if value and name.lower() != "id")
    return Entry(
        role.get("id") or f"{file.source}#{number}",
        role.get("title", ""),
        role["text"] if "text" in role else "\n".join(lines),
        "text/csv",
        others if "text" in role else {},
        named=bool(role.get("id")),
    )


def _bad_row(file: File, line: int, problem: str, document_id: str | None = None) -> Flaw:
    return Flaw(source=file.source, reason=Reason.BAD_ROW, detail=f"{file.source}:{line}: {problem}", document_id=document_id)


def _decoded(file: File) -> str | Flaw:
    """The text of a file, decoded as `charset.decoded` does, or the flaw that prevents it. Raises `OSError`."""

    def flaw(reason: Reason, problem: str) -> Flaw:
        return Flaw(source=file.source, reason=reason, detail=f"{file.source}: {problem}", document_id=file.source)

    size = file.path.stat().st_size
    if size > MOST_BYTES:
        return flaw(Reason.TOO_LONG, f"{size:,} bytes; split it into files of at most {MOST_BYTES:,}")
    content = file.path.read_bytes()
    text = decoded(content)
    if text is None:
        return flaw(Reason.UNDECODABLE, "neither UTF-8 nor plainly another encoding; convert it to UTF-8")
    return sound(text)


def _front_matter(text: str) -> tuple[str, dict[str, Scalar]]:
    """The text, its YAML front matter replaced by spaces so that offsets stay those of the file, and the metadata in it."""
    lines = text.splitlines(keepends=True)
    marks = [number for number, line in enumerate(lines) if line.rstrip() == MARK][:2]
    if len(marks) < 2 or marks[0] != 0:
        return text, {}
    end = marks[1] + 1
    try:
        found = yaml.safe_load("".join(lines[1 : end - 1]))
    except (yaml.YAMLError, ValueError, RecursionError):
        return text, {}
    if not isinstance(found, dict):
        return text, {}
    length = sum(map(len, lines[:end]))
    blank = "".join(character if character in "\r\n" else " " for character in text[:length])
    return blank + text[length:], _scalars(found)


def _scalars(values: Mapping[Any, Any]) -> dict[str, Scalar]:
    """The values that metadata can hold: scalars, dates as ISO 8601, lists of scalars joined by commas.

    All others are dropped.
    """
    kept: dict[str, Scalar] = {}
    for key, value in values.items():
        if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
            value = ", ".join(map(str, value))
        if isinstance(value, datetime.date):
            value = value.isoformat()
        if isinstance(value, str):
            value = sound(value)
        if isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
            kept[sound(str(key))] = value
    return kept
