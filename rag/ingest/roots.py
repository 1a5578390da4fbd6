"""Which of a collection's sources were read in the current folder: files of the same name in two folders are two files.

Knows the folders that the ledger remembers, and compares files with it. Knows nothing of what is in them.
"""

import os
from collections.abc import Mapping, Sequence

from rag.digest import file_sha256
from rag.errors import GroundwireError
from rag.ingest.sources import File
from rag.ledger.corpus import Source
from rag.text.characters import sound


def here() -> str:
    """The folder that sources are relative to."""
    return sound(str(os.getcwd()))  # noqa: PTH109 - the text is what is kept


def own(files: Sequence[File], known: Mapping[str, Source], collection: str, *, moved: bool) -> frozenset[str]:
    """The known sources that were read here, `moved`: or in the folders that the files here were read in.

    Where a ledger does not remember the folder, its sources are these files by their names; those that are not here
    count if any file still is as it was. Raises `GroundwireError` if a file would take the place of another folder's.
    """
    there = {file.source: file for file in files if file.source in known and not file.forbidden}
    others = {source: known[source].root for source in there if known[source].root not in (None, here())}
    foreign = [source for source in others if not _same(there[source], known[source])]
    if foreign and not moved:
        more = f", as are {len(foreign) - 1:,} more" if len(foreign) > 1 else ""
        raise GroundwireError(
            f"{foreign[0]} is in collection {collection} already, from {others[foreign[0]]}, and is another file here{more}",
            "ingest both from a folder above them, or this one into another collection; if that folder is now here, add --moved",
        )
    roots = {here(), *(others.values() if moved else ())}
    unrooted = [source for source in there if known[source].root is None]
    if moved or any(_same(there[source], known[source]) for source in unrooted):
        roots.add(None)
    return frozenset({source for source, row in known.items() if row.root in roots}.union(unrooted))


def _same(file: File, row: Source) -> bool:
    try:
        return file_sha256(file.path) == row.sha256
    except OSError:
        return False
