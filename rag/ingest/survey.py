"""Compares files with the ledger: documents to accept, flaws, files to skip.

Knows which files need no reading, and checks what was read against what stays. Knows nothing of chunks, vectors or transactions.
"""

import hashlib
import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from rag.digest import file_sha256
from rag.errors import GroundwireError
from rag.ingest.context import IngestContext
from rag.ingest.engines.base import Worker, batched
from rag.ingest.quality import MOST_CHARACTERS, RETRIED, Flaw, Reason, Skipped
from rag.ingest.readers import Entry, media_type, read
from rag.ingest.roots import here, own
from rag.ingest.sandbox import Sandbox
from rag.ingest.sources import File, covers, discover, missing_folder
from rag.ingest.spool import EntryHeader, Spool
from rag.ledger.corpus import Quarantined
from rag.progress import Stage
from rag.types import Document

UNIQUE = "make one of them another, or call the field that holds it otherwise"
"""How to mend an id that two files have."""


class Wanted(NamedTuple):
    """A file to read, unless its bytes have this sha256."""

    file: File
    known: str | None


class Seen(NamedTuple):
    """The end of a file. `sha256` is null if its bytes are known, and empty if they could not be read."""

    source: str
    sha256: str | None


class Candidate(NamedTuple):
    """A document without flaws of its own. `named`: its file gives it an id."""

    document: Document
    named: bool


Finding = Candidate | Flaw | Skipped | Seen
"""What there is in a file; `Seen` comes last."""


@dataclass
class Survey:
    """The files compared with the ledger."""

    files: list[File]
    absent: frozenset[str]
    """Sources that were read here, in the current folder, and whose files are there no more."""
    vanished: frozenset[str]
    """Those of them under the paths, and those that must not be read any more."""
    gone: set[str]
    """Those of `vanished` of which nothing stays."""
    adopted: frozenset[str]
    """Sources that were read here, as the ledger is to be told: it remembers another folder, or none."""
    known: Mapping[str, tuple[str, str]]
    """The documents of the ledger: id to source and sha256."""
    earlier: Sequence[Quarantined]
    """What the ledger has quarantined of the collection."""
    read: dict[str, str] = field(default_factory=dict)
    """The sha256 of each file that was read, by source."""
    documents: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The accepted documents: id to source and sha256."""
    flaws: list[Flaw] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    """Documents of vanished files, by id, that are now another's: its id."""
    twins: int = 0
    """Documents accepted although another has the same title, text and metadata, because their file gives them ids."""

    @property
    def unread(self) -> set[str]:
        """Sources that were not read, because their bytes are known or they were skipped."""
        return {file.source for file in self.files} - self.read.keys()

    @property
    def unchanged(self) -> int:
        """The number of documents in this run's files that the ledger has as they are, read or not."""
        unread = self.unread
        kept = sum(source in unread for source, _ in self.known.values())
        return kept + len(self.documents) - len(self.changed())

    @property
    def quarantined(self) -> tuple[Flaw, ...]:
        """The flaws of this run, and the earlier ones of files that were not read again, by file."""
        unread = self.unread
        earlier = (
            Flaw(source=row.source, reason=Reason(row.reason), detail=row.detail) for row in self.earlier if row.source in unread
        )
        return tuple(sorted((*self.flaws, *earlier), key=lambda flaw: flaw.source))

    def changed(self) -> list[str]:
        """Ids of accepted documents that are new, or differ from the ledger's: those that the spool holds."""
        return [id for id, row in self.documents.items() if self.known.get(id) != row]

    def missing(self) -> tuple[set[str], set[str]]:
        """(removed, kept): ids of documents that are no longer in their file, and of those that may still be, in a
        part that could not be read.
        """
        vanished = {id: source for id, (source, _) in self.known.items() if id not in self.documents}
        removed = {id for id, source in vanished.items() if source in self.gone or id in self.renamed}
        unseen = {id: source for id, source in vanished.items() if source in self.read}
        kept = {id for id, source in unseen.items() if any(_hides(flaw, id, source) for flaw in self.flaws)}
        return removed | unseen.keys() - kept, kept


def survey(paths: Sequence[str], context: IngestContext, *, prune: bool, moved: bool, without: Path) -> Survey:
    """Read the files that are new or changed, and those whose quarantine may be over, but none below the folder
    `without`.

    Documents that are new or changed are then accepted in the spool. `prune`: documents of files that vanished go.
    Raises as `discover` and `own`, and if so much vanished that it may only be out of reach.
    """
    collection, corpus, spool = context.collection, context.corpus, context.spool
    sources = corpus.sources(collection)
    files = discover(paths, sources if prune else (), without)
    ours = own(files, sources, collection, moved=moved)
    there = {file.source for file in files if not file.forbidden}
    absent = frozenset(source for source in ours - there if not os.path.exists(source))  # noqa: PTH110 - a name, not a path
    forbidden = {file.source for file in files if file.forbidden}
    vanished = frozenset(source for source in absent | (ours & forbidden) if any(covers(path, source) for path in paths))
    if prune and not moved:
        _require_folders(paths, sorted(absent & vanished), collection, without)
    gone = set(vanished) if prune else set()
    adopted = frozenset(source for source in ours if sources[source].root != here() and (source in there or sources[source].root))
    earlier = corpus.quarantined(collection)
    found = Survey(files, absent, vanished, gone, adopted, corpus.documents(collection), earlier)
    retried = {row.source for row in earlier if row.reason in RETRIED and row.source in ours}
    known = {source: row.sha256 for source, row in sources.items() if source not in retried}
    wanted = (Wanted(file._replace(path=file.path.absolute()), known.get(file.source)) for file in files)
    done = 0
    for finding in itertools.chain.from_iterable(context.engine.map(read_files, batched(wanted))):
        match finding:
            case Candidate(document, named):
                spool.add(document, named=named)
            case Flaw():
                found.flaws.append(finding)
            case Skipped():
                found.skipped.append(_told(finding, found))
            case Seen(source, sha256):
                if sha256 is not None:
                    found.read[source] = sha256
                done += 1
                context.progress(Stage.READ, done, len(files))
    _judge(found, spool)
    return found


def _require_folders(paths: Sequence[str], absent: Sequence[str], collection: str, without: Path) -> None:
    """Raise `GroundwireError` if the files are absent because all of their folder is, which may only be out of reach."""
    for source in absent:
        folders = [missing_folder(path, source, without) for path in paths if covers(path, source)]
        if all(folders):
            raise GroundwireError(
                f"no file is in {folders[0]}, where {source} was read for collection {collection}; nothing was removed",
                "mount or restore the folder; if it is gone for good, add --moved",
            )


def _told(skipped: Skipped, found: Survey) -> Skipped:
    """A file that was read once and must not be any more: what becomes of its documents is told, too."""
    if skipped.source not in found.vanished:
        return skipped
    fate = "was removed" if skipped.source in found.gone else "stays, unless --prune is given"
    return Skipped(source=skipped.source, detail=f"{skipped.detail}; what was read of it earlier {fate}")


def read_files(worker: Worker, files: Sequence[Wanted]) -> Iterator[list[Finding]]:
    """What there is in these files, a batch of findings at a time."""
    return batched(finding for wanted in files for finding in _findings(wanted, worker.sandbox))


def _findings(wanted: Wanted, sandbox: Sandbox) -> Iterator[Finding]:
    file = wanted.file
    sha256: str | None = None
    try:
        kind = None if file.forbidden else media_type(file)
        if file.forbidden:
            yield Skipped(source=file.source, detail=file.forbidden)
        elif kind is None:
            yield Skipped(source=file.source, detail="not a type that is read")
        elif (found := file_sha256(file.path)) != wanted.known:
            sha256 = found
            yield from (
                entry if isinstance(entry, Flaw) else _candidate(file.source, entry) for entry in read(file, kind, sandbox)
            )
    except OSError as error:
        sha256 = ""
        yield Flaw(source=file.source, reason=Reason.UNREADABLE, detail=f"{file.source}: {error.strerror or error}")
    yield Seen(file.source, sha256)


def _candidate(source: str, entry: Entry) -> Candidate | Flaw:
    """The entry as a document, or the flaw that keeps it out, whatever else there is."""
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
    """Accept each document, or record which other document keeps it out."""
    staying = {id: row for id, row in found.known.items() if row[0] not in found.read and row[0] not in found.gone}
    owners = {id: source for id, (source, _) in staying.items() if source not in found.absent}
    twins = {sha256: id for id, (_, sha256) in staying.items()}
    for header in spool.headers():
        twin = twins.get(header.sha256, header.id)
        if header.id in owners:
            found.flaws.append(_flaw(header, Reason.REPEATED_ID, f"this id is also in {owners[header.id]}: {UNIQUE}"))
        elif twin != header.id and not header.named and not _renamed(twin, found):
            found.flaws.append(_flaw(header, Reason.DUPLICATE, f"same title, text and metadata as {twin}"))
        else:
            owners[header.id] = header.source
            twins.setdefault(header.sha256, header.id)
            found.documents[header.id] = (header.source, header.sha256)
            if twin != header.id and _renamed(twin, found):
                found.renamed[twin] = twins[header.sha256] = header.id
            elif twin != header.id:
                found.twins += 1
            if found.known.get(header.id) != found.documents[header.id]:
                spool.accept(header)
    left = {source for id, (source, _) in found.known.items() if id not in found.renamed and id not in found.documents}
    found.gone |= {found.known[id][0] for id in found.renamed} - left


def _renamed(id: str, found: Survey) -> bool:
    """Whether this document, which has a twin, is of a file that vanished, and has no id of its own."""
    source, _ = found.known.get(id, ("", ""))
    return source in found.vanished and id.startswith(source)


def _flaw(document: Document | EntryHeader, reason: Reason, detail: str) -> Flaw:
    name = document.id if document.id.startswith(document.source) else f"{document.source}: {document.id}"
    return Flaw(source=document.source, reason=reason, detail=f"{name}: {detail}", document_id=document.id)


def _hides(flaw: Flaw, id: str, source: str) -> bool:
    """Whether the flaw may have kept out this document. A duplicate hides none: its content is indexed under another id."""
    return flaw.source == source and flaw.document_id in (None, id) and flaw.reason is not Reason.DUPLICATE
