"""What is wrong with data: the flaws of documents and files, and the reasons for them.

Knows reasons; reads nothing.
"""

import enum

from rag.types import Value

MOST_CHARACTERS = 5_000_000
"""Characters of one document at most: a library of books should be ingested as books."""


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
"""Reasons that may no longer hold although the file is unchanged."""


class Flaw(Value):
    """A document, or a whole file, that is kept out of the index."""

    source: str
    reason: Reason
    detail: str
    """What exactly and where: `data/faq.jsonl:3: no text`."""
    document_id: str | None = None
    """Null if it is not known which documents the flaw hides."""


class Skipped(Value):
    """A file of a type that nothing here reads, or that must not be read."""

    source: str
    detail: str
