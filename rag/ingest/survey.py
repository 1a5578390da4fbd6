"""What files say now: documents accepted, flaws, files skipped.

Knows which files need no reading, and judges what was read beside what stays; knows nothing of chunks, vectors or transactions.
"""

import hashlib
import itertools
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from rag.ingest.engines.base import Engine, Worker, portions
from rag.ingest.quality import MOST_CHARACTERS, RETRIED, Flaw, Reason, Skipped
from rag.ingest.readers import Entry, media_type, read
from rag.ingest.sandbox import Sandbox
from rag.ingest.sources import File, covers, discover
from rag.ingest.spool import Head, Spool
from rag.ledger.corpus import Corpus
from rag.progress import Progress, Stage
from rag.types import Document

UNIQUE = "make one of them another, or call the field that holds it otherwise"
"""What mends ids that two files have."""


class Wanted(NamedTuple):
    """A file to read, unless its bytes have this sha256."""

    file: File
    known: str | None


class Seen(NamedTuple):
    """A file that has been looked at. `sha256` is that of its bytes if they are new, and empty if they could not be read."""

    source: str
    sha256: str | None


class Candidate(NamedTuple):
    """A document that nothing in itself keeps out."""

    document: Document
    named: bool


Finding = Candidate | Flaw | Skipped | Seen
"""What there is in a file, `Seen` being the last of it."""


@dataclass
class Survey:
    """The files beside what the ledger knows."""

    files: list[File]
    vanished: frozenset[str]
    """Sources that the ledger has, and the paths do not any more."""
    gone: frozenset[str]
    """Those of them to prune."""
    known: Mapping[str, tuple[str, str]]
    """The documents of the ledger: id to source and sha256."""
    read: dict[str, str] = field(default_factory=dict)
    """The sha256 of each file that was read, by source."""
    documents: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Those accepted: id to source and sha256."""
    flaws: list[Flaw] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    twins: int = 0
    """Documents accepted although another is their like, because their file gives them an id."""

    @property
    def unread(self) -> set[str]:
        """Sources whose bytes are known, and those skipped."""
        return {file.source for file in self.files} - self.read.keys()

    def changed(self) -> list[str]:
        """Ids of documents that are new, or not as the ledger has them; these are the spool's."""
        return [id for id, row in self.documents.items() if self.known.get(id) != row]

    def missing(self) -> tuple[set[str], set[str]]:
        """Ids that are in no file any more, and ids that may be, in what could not be read."""
        vanished = {id: source for id, (source, _) in self.known.items() if id not in self.documents}
        removed = {id for id, source in vanished.items() if source in self.gone}
        unseen = {id: source for id, source in vanished.items() if source in self.read}
        kept = {id for id, source in unseen.items() if any(_hides(flaw, id, source) for flaw in self.flaws)}
        return removed | unseen.keys() - kept, kept


def survey(
    paths: Sequence[str],
    collection: str,
    corpus: Corpus,
    engine: Engine,
    spool: Spool,
    *,
    prune: bool,
    progress: Progress,
    without: Path | None = None,
) -> Survey:
    """Read the files that are new or changed, and those of which the quarantine may be over; documents that are new or changed are
    then accepted in the spool. Raises as `discover`.
    """
    sources = corpus.sources(collection)
    files = discover(paths, sources if prune else (), without)
    there = {file.source for file in files}
    vanished = frozenset(source for source in sources if source not in there and any(covers(path, source) for path in paths))
    found = Survey(files, vanished, vanished if prune else frozenset(), corpus.documents(collection))
    retried = {row.source for row in corpus.quarantined(collection) if row.reason in RETRIED}
    wanted = (
        Wanted(file._replace(path=file.path.absolute()), None if file.source in retried else sources.get(file.source))
        for file in files
    )
    done = 0
    for finding in itertools.chain.from_iterable(engine.map(look, portions(wanted))):
        match finding:
            case Candidate(document, named):
                spool.add(document, named=named)
            case Flaw():
                found.flaws.append(finding)
            case Skipped():
                found.skipped.append(finding)
            case Seen(source, sha256):
                if sha256 is not None:
                    found.read[source] = sha256
                done += 1
                progress(Stage.READ, done, len(files))
    _judge(found, spool)
    return found


def look(worker: Worker, files: Sequence[Wanted]) -> Iterator[list[Finding]]:
    """What is in these files, a portion at a time."""
    return portions(finding for wanted in files for finding in _read(wanted, worker.sandbox))


def _read(wanted: Wanted, sandbox: Sandbox) -> Iterator[Finding]:
    file = wanted.file
    sha256: str | None = None
    try:
        kind = media_type(file)
        if kind is None:
            yield Skipped(source=file.source, detail="not a type that is read")
        elif (found := _sha256(file.path)) != wanted.known:
            sha256 = found
            yield from (
                entry if isinstance(entry, Flaw) else _candidate(file.source, entry) for entry in read(file, kind, sandbox)
            )
    except OSError as error:
        sha256 = ""
        yield Flaw(source=file.source, reason=Reason.UNREADABLE, detail=f"{file.source}: {error.strerror or error}")
    yield Seen(file.source, sha256)


def _candidate(source: str, entry: Entry) -> Candidate | Flaw:
    """The entry as a document, or what in itself keeps it out."""
    content = json.dumps([entry.title, entry.text, entry.metadata], sort_keys=True)
    document = Document(
        id=entry.id,
        source=source,
        title=entry.title,
        text=entry.text,
        media_type=entry.media_type,
        language="und",
        metadata=entry.metadata,
        sha256=hashlib.sha256(content.encode()).hexdigest(),
    )
    if not entry.text.strip():
        scan = entry.media_type == "application/pdf"
        return _flaw(document, Reason.EMPTY, "no text; scanned pages need OCR first" if scan else "no text")
    if len(entry.text) > MOST_CHARACTERS:
        length = f"{len(entry.text):,} characters"
        return _flaw(document, Reason.TOO_LONG, f"{length}; split it into documents of at most {MOST_CHARACTERS:,}")
    return Candidate(document, entry.named)


def _judge(found: Survey, spool: Spool) -> None:
    """Accept each document, or record which other keeps it out."""
    staying = {id: row for id, row in found.known.items() if row[0] not in found.read and row[0] not in found.gone}
    present: Collection[str] = {file.source for file in found.files}
    owners = {id: source for id, (source, _) in staying.items() if source in present}
    twins = {sha256: id for id, (_, sha256) in staying.items()}
    for head in spool.heads():
        twin = twins.get(head.sha256, head.id)
        if head.id in owners:
            found.flaws.append(_flaw(head, Reason.REPEATED_ID, f"this id is also in {owners[head.id]}: {UNIQUE}"))
        elif twin != head.id and not head.named:
            found.flaws.append(_flaw(head, Reason.DUPLICATE, f"same title, text and metadata as {twin}"))
        else:
            owners[head.id] = head.source
            twins.setdefault(head.sha256, head.id)
            found.documents[head.id] = (head.source, head.sha256)
            found.twins += twin != head.id
            if found.known.get(head.id) != found.documents[head.id]:
                spool.accept(head)


def _flaw(document: Document | Head, reason: Reason, detail: str) -> Flaw:
    name = document.id if document.id.startswith(document.source) else f"{document.source}: {document.id}"
    return Flaw(source=document.source, reason=reason, detail=f"{name}: {detail}", document_id=document.id)


def _hides(flaw: Flaw, id: str, source: str) -> bool:
    """Whether the document may be in what this flaw kept out. The like of a duplicate is indexed elsewhere."""
    return flaw.source == source and flaw.document_id in (None, id) and flaw.reason is not Reason.DUPLICATE


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
