"""The items that a file lists, as they are written there: YAML, JSON, JSONL, CSV and TSV.

Knows syntax, lines and where promptfoo's configurations keep their tests. Knows nothing of what an item says.
"""

import ast
import contextlib
import csv
import glob
import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from evals.conversion import promptfoo
from evals.conversion.fields import asks
from evals.jsonl import Fault, content
from rag.errors import GroundwireError

Notes = dict[str, list[str]]
"""What could not be carried over, and from where."""


class Entry(NamedTuple):
    """One item of a file, as it is written there."""

    place: str
    value: object
    default: Mapping[str, object] = {}
    """Of all tests of a promptfoo configuration."""


def entries(path: Path, notes: Notes) -> Iterator[Entry | Fault]:
    """The items of a file, those of the files that it names among them."""
    for found in _listed(path, notes):
        if isinstance(found, Entry) and isinstance(found.value, str):
            yield from _elsewhere(path, found, found.value, notes)
        else:
            yield found


def _elsewhere(path: Path, entry: Entry, name: str, notes: Notes) -> Iterator[Entry | Fault]:
    """The items of the files that a promptfoo configuration names, relative to itself."""
    pattern = name.removeprefix("file://")
    if Path(pattern).suffix.lower() not in _READERS:
        notes.setdefault(f"`{name}` is left out: it is not YAML, JSON, JSONL, CSV or TSV", []).append(entry.place)
        return
    names = sorted(glob.glob(pattern, root_dir=path.parent, recursive=True))  # noqa: PTH207 - the pattern may be absolute
    if not names:
        yield Fault(entry.place, f"{pattern} is not there", "mend its name, relative to this file")
    for found in itertools.chain.from_iterable(_listed(path.parent / name, notes) for name in names):
        yield found._replace(default=entry.default) if isinstance(found, Entry) else found


def _listed(path: Path, notes: Notes) -> Iterator[Entry | Fault]:
    """The items of one file, read as what its name says it is, or else as what it looks like."""
    text = content(path)
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        header = re.split(r"[,;\t]", text.partition("\n")[0])
        suffix = ".json" if text.lstrip()[:1] in ("{", "[") else ".csv" if asks(header) else ".yaml"
    return _READERS[suffix](path, text, notes)


def _json(path: Path, text: str, notes: Notes) -> Iterator[Entry | Fault]:
    """JSON, or JSON in lines; the NaN that data frames write for nothing is nothing."""
    try:
        document = json.loads(text, parse_constant=_nothing)
    except json.JSONDecodeError as error:
        if _is_json(text.lstrip().partition("\n")[0]):
            yield from _json_lines(path, text, notes)
            return
        raise GroundwireError(f"{path}:{error.lineno}: not JSON ({error.msg})", "mend this line or the one before") from None
    yield from _items(path, document, notes, lambda _, index: f"{path}: item {index + 1}")


def _json_lines(path: Path, text: str, _: Notes) -> Iterator[Entry | Fault]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            place = f"{path}:{number}"
            try:
                yield Entry(place, json.loads(line, parse_constant=_nothing))
            except json.JSONDecodeError as error:
                yield Fault(place, f"not JSON ({error.msg} at column {error.colno})", "a line is one JSON object")


def _yaml(path: Path, text: str, notes: Notes) -> Iterator[Entry | Fault]:
    import yaml

    loader = yaml.CSafeLoader(text) if yaml.__with_libyaml__ else yaml.SafeLoader(text)
    loader.yaml_implicit_resolvers = {  # An answer `no`, `4.10` or `2024-01-01` is a text.
        first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith((":merge", ":null"))]
        for first, resolvers in loader.yaml_implicit_resolvers.items()
    }
    try:
        root = loader.get_single_node()
        nodes = {None: root} | ({str(key.value): node for key, node in root.value} if isinstance(root, yaml.MappingNode) else {})
        lines = {
            key: [item.start_mark.line + 1 for item in node.value]
            for key, node in nodes.items()
            if isinstance(node, yaml.SequenceNode)
        }
        document = loader.construct_document(root) if root else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or error
        raise GroundwireError(
            f"{path}:{mark.line + 1 if mark else 1}: not YAML ({problem})", "mend this line or the one before"
        ) from None
    finally:
        loader.dispose()
    yield from _items(path, document, notes, lambda key, index: f"{path}:{lines[key][index] if key in lines else 1}")


def _table(path: Path, text: str, _: Notes) -> Iterator[Entry | Fault]:
    """Rows under a header; the delimiter is the one that the header has most of. A cell may hold JSON."""
    header = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",\t;", key=header.count), strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        if repeated := [name for name, times in Counter(names).items() if times > 1]:
            raise GroundwireError(
                f"{path}:1: two columns are called {repeated[0]!r}", "make them one, with a JSON list in its cells"
            )
        line = reader.line_num + 1
        for cells in reader:
            place = f"{path}:{line}"
            line = reader.line_num + 1
            if cells and len(cells) != len(names):
                problem = f"{len(cells)} cells, and the header has {len(names)}"
                yield Fault(place, problem, "put cells with a delimiter in them in double quotes")
            elif any(cells):
                yield Entry(place, dict(zip(names, map(_cell, cells), strict=True)))
    except csv.Error as error:
        raise GroundwireError(
            f"{path}:{reader.line_num}: {error}", "close the double quotes, and double those within them"
        ) from None


_READERS: Mapping[str, Callable[[Path, str, Notes], Iterator[Entry | Fault]]] = {
    ".yaml": _yaml,
    ".yml": _yaml,
    ".json": _json,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".csv": _table,
    ".tsv": _table,
}


def _items(path: Path, document: object, notes: Notes, place: Callable[[str | None, int], str]) -> Iterator[Entry]:
    """The list that a document is or holds; `place` tells where an item stands, by the list's key and the item's position."""
    key, items, default = None, document, None
    if isinstance(document, Mapping):
        if "tests" in document:
            key, items, default = "tests", document["tests"], document.get("defaultTest")
            items = items if isinstance(items, list) else [items]
        elif promptfoo.is_test(document) or asks(document):
            items = [document]
        else:
            key, items = next(((key, value) for key, value in document.items() if isinstance(value, list)), (None, None))
    if not isinstance(items, list):
        raise GroundwireError(f"{path} holds no list of cases", "name a file with one, such as promptfoo's `tests`")
    if default is not None and not isinstance(default, Mapping):
        notes.setdefault(f"`defaultTest` is left out: it is in another file, {default}", []).append(str(path))
    if isinstance(document, Mapping) and document.get("scenarios"):
        notes.setdefault("`scenarios` are left out: only `tests` are read", []).append(str(path))
    for index, item in enumerate(items):
        yield Entry(place(key, index), item, default if isinstance(default, Mapping) else {})


def _cell(text: str) -> object:
    """What a cell holds: JSON, a Python list of texts as data frames write it, a text, or nothing."""
    text = text.strip()
    if text[:1] in ("[", "{"):
        for parse in (json.loads, ast.literal_eval):
            with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                value = parse(text)
                if isinstance(value, dict) or (isinstance(value, list) and all(isinstance(item, str | dict) for item in value)):
                    return value
    return text or None


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except json.JSONDecodeError:
        return False
    return True


def _nothing(_: str) -> None:
    return None
