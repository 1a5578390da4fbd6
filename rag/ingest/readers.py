"""Reads files into entries: one per file, or one per row of CSV, JSON Lines and JSON arrays.

Knows file types and encodings. Leaves HTML, PDF and DOCX to the sandbox, and judges no content.
"""

import codecs
import contextlib
import csv
import datetime
import io
import itertools
import json
import math
import re
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
    ".json": "application/json",
}
HEAD = 8192
"""Leading bytes that decide whether a file of unknown type is text."""
MOST_BYTES = 4 * MOST_CHARACTERS
MARK = "---"
NUMBER = re.compile(r"[-+]?\d[\d.,' ]*%?")
YEAR = re.compile(r"(?:19|20)\d\d")
DELIMITERS = "\t;,|"
PREAMBLE = 20
"""Lines above the header of a table at most."""
NO_ROWS = "no rows; if it should have some, export it again"
NO_PROSE = {
    re.compile(r"\s*-----BEGIN [A-Z ]*PRIVATE KEY-----"): "a private key; keep it out of the folder",
    re.compile(r"\s*\{\\rtf\d"): "RTF is not read; save it as DOCX or PDF",
    re.compile(
        r"(?i)(?:(?:from |[a-z][\w-]*:)[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*\r?\n)*"
        r"(?:mime-version:|content-transfer-encoding:|message-id:|received: (?:from|by))"
    ): "a mail or a web archive is not read; save it as text, HTML or PDF",
}
"""How text begins that is not for people to read, and what to do about it."""


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
    with contextlib.suppress(UnicodeDecodeError):
        # Without the character that may be cut in two at the end.
        head = codecs.getincrementaldecoder("utf-8")().decode(head).encode()
    return None if decoded(head) is None else "text/plain"


def read(file: File, kind: str, sandbox: Sandbox) -> Iterator[Entry | Flaw]:
    """The entries of a file of media type `kind`, and a flaw for each that could not be read. Raises `OSError`."""
    if file.path.stat().st_size == 0:
        yield _flaw(file, Reason.EMPTY, "no text; the file has 0 bytes")
        return
    rows = {"text/csv": _csv, "application/jsonl": _jsonl, "application/json": _json}.get(kind)
    if rows is not None:
        yield from rows(file)
    elif kind in ("text/markdown", "text/plain"):
        yield _text(file, kind)
    else:
        yield from _parsed(file, kind, sandbox)


def _flaw(file: File, reason: Reason, problem: str) -> Flaw:
    """What is wrong with a whole file."""
    return Flaw(source=file.source, reason=reason, detail=f"{file.source}: {problem}", document_id=file.source)


def _text(file: File, kind: str) -> Entry | Flaw:
    text = _decoded(file)
    if isinstance(text, Flaw):
        return text
    problem = next((problem for pattern, problem in NO_PROSE.items() if pattern.match(text)), None)
    if problem:
        return _flaw(file, Reason.UNREADABLE, problem)
    metadata: dict[str, Scalar] = {}
    if kind == "text/markdown":
        text, metadata = _front_matter(text)
    return Entry(file.source, str(metadata.pop("title", "")) or _first_heading(text, kind), text, kind, metadata)


def _parsed(file: File, kind: str, sandbox: Sandbox) -> Iterator[Entry | Flaw]:
    parsed = sandbox.parse(file.path, kind)
    if isinstance(parsed, Failure):
        yield _flaw(file, parsed.reason, parsed.detail)
        return
    text = sound(parsed.text)
    yield Entry(file.source, sound(parsed.title) or _first_heading(text, kind), text, kind, {})
    if parsed.lost:
        yield _flaw(file, Reason.EMPTY, parsed.lost)


def _first_heading(text: str, kind: str) -> str:
    sections = outline(text) if kind in OUTLINED else []
    return next((section.headings[0] for section in sections if section.headings), "")


def _jsonl(file: File) -> Iterator[Entry | Flaw]:
    rows = 0
    with file.path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                rows += 1
                try:
                    row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"), parse_constant=_refuse)
                    yield _json_entry(file, number, row)
                except UnicodeDecodeError as error:
                    yield _bad_row(file, number, f"not UTF-8 at byte {error.start + 1} of the line; convert it")
                except json.JSONDecodeError as error:
                    yield _bad_row(file, number, f"not JSON ({error.msg} at column {error.colno}); write one object on each line")
                except RecursionError:
                    yield _bad_row(file, number, "nested too deeply; write its text as one string")
                except ValueError as error:
                    yield _bad_row(file, number, str(error))
    if not rows:
        yield _flaw(file, Reason.EMPTY, NO_ROWS)


def _json(file: File) -> Iterator[Entry | Flaw]:
    """An entry for each object of an array of objects; any other JSON is text."""
    text = _decoded(file)
    if isinstance(text, Flaw):
        yield text
        return
    try:
        rows = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        rows = None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        yield _text(file, "text/plain")
        return
    for number, row in enumerate(rows, 1):
        try:
            yield _json_entry(file, number, row if "text" in row else _described(row))
        except ValueError as error:
            id = f"{file.source}#{number}"
            yield Flaw(source=file.source, reason=Reason.BAD_ROW, detail=f"{id}: {error}", document_id=id)


def _described(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with its fields as its text, each on a line."""
    values = {name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for name, value in row.items()}
    lines = (f"{name}: {value}" for name, value in values.items() if name != "id" and value and row[name] is not None)
    return {"id": row.get("id"), "text": "\n".join(lines)}


def _json_entry(file: File, number: int, row: Any) -> Entry:
    if not isinstance(row, dict):
        raise ValueError('not a JSON object; write {"text": "..."} on the line')
    if not isinstance(row.get("text"), str):
        raise ValueError('no "text", or one that is not a string; call the field with the text so')
    id, title, inner = row.get("id"), row.get("title"), row.get("metadata")
    if id is not None and (isinstance(id, bool) or not isinstance(id, str | int) or id == ""):
        raise ValueError('"id" is neither a string nor an integer; put it in quotation marks')
    if title is not None and not isinstance(title, str):
        raise ValueError('"title" is not a string; put it in quotation marks')
    if inner is not None and not isinstance(inner, dict):
        raise ValueError('"metadata" is not an object; write {"key": "value"}')
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
    raise ValueError(f"{constant} is not JSON; write null")


def _csv(file: File) -> Iterator[Entry | Flaw]:
    text = _decoded(file, many=True)
    if isinstance(text, Flaw):
        yield text
        return
    rows = _below_preamble(_csv_rows(text))
    line, header = next(rows, (1, []))
    if isinstance(header, csv.Error):
        yield _bad_row(file, line, str(header))
        return
    names = [name.strip() for name in header]
    repeated = [name for name, count in Counter(map(str.lower, names)).items() if name and count > 1]
    if repeated:
        yield _bad_row(file, line, f"more than one column is called {repeated[0]}; call one of them otherwise")
        return
    second = next(rows, None)
    if second is None:
        yield _flaw(file, Reason.EMPTY, NO_ROWS)
        return
    if not isinstance(second[1], csv.Error) and _values(names, second[1]):
        yield _bad_row(file, line, "values where the names of the columns should be; put a line with the names above it")
        return
    number = 0
    for line, row in itertools.chain([second], rows):
        if isinstance(row, csv.Error):
            yield _bad_row(file, line, f"{row}; close each quotation mark, and double those inside a value")
        else:
            number += 1
            cells = _trimmed(row, len(names))
            if len(_trimmed(names, 1)) <= len(cells) <= len(names):
                yield _csv_entry(file, number, dict(zip(names, cells, strict=False)))
            else:
                problem = f"{len(row)} columns where the header has {len(names)}; put values with a delimiter in quotation marks"
                yield _bad_row(file, line, problem, f"{file.source}#{number}")


CsvRow = tuple[int, list[str] | csv.Error]


def _csv_rows(text: str) -> Iterator[CsvRow]:
    """Each row that is not blank, or the error in it, with the number of its first line."""
    csv.field_size_limit(MOST_CHARACTERS)
    told = re.match(r"(?i)\"?sep=(.)\"?\r?\n", text)
    # What Excel writes above the header for itself is blanked, so that the lines keep their numbers.
    text = f"\n{text[told.end() :]}" if told else text
    delimiter = told[1] if told else _delimiter(list(itertools.islice(io.StringIO(text.lstrip()), PREAMBLE + 2)))
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        began = rows.line_num + 1
        try:
            row = next(rows)
            if any(row):
                yield began, row
        except StopIteration:
            return
        except csv.Error as error:
            yield began, error


def _delimiter(head: list[str]) -> str:
    """What parts the columns: the sign most frequent in the first line, or, if a heading is there, what all lines below it
    have, and as often where no blank line sets it off.
    """
    first, below = (head or [""])[0], head[1:]
    apart = bool(below) and not below[0].strip()
    if any(sign in first for sign in DELIMITERS) or not (apart or " " in first.strip()):
        return max(DELIMITERS, key=first.count)
    counts = {sign: {line.count(sign) for line in below if line.strip()} for sign in DELIMITERS}
    told = (sign for sign, found in counts.items() if found and 0 not in found and (apart or len(found) == 1))
    return next(told, DELIMITERS[0])


def _below_preamble(rows: Iterator[CsvRow]) -> Iterator[CsvRow]:
    """The rows without those of a single cell above a table of several columns: they tell of the report, not of its columns."""
    first = list(itertools.islice(rows, PREAMBLE + 2))
    single = list(itertools.takewhile(lambda row: isinstance(row[1], list) and sum(map(bool, row[1])) == 1, first))
    below = [row for _, row in first[len(single) :][:2]]
    table = len(below) == 2 and all(isinstance(row, list) and sum(map(bool, row)) > 1 for row in below)
    return itertools.chain(first[len(single) :] if table else first, rows)


def _trimmed(row: list[str], least: int) -> list[str]:
    """The row without the empty cells at its end that commas too many make; at least so many cells stay."""
    end = len(row)
    while end > least and not row[end - 1]:
        end -= 1
    return row[:end]


def _values(names: list[str], row: list[str]) -> bool:
    """Whether the first row looks like the rows below: a number above a number. Years and 1, 2, 3 can be names."""
    numbers = [
        name for name, value in zip(names, row, strict=False) if NUMBER.fullmatch(name) and NUMBER.fullmatch(value.strip())
    ]
    counted = [str(int(numbers[0]) + step) for step in range(len(numbers))] if numbers and numbers[0].isdecimal() else []
    return bool(numbers) and not (len(numbers) > 1 and numbers == counted) and not all(map(YEAR.fullmatch, numbers))


def _csv_entry(file: File, number: int, row: Mapping[str, str]) -> Entry:
    """One line per column is the text. If there is a `text` column, it comes first, and the others are metadata as well."""
    role = {name.lower(): value for name, value in row.items() if name.lower() in ("id", "title", "text")}
    others = {name: value for name, value in row.items() if name and value and name.lower() not in role}
    shown = others if "text" in role else {name: value for name, value in row.items() if value and name.lower() != "id"}
    lines = "\n".join(f"{name}: {value}" for name, value in shown.items())
    body = role.get("text", lines)
    return Entry(
        role.get("id") or f"{file.source}#{number}",
        role.get("title", ""),
        f"{body}\n\n{lines}" if "text" in role and body.strip() and lines else body,
        "text/csv",
        others if "text" in role else {},
        named=bool(role.get("id")),
    )


def _bad_row(file: File, line: int, problem: str, document_id: str | None = None) -> Flaw:
    return Flaw(source=file.source, reason=Reason.BAD_ROW, detail=f"{file.source}:{line}: {problem}", document_id=document_id)


def _decoded(file: File, *, many: bool = False) -> str | Flaw:
    """The text of a file, decoded as `charset.decoded` does, or the flaw that prevents it. Raises `OSError`.

    `many`: the file is not one document but holds many.
    """
    size = file.path.stat().st_size
    if size > MOST_BYTES:
        parts = f"files of at most {MOST_BYTES:,} bytes" if many else f"documents of at most {MOST_CHARACTERS:,} characters"
        return _flaw(file, Reason.TOO_LONG, f"{size:,} bytes; split it into {parts}")
    text = decoded(file.path.read_bytes())
    if text is None:
        return _flaw(file, Reason.UNDECODABLE, "neither UTF-8 nor plainly another encoding; convert it to UTF-8")
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
