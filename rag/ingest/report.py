"""What one ingest found and did.

Knows counts; computes none of them.
"""

from collections.abc import Mapping

from rag.ingest.quality import Flaw, Skipped
from rag.types import Value


class Report(Value):
    """What one ingest found and did."""

    collection: str
    generation: str | None
    """The current one afterwards; null if the collection has no chunks."""
    files: int
    files_unchanged: int
    """Files that were not parsed, because their bytes are those of the last ingest."""
    skipped: tuple[Skipped, ...]
    vanished: tuple[str, ...]
    """Files that no longer exist, whose documents stay because pruning was not asked for."""
    renamed: Mapping[str, str]
    """Documents whose file has another name now: id to id."""
    outdated: bool
    """Whether there is a newer generation than the current one, which was chosen by `rag index use`."""
    documents: int
    """Of the whole collection, afterwards."""
    added: int
    """Documents of this run's files, as are the next five counts."""
    changed: int
    unchanged: int
    removed: int
    kept: int
    """Earlier versions left in place because the new one was quarantined."""
    twins: int
    """Documents added although another has the same title, text and metadata, because each has an id of its own."""
    chunks: int
    """Of the whole collection, afterwards."""
    embedded: int
    """Texts that were embedded."""
    reused: int
    """Chunks of added and changed documents whose vectors were in the ledger already."""
    languages: Mapping[str, int]
    """Added, renamed and changed documents by language, most frequent first."""
    quarantined: tuple[Flaw, ...]
    """The flaws of this run's files, including those quarantined before in files that have not changed."""
    seconds: float

    @property
    def foreign_share(self) -> float:
        """The share of added and changed documents in other languages than the most frequent; documents of unknown
        language do not count.
        """
        counts = [count for language, count in self.languages.items() if language != "und"]
        return 1 - max(counts) / sum(counts) if counts else 0.0
