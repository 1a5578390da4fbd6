"""Which of a collection's sources were read in the current folder: files of the same name in two folders are two files.

Knows the folders that the ledger remembers, and compares files with it. Knows nothing of what is in them.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from rag.digest import file_sha256
from rag.errors import GroundwireError
from rag.ingest.sources import File
from rag.ledger.corpus import Source
from rag.text.characters import sound


def here() -> str:
    """The folder that sources are relative to."""
    return sound(str(os.getcwd()))  # noqa: PTH109 - the text is what is kept


def own(files: Sequence[File], known: Mapping[str, Source], collection: str, *, moved: bool) -> frozenset[str]:
    """The known sources that are of the current folder: read here, or here now, or gone from a folder whose files lie here now.

    That is so of a folder that is no more and had one of these very files, and of any with `moved`. Where a ledger does not
    remember the folder, sources that are not here count if any file still is as it was. Raises `GroundwireError` if a file would take
    the place of another folder's.
    """
    there = {file.source: file for file in files if file.source in known and not file.forbidden}
    same = {source for source, file in there.items() if _same(file, known[source])}
    others = {source: root for source in there if (root := known[source].root) is not None and not _is_here(root, source)}
    foreign = [source for source in others if source not in same]
    if foreign and not moved:
        more = f", as are {len(foreign) - 1:,} more" if len(foreign) > 1 else ""
        raise GroundwireError(
            f"{foreign[0]} is in collection {collection} already, from {others[foreign[0]]}, and is another file here{more}",
            "ingest both from a folder above them, or this one into another collection; if that folder is now here, add --moved",
        )
    left = {root for root in others.values() if moved or not Path(root).is_dir()}
    unrooted = any(known[source].root is None for source in same)

    def ours(source: str, root: str | None) -> bool:
        if root is None:
            return source in there or unrooted
        if _is_here(root, source):
            return True
        return root in left and (source in there or not Path(root, source).exists())

    return frozenset(source for source, row in known.items() if ours(source, row.root))


def _is_here(root: str, source: str) -> bool:
    """Whether a source of that folder is the file that has its name here, as one is that is named by `../`."""
    return os.path.normpath(Path(root, source)) == os.path.normpath(Path(here(), source))


def _same(file: File, row: Source) -> bool:
    try:
        return file_sha256(file.path) == row.sha256
    except OSError:
        return False
