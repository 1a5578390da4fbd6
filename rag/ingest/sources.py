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
UNSEEN = (".", "~$")
"""How the names of files begin that are left out of a folder: hidden ones, and the locks of an office program."""


class File(NamedTuple):
    """A file to read. `source` is its path relative to the current folder, with forward slashes.

    Bytes of a name that are no UTF-8 are written as in `caf\\xe9.txt`.
    """

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
        found = [file for file in _matches(path) if _outside(file, without)]
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


def missing_folder(path: str, source: str, without: Path | None = None) -> str:
    """The folder in which nothing is, or that is not there itself, where the file of this source should be; empty if there is none.

    It is the nearest to the file of those that are there, as far up as the path, which covers the source, reaches.
    """
    name = _name(Path(path))
    top = Path(_name(Path(path).parent if source == name else _fixed(path) if glob.has_magic(name) else Path(path)))
    folder = Path(source).parent
    while folder != top and not folder.is_dir():
        folder = folder.parent
    inside = (file for file in (_matches(str(folder)) if folder.is_dir() else ()) if _outside(file, without))
    return "" if next(inside, None) else str(folder)


def _outside(file: File, without: Path | None) -> bool:
    return without is None or not Path(os.path.realpath(file.path)).is_relative_to(without)


def _matches(path: str) -> Iterator[File]:
    named = Path(path)
    if named.exists() or not glob.has_magic(path):
        matches, within = [named], named
    else:
        matches = [Path(match) for match in glob.glob(path, recursive=True)]  # noqa: PTH207
        within = _fixed(path)
    for match in matches:
        if match.is_dir():
            for folder, folders, names in os.walk(match):
                folders[:] = [name for name in folders if not name.startswith(".") and name not in SKIPPED_FOLDERS]
                yield from (_file(Path(folder, name), within) for name in names if not name.startswith(UNSEEN))
        elif match.exists():
            yield _file(match, within)


def _file(path: Path, within: Path) -> File:
    return File(path, _name(path), _forbidden(path, within))


def _forbidden(path: Path, within: Path) -> str:
    """A link may lead to what its reader may read, and whoever put it into the folder may not."""
    if not _utf8(path):
        return "its name is not UTF-8: rename it"
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(within)):
        return f"a link that leads out of {within}: name the file that it leads to"
    # What is not there, or cannot be looked at, is told of when it is read.
    kind = path.stat().st_mode if path.exists() else stat.S_IFREG
    return "" if stat.S_ISREG(kind) else "not a file but a pipe, a device or a socket"


def _fixed(path: str) -> Path:
    """The part of a glob before its first wildcard."""
    return Path(*itertools.takewhile(lambda part: not glob.has_magic(part), Path(path).parts))


def _utf8(path: Path) -> bool:
    try:
        os.path.relpath(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _name(path: Path) -> str:
    return os.fsencode(Path(os.path.relpath(path)).as_posix()).decode(errors="backslashreplace")
