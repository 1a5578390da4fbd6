"""Folders that are either whole or absent: written under another name, checksummed, and renamed into place.

Knows files, locks and sha256. Knows nothing of what is in a file.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from rag.digest import file_sha256
from rag.errors import StorageError
from rag.stores.base import REBUILD

_MANIFEST = "manifest.json"
_ASIDE = ".unsealed-"


@contextlib.contextmanager
def unsealed(home: Path) -> Iterator[Path]:
    """A new folder in `home`, deleted afterwards unless it was sealed.

    First deletes what killed processes have left in `home`.
    """
    with writing(home):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _lock(home):
            _sweep(home)
            folder = home / f"{_ASIDE}{uuid.uuid4().hex}"
            folder.mkdir()
            alive = os.open(folder, os.O_RDONLY)
            fcntl.flock(alive, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        os.close(alive)
        shutil.rmtree(folder, ignore_errors=True)


def seal(folder: Path, name: str) -> None:
    """Write the manifest, flush everything under `folder` to disk, and rename the folder to `name`."""
    home = folder.parent
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        _sync(path)
        files[str(path.relative_to(folder))] = {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
    (folder / _MANIFEST).write_text(_manifest(files), encoding="utf-8")
    for path in (folder / _MANIFEST, *filter(Path.is_dir, folder.rglob("*")), folder):
        _sync(path)
    folder.rename(home / name)
    _sync(home)
    _sync(home.parent)


def verify(folder: Path) -> None:
    """Compare every file with the manifest. Raises `StorageError`, which names the file that is damaged or missing."""
    manifest = folder / _MANIFEST
    try:
        text = manifest.read_text(encoding="utf-8")
        files = json.loads(text)["files"]
        whole = text == _manifest(files)
    except (OSError, ValueError, LookupError, TypeError):
        whole = False
    if not whole:
        raise StorageError(f"{manifest} is damaged or missing", REBUILD)
    for name, sealed in files.items():
        path = folder / name
        if not path.is_file():
            raise StorageError(f"{path} is missing", REBUILD)
        if path.stat().st_size != sealed["bytes"] or file_sha256(path) != sealed["sha256"]:
            raise StorageError(f"{path} is damaged", REBUILD)


def names(home: Path) -> list[str]:
    """The names of the sealed folders of `home`, sorted."""
    return sorted(manifest.parent.name for manifest in home.glob(f"*/{_MANIFEST}") if not manifest.parent.name.startswith(_ASIDE))


def remove(folder: Path) -> None:
    """Delete a sealed folder. It counts as deleted even if the process is killed half way."""
    aside = folder.with_name(f"{_ASIDE}{uuid.uuid4().hex}")
    with writing(folder.parent):
        folder.rename(aside)
        _sync(folder.parent)
    shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def writing(home: Path) -> Iterator[None]:
    """Translate the errors of a write, by whichever engine, into a `StorageError` that names the folder."""
    try:
        yield
    except (OSError, sqlite3.Error, RuntimeError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise StorageError(
            f"the index in {home} cannot be written ({reason})",
            "make the folder writable and leave room on its disk; nothing was changed",
        ) from error


def _manifest(files: Mapping[str, object]) -> str:
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    return json.dumps({"files": files, "sha256": digest}, indent=1, sort_keys=True)


def _sweep(home: Path) -> None:
    for folder in home.glob(f"{_ASIDE}*"):
        with contextlib.suppress(OSError), _lock(folder, fcntl.LOCK_NB):
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _lock(folder: Path, flags: int = 0) -> Iterator[None]:
    """Lock the folder against other processes; the kernel releases the lock when this one ends, however it ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | flags)
        yield
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
