"""Files into the current generation of a collection: survey, chunk, embed, build, and then one transaction.

Knows the order of it, and what need not be done again. Knows nothing of file formats, chunking, vectors or SQL.
"""

import heapq
import time
from collections import Counter, deque
from collections.abc import Collection as Group
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from rag.embedders.base import Vectors
from rag.errors import GroundwireError
from rag.ingest.chunker import chunks
from rag.ingest.context import IngestContext, open_context
from rag.ingest.engines import EngineName
from rag.ingest.engines.base import Worker, batched
from rag.ingest.report import Report
from rag.ingest.roots import here
from rag.ingest.spool import ChunkedDocument
from rag.ingest.survey import Survey, survey
from rag.ledger.corpus import Change, Collection, Quarantined, embedded_sha256
from rag.progress import Progress, Stage, silent
from rag.stores.base import Generation, collection_name
from rag.text.analyzer import language
from rag.tuning import tune
from rag.types import Chunk, Document

if TYPE_CHECKING:
    from rag.runtime import Runtime

BATCH = 256
"""Chunks that are embedded and committed together: a killed run loses at most those of the batches under way."""


def ingest(
    paths: Sequence[str],
    collection: str,
    runtime: "Runtime",
    *,
    engine: EngineName = "local",
    prune: bool = False,
    moved: bool = False,
    progress: Progress = silent,
) -> Report:
    """Bring a collection up to date with these files, folders and globs; the result is the same with every engine.

    Files whose bytes are known are not parsed again, texts whose vectors are known are not embedded again, and if
    nothing changed no generation is built. A document whose new version is quarantined stays as it was. A document
    that is no longer in its file is removed; with `prune`, so are those of files that vanished from the current folder.
    `moved`: what was ingested in the folders that the files were read in before is taken over. Until the last transaction
    the collection stays as it was.

    Raises `GroundwireError` for a path that does not exist, for a file whose name another folder's has, for a whole
    folder that is to be pruned, and if another process changed the collection meanwhile.
    """
    started = time.perf_counter()
    collection_name(collection)
    before = next((known for known in runtime.corpus.collections() if known.name == collection), None)
    after = before or Collection(collection, runtime.settings.embedder, None)
    with open_context(after, runtime, engine, progress) as context:
        found = survey(paths, context, prune=prune, moved=moved, without=runtime.settings.home.resolve())
        changed, (removed, _) = found.changed(), found.missing()
        languages = _chunk(len(changed), context)
        embedded = _embed(context)
        if changed or removed or _stale(after, context):
            generation = _build({*changed, *removed}, context)
            after = after._replace(generation=generation.id if generation else None)
        if after != before or found.read or found.gone or found.adopted:
            _commit(before, after, found, context)
    runtime.store.publish(collection, after.generation)
    return _report(found, after, languages, embedded, context, time.perf_counter() - started)


def rebuild(collection: str, runtime: "Runtime", *, progress: Progress = silent) -> Generation:
    """Build a generation from the ledger alone and make it current. Raises `GroundwireError` for an empty collection."""
    there = runtime.corpus.collection(collection)
    with open_context(there, runtime, "local", progress) as context:
        generation = _build((), context)
    if generation is None:
        raise GroundwireError(f"collection {collection} is empty", f"`rag ingest PATH --collection {collection}` fills it")
    use(there, generation.id, runtime)
    return generation


def use(there: Collection, generation_id: str, runtime: "Runtime") -> None:
    """Make another generation the current one. Raises `GroundwireError` if another process changed the collection meanwhile."""
    runtime.corpus.use(there, generation_id)
    runtime.store.publish(there.name, generation_id)


def _commit(before: Collection | None, after: Collection, found: Survey, context: IngestContext) -> None:
    """Write to the ledger what was found, and make the new generation current; it is dropped if that fails."""
    quarantined = [Quarantined(flaw.source, flaw.reason, flaw.detail) for flaw in found.flaws]
    removed, _ = found.missing()
    change = Change(context.spool.documents(), removed, found.read, found.gone, quarantined, here(), found.adopted)
    try:
        context.corpus.replace(before, after, change)
    except BaseException:
        _discard(after, context)
        raise


def _discard(built: Collection, context: IngestContext) -> None:
    """Drop a generation that did not become current. If the ledger cannot tell, it stays: the commit may have succeeded."""
    with suppress(GroundwireError):
        current = {known.generation for known in context.corpus.collections() if known.name == built.name}
        if built.generation and built.generation not in current:
            context.store.drop(built.name, built.generation)


def _report(
    found: Survey, after: Collection, languages: Counter[str], embedded: int, context: IngestContext, seconds: float
) -> Report:
    documents, total = context.corpus.count(after.name)
    changed, (removed, kept) = found.changed(), found.missing()
    added = sum(id not in found.known for id in changed)
    newest = max((generation.id for generation in context.store.generations(after.name)), default="")
    return Report(
        collection=after.name,
        generation=after.generation,
        files=len(found.files),
        files_unchanged=len(found.unread) - len(found.skipped),
        skipped=tuple(found.skipped),
        vanished=tuple(sorted(found.vanished - found.gone - {file.source for file in found.files})),
        renamed=found.renamed,
        outdated=newest > (after.generation or newest),
        documents=documents,
        added=added - len(found.renamed),
        changed=len(changed) - added,
        unchanged=found.unchanged,
        removed=len(removed) - len(found.renamed),
        kept=len(kept),
        twins=found.twins,
        chunks=total,
        embedded=embedded,
        reused=context.spool.chunk_count - embedded,
        languages=dict(languages.most_common()),
        quarantined=found.quarantined,
        seconds=seconds,
    )


def _stale(there: Collection, context: IngestContext) -> bool:
    """Whether the collection has chunks, but its generation is missing or was built with another embedder."""
    built = {generation.id: generation.embedder for generation in context.store.generations(there.name)}
    current = built.get(there.generation) if there.generation else None
    return current != context.embedder.identity and context.corpus.count(there.name)[1] > 0


def _chunk(count: int, context: IngestContext) -> Counter[str]:
    """Chunk the accepted documents, `count` of them, into the spool; returns how many are in which language."""
    languages: Counter[str] = Counter()
    done = 0
    for batch in context.engine.map(chunk_documents, batched(context.spool.accepted())):
        for chunked in batch:
            context.spool.add_chunks(chunked)
            languages[chunked.language] += 1
        done += len(batch)
        context.progress(Stage.CHUNK, done, count)
    return languages


def chunk_documents(worker: Worker, documents: Sequence[Document]) -> Iterator[list[ChunkedDocument]]:
    """The documents' chunks, once their language is detected; one list."""
    detected = (document.model_copy(update={"language": language(document.text)}) for document in documents)
    yield [ChunkedDocument.of(document, chunks(document, worker.embedder)) for document in detected]


def _embed(context: IngestContext) -> int:
    """Embed the chunks in the spool whose vectors the ledger does not have; returns how many texts that were."""
    total, done, embedded = context.spool.chunk_count, 0, 0
    for vectors, fresh in _vectors(context.spool.chunks(), context):
        embedded += fresh
        done += len(vectors)
        context.progress(Stage.EMBED, done, total)
    return embedded


def _vectors(pieces: Iterable[Chunk], context: IngestContext) -> Iterator[tuple[Vectors, int]]:
    """For each batch of chunks, its vectors, shape (chunks, dimensions), and how many of them the ledger did not have
    until now.
    """
    identity, corpus = context.embedder.identity, context.corpus
    under_way: deque[tuple[list[str], dict[str, Vectors], list[str]]] = deque()
    coming: set[str] = set()

    def missing() -> Iterator[list[str]]:
        for batch in batched(pieces, BATCH):
            hashes = [embedded_sha256(chunk) for chunk in batch]
            kept = corpus.vectors(identity, hashes)
            there = kept.keys() | coming
            texts = {sha256: chunk.embedded for sha256, chunk in zip(hashes, batch, strict=True) if sha256 not in there}
            coming.update(texts)
            under_way.append((hashes, kept, list(texts)))
            yield list(texts.values())

    for fresh in context.engine.map(embed_texts, missing()):
        hashes, kept, embedded = under_way.popleft()
        if embedded:
            made = dict(zip(embedded, fresh, strict=True))
            corpus.keep_vectors(identity, made)
            coming.difference_update(embedded)
            kept |= made
        # Texts that an earlier batch was still embedding when this one was looked up are in the ledger by now.
        kept |= corpus.vectors(identity, [sha256 for sha256 in hashes if sha256 not in kept])
        yield np.stack([kept[sha256] for sha256 in hashes]), len(embedded)


def embed_texts(worker: Worker, texts: Sequence[str]) -> Iterator[Vectors]:
    """Shape (len(texts), dimensions)."""
    yield worker.embedder.embed(texts)


def _build(replaced: Group[str], context: IngestContext) -> Generation | None:
    """Build a generation of the ledger's chunks, those of the documents `replaced` left out, and the spool's; null if
    there is none.
    """
    collection, corpus, spool = context.collection, context.corpus, context.spool
    most = corpus.count(collection)[1] + spool.chunk_count

    def future() -> Iterator[Chunk]:
        staying = corpus.chunks(collection, without=replaced)
        return heapq.merge(staying, spool.chunks(), key=lambda chunk: chunk.document_id)

    def vectors() -> Iterator[Vectors]:
        done = 0
        for batch, _ in _vectors(future(), context):
            yield batch
            done += len(batch)
            context.progress(Stage.INDEX, done, most)

    if next(future(), None) is None:
        return None
    embedder = context.embedder
    generation = context.store.build(collection, embedder.identity, future(), vectors(), lambda index: tune(index, embedder))
    context.progress(Stage.INDEX, generation.chunks, generation.chunks)
    return generation
