"""The words of the pipeline as values: documents, chunks, passages, messages, claims.

Knows shapes and units; knows nothing of how any of them is made. Offsets count characters (Python `str` indices), half open.
"""

import enum
from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

Scalar = str | int | Annotated[float, Field(allow_inf_nan=False)] | bool
Metadata = Mapping[str, Scalar]
Filter = Mapping[str, Scalar | Sequence[Scalar]]
"""Every key must match; a sequence matches any of its values. `{}` matches everything."""


class Value(BaseModel):
    """An immutable value; equal when its fields are."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Document(Value):
    """One thing that was ingested: its text as extracted, and where it came from."""

    id: str
    """Stable within its collection: a relative path, or the id a JSONL or CSV row gives itself."""
    source: str
    """The file it was read from, as the person named it; several documents may share one (JSONL, CSV)."""
    title: str
    text: str
    media_type: str
    language: str
    """ISO 639-1, or `und` where there is too little text to tell."""
    metadata: Metadata = {}
    sha256: str
    """Of everything that decides its chunks: title, text, metadata."""


def page(text: str, start: int) -> int | None:
    """The page of a character, counted from 1, of a text whose pages are separated by form feeds; null if there are none."""
    return text.count("\f", 0, start) + 1 if "\f" in text else None


class Chunk(Value):
    """A piece of a document that is embedded: `text == document.text[start:end]`."""

    id: str
    """The first 32 hex digits of the sha256 over document id, offsets, headings and text."""
    document_id: str
    source: str
    title: str
    headings: tuple[str, ...] = ()
    text: str
    start: int
    end: int
    page: int | None = None
    """Of its first character, counted from 1; null where the document has no pages."""
    tokens: int
    """Of `embedded`, by the embedder's own tokenizer, special tokens included."""
    language: str
    metadata: Metadata = {}

    @property
    def embedded(self) -> str:
        """What is embedded and searched: the title and headings that situate the text, then the text."""
        situation = " > ".join(dict.fromkeys(part for part in (self.title, *self.headings) if part))
        return f"{situation}\n{self.text}" if situation else self.text


class Passage(Value):
    """A chunk as retrieved, with its scores; `number` is what a citation `[1]` refers to."""

    number: int
    chunk_id: str
    document_id: str
    source: str
    title: str
    headings: tuple[str, ...] = ()
    text: str
    start: int
    end: int
    page: int | None = None
    """Of its first character, counted from 1; null where the document has no pages."""
    score: float
    """The score it was ranked by."""
    dense: float | None = None
    """Cosine with the question; null where the dense leg did not return it."""
    lexical: float | None = None
    """BM25; null where the lexical leg did not return it."""
    metadata: Metadata = {}


class Hit(NamedTuple):
    """One chunk of a generation, by its position in it, with the leg's score (cosine, or BM25)."""

    position: int
    score: float


class Message(Value):
    """One message of a chat, as sent on the wire."""

    role: str
    content: str


class Verdict(enum.StrEnum):
    """What the validator says of one claim; `UNCERTAIN` is an honest "cannot tell"."""

    SUPPORTED = "supported"
    UNCERTAIN = "uncertain"
    UNSUPPORTED = "unsupported"
    CONTRADICTED = "contradicted"


class Tier(enum.StrEnum):
    """The parts of a validator, each asked about what the one before could not tell."""

    LEXICAL = "lexical"
    MODEL = "model"
    JUDGE = "judge"


class Evidence(Value):
    """The span of a passage that a claim was judged by: `quote == passage.text[start:end]`."""

    passage: int
    """The number of the passage."""
    start: int
    end: int
    quote: str


class Claim(Value):
    """One checkable statement: `text == answer[start:end]`."""

    text: str
    start: int
    end: int
    verdict: Verdict
    score: float
    """Of the tier that decided, in its own measure: 0 no support at all, 1 fully supported."""
    probability: float | None = None
    """That the passages support it, by the variant's calibration; null where no tier could weigh it."""
    tier: Tier = Tier.LEXICAL
    """Which part of the validator decided."""
    evidence: Evidence | None = None
    reason: str
    """One short phrase for people: "number 12 not in the passages"."""
    citations: tuple[int, ...] = ()
    """Passage numbers the answer cites for it."""
    miscited: tuple[int, ...] = ()
    """Those of `citations` that do not exist or do not support it."""
