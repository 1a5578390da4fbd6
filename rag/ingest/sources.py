"""Finds the files that paths, folders and globs stand for, each under a name that stays the same from run to run.

Knows paths, and which of them must not be read; opens no file.
"""

import fnmatch
import glob
import itertools
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rag.errors import GroundwireError

SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})
"""Folders that are skipped besides hidden ones."""


class File(NamedTuple):
    """A file to read. `source` is its path relative to the current folder, with forward slashes."""

    path: Path
    source: str
    forbidden: str = ""
    """Why the file must not be opened; empty if it may be."""


def discover(paths: Sequence[str], known: Collection[str] = (), without: Path | None = None) -> list[File]:
    """The files under these files, folders and globs, sorted, each once.

    Hidden files and folders, virtual environments and caches inside a folder are left out; a file that is named
    itself never is. Nothing below the folder `without` is found. Forbidden are links that lead out of the folder that
    is named, and what is no file but a pipe, a device or a socket. Raises `GroundwireError` for a path at which there
    is nothing, unless it covers a `known` source, whose file was then removed.
    """
    files: dict[str, File] = {}
    for path in paths:
        found = [
            file for file in _matches(path) if without is None or not Path(os.path.realpath(file.path)).is_relative_to(without)
        ]
        if not found and not Path(path).is_dir() and not any(covers(path, source) for source in known):
            problem = f"{path} matches no file" if glob.has_magic(path) else f"{path} does not exist"
            raise GroundwireError(problem, "name a file, a folder or a glob that is there")
        files.update((file.source, file) for file in found)
    return [files[source] for source in sorted(files)]


def covers(path: str, source: str) -> bool:
    """Whether a source is, lies under, or matches this file, folder or glob."""
    name = _name(Path(path))
    inside = not source.startswith("../") if name == "." else source.startswith(f"{name}/")
    return source == name or inside or fnmatch.fnmatchcase(source, name)


def _matches(path: str) -> Iterator[File]:
    named = Path(path)
    if named.exists() or not glob.has_magic(path):
        matches, within = [named], named
    else:
        matches = [Path(match) for match in glob.glob(path, recursive=True)]  # noqa: PTH207
        within = Path(*itertools.takewhile(lambda part: not glob.has_magic(part), named.parts))
    for match in matches:
        if match.is_dir():
            for folder, folders, names in os.walk(match):
                folders[:] = [name for name in folders if not name.startswith(".") and name not in SKIPPED_FOLDERS]
                yield from (_file(Path(folder, name), within) for name in names if not name.startswith("."))
        elif match.exists():
            yield _file(match, within)


def _file(path: Path, within: Path) -> File:
    return File(path, _name(path), _forbidden(path, within))


def _forbidden(path: Path, within: Path) -> str:
    """A link may lead to what its reader may read, and whoever put it into the folder may not."""
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(within)):
        return f"a link that leads out of {within}: name the file that it leads to"
    # What is not there, or cannot be looked at, is told of when it is read.
    kind = path.stat().st_mode if path.exists() else stat.S_IFREG
    return "" if stat.S_ISREG(kind) else "not a file but a pipe, a device or a socket"


def _name(path: Path) -> str:
    return Path(os.path.relpath(path)).as_posix()
