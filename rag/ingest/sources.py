"""Which files a person means: files, folders and globs, each under a name that stays the same from run to run.

Knows paths; opens no file.
"""

import fnmatch
import glob
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rag.errors import GroundwireError

SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})
"""Besides hidden ones, which version control and tools keep."""


class File(NamedTuple):
    """A file to read. `source` names it: its path relative to the current folder, with forward slashes."""

    path: Path
    source: str


def discover(paths: Sequence[str], known: Collection[str] = (), without: Path | None = None) -> list[File]:
    """The files under these files, folders and globs, sorted, each once.

    Hidden files and folders, virtual environments and caches inside a folder are left out; a file that is named itself never is.
    Nothing below the folder `without` is found.
    A path where nothing is raises `GroundwireError`, unless it covers a source that is `known`: those files were removed.
    """
    files: dict[str, File] = {}
    for path in paths:
        found = [
            file for file in _found(path) if without is None or not Path(os.path.realpath(file.path)).is_relative_to(without)
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


def _found(path: str) -> Iterator[File]:
    named = Path(path)
    matches = [named] if named.exists() or not glob.has_magic(path) else map(Path, glob.glob(path, recursive=True))  # noqa: PTH207
    for match in matches:
        if match.is_dir():
            for folder, folders, names in os.walk(match):
                folders[:] = [name for name in folders if not name.startswith(".") and name not in SKIPPED_FOLDERS]
                yield from (_file(Path(folder, name)) for name in names if not name.startswith("."))
        elif match.exists():
            yield _file(match)


def _file(path: Path) -> File:
    return File(path, _name(path))


def _name(path: Path) -> str:
    return Path(os.path.relpath(path)).as_posix()
