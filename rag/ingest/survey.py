"""What files say now: documents accepted, flaws, files skipped.

Knows which files need no reading, and judges what was read beside what stays; knows nothing of chunks, vectors or transactions.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rag.ingest.progress import Progress, Stage
from rag.ingest.quality import MOST_CHARACTERS, RETRIED, Flaw, Reason, Skipped
from rag.ingest.readers import Entry, media_type, read
from rag.ingest.sandbox import Sandbox
from rag.ingest.sources import File, covers, discover
from rag.ledger.corpus import Corpus
from rag.types import Document


@dataclass
class Survey:
    """The files beside what the ledger knows."""

    files: list[File]
    gone: frozenset[str]
    """Sources to prune: the ledger has them, and the paths do not any more."""
    known: Mapping[str, tuple[str, str]]
    """The documents of the ledger: id to source and sha256."""
    read: dict[str, str] = field(default_factory=dict)
    """The sha256 of each file that was read, by source."""
    documents: dict[str, Document] = field(default_factory=dict)
    """Accepted, by id; their language is not told yet."""
    flaws: list[Flaw] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    twins: int = 0
    """Documents accepted although another is their like, because their file gives them an id."""

    @property
    def unread(self) -> set[str]:
        """Sources whose bytes are known, and those skipped."""
        return {file.source for file in self.files} - self.read.keys()

    def changed(self) -> list[Document]:
        """Documents that are new, or not as the ledger has them, by id."""
        return [
            document
            for id, document in sorted(self.documents.items())
            if self.known.get(id) != (document.source, document.sha256)
        ]

    def missing(self) -> tuple[set[str], set[str]]:
        """Ids that are in no file any more, and ids that may be, in what could not be read."""
        vanished = {id: source for id, (source, _) in self.known.items() if id not in self.documents}
        removed = {id for id, source in vanished.items() if source in self.gone}
        unseen = {id: source for id, source in vanished.items() if source in self.read}
        kept = {id for id, source in unseen.items() if any(_hides(flaw, id, source) for flaw in self.flaws)}
        return removed | unseen.keys() - kept, kept


def survey(
    paths: Sequence[str], collection: str, corpus: Corpus, *, prune: bool, progress: Progress, without: Path | None = None
) -> Survey:
    """Read the files that are new or changed, and those of which the quarantine may be over. Raises as `discover`."""
    sources = corpus.sources(collection)
    files = discover(paths, sources if prune else (), without)
    gone = {source for source in sources if prune and any(covers(path, source) for path in paths)}
    found = Survey(files, frozenset(gone - {file.source for file in files}), corpus.documents(collection))
    retried = {row.source for row in corpus.quarantined(collection) if row.reason in RETRIED}
    entries: list[tuple[str, Entry]] = []
    with Sandbox() as sandbox:
        for done, file in enumerate(files, 1):
            for entry in _read(file, found, {} if file.source in retried else sources, sandbox):
                if isinstance(entry, Flaw):
                    found.flaws.append(entry)
                else:
                    entries.append((file.source, entry))
            progress(Stage.READ, done, len(files))
    _judge(found, entries)
    return found


def _read(file: File, found: Survey, sources: Mapping[str, str], sandbox: Sandbox) -> Iterator[Entry | Flaw]:
    """What is in a file, unless its bytes are those that `sources` knows."""
    try:
        kind = media_type(file)
        if kind is None:
            found.skipped.append(Skipped(source=file.source, detail="not a type that is read"))
            return
        sha256 = _sha256(file.path)
        if sources.get(file.source) != sha256:
            found.read[file.source] = sha256
            yield from read(file, kind, sandbox)
    except OSError as error:
        found.read[file.source] = ""
        detail = f"{file.source}: {error.strerror or error}"
        yield Flaw(source=file.source, reason=Reason.UNREADABLE, detail=detail)


def _judge(found: Survey, entries: Iterable[tuple[str, Entry]]) -> None:
    """Accept each entry, given by source, or record its flaw."""
    staying = {id: row for id, row in found.known.items() if row[0] not in found.read and row[0] not in found.gone}
    present: Collection[str] = {file.source for file in found.files}
    owners = {id: source for id, (source, _) in staying.items() if source in present}
    twins = {sha256: id for id, (_, sha256) in staying.items()}
    for source, entry in entries:
        document = _document(source, entry)
        twin = twins.get(document.sha256, document.id)
        flaw = _flaw(document, owners.get(document.id), None if twin == document.id else twin)
        if flaw and not (flaw.reason is Reason.DUPLICATE and entry.named):
            found.flaws.append(flaw)
        else:
            owners[document.id] = source
            twins.setdefault(document.sha256, document.id)
            found.documents[document.id] = document
            found.twins += flaw is not None


def _document(source: str, entry: Entry) -> Document:
    content = json.dumps([entry.title, entry.text, entry.metadata], sort_keys=True)
    return Document(
        id=entry.id,
        source=source,
        title=entry.title,
        text=entry.text,
        media_type=entry.media_type,
        language="und",
        metadata=entry.metadata,
        sha256=hashlib.sha256(content.encode()).hexdigest(),
    )


def _flaw(document: Document, owner: str | None, twin: str | None) -> Flaw | None:
    """What keeps a document out: itself, the file that has its id already, or the document that is its like."""
    if not document.text.strip():
        scan = document.media_type == "application/pdf"
        reason, detail = Reason.EMPTY, "no text; scanned pages need OCR first" if scan else "no text"
    elif len(document.text) > MOST_CHARACTERS:
        length = f"{len(document.text):,} characters"
        reason, detail = Reason.TOO_LONG, f"{length}; split it into documents of at most {MOST_CHARACTERS:,}"
    elif owner is not None:
        reason, detail = Reason.REPEATED_ID, f"this id is also in {owner}"
    elif twin is not None:
        reason, detail = Reason.DUPLICATE, f"same title, text and metadata as {twin}"
    else:
        return None
    name = document.id if document.id.startswith(document.source) else f"{document.source}: {document.id}"
    return Flaw(source=document.source, reason=reason, detail=f"{name}: {detail}", document_id=document.id)


def _hides(flaw: Flaw, id: str, source: str) -> bool:
    """Whether the document may be in what this flaw kept out. The like of a duplicate is indexed elsewhere."""
    return flaw.source == source and flaw.document_id in (None, id) and flaw.reason is not Reason.DUPLICATE


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
