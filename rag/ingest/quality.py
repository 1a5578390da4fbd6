"""What is wrong with data, and what an ingest did: the values that its report is made of.

Knows reasons and counts; reads nothing.
"""

import enum
from collections.abc import Mapping

from rag.types import Value

MOST_CHARACTERS = 5_000_000
"""Of one document: a library of books should be ingested as books."""


class Reason(enum.StrEnum):
    """Why something was quarantined."""

    EMPTY = "empty"
    DUPLICATE = "duplicate"
    REPEATED_ID = "repeated id"
    TOO_LONG = "too long"
    UNDECODABLE = "not decodable"
    BAD_ROW = "bad row"
    UNREADABLE = "unreadable"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"


RETRIED = frozenset({Reason.DUPLICATE, Reason.REPEATED_ID, Reason.TIMED_OUT, Reason.OUT_OF_MEMORY})
"""Reasons that may be gone although the file is the same."""


class Flaw(Value):
    """A document, or a whole file, that is kept out of the index."""

    source: str
    reason: Reason
    detail: str
    """What exactly and where: `data/faq.jsonl:3: no text`."""
    document_id: str | None = None
    """Null where it is not known which documents it stands for."""


class Skipped(Value):
    """A file of a type that nothing here reads."""

    source: str
    detail: str


class Report(Value):
    """What one ingest found and did."""

    collection: str
    generation: str | None
    """The current one afterwards; null where the collection has no chunk."""
    files: int
    files_unchanged: int
    """Not even parsed: their bytes are those of the last ingest."""
    skipped: tuple[Skipped, ...]
    vanished: int
    """Files that are gone while their documents stay, because nobody asked to prune them."""
    documents: int
    """Of the whole collection, afterwards."""
    added: int
    """Documents of this run's files; so are the next five."""
    changed: int
    unchanged: int
    removed: int
    kept: int
    """Earlier versions left in place because the new one was quarantined."""
    twins: int
    """Added although another document has the same title, text and metadata: each has an id of its own that others may refer to."""
    chunks: int
    """Of the whole collection, afterwards."""
    embedded: int
    """Texts that went through the embedder."""
    reused: int
    """Chunks of added and changed documents whose vectors were kept from before."""
    languages: Mapping[str, int]
    """Added and changed documents by language, most frequent first."""
    quarantined: tuple[Flaw, ...]
    """Of this run's files, those that were quarantined before and have not changed included."""
    seconds: float

    @property
    def foreign_share(self) -> float:
        """The share of added and changed documents in other languages than the most frequent; those too short to tell aside."""
        told = [count for language, count in self.languages.items() if language != "und"]
        return 1 - max(told) / sum(told) if told else 0.0
