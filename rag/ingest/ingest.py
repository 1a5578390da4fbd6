"""Files into the current generation of a collection: survey, chunk, embed, build, and then one transaction.

Knows the order of it, and what need not be done again; leaves reading, chunking, vectors and SQL to those who know them.
"""

import heapq
import time
from collections import Counter, deque
from collections.abc import Collection as Group
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rag.embedders.base import Embedder, Vectors
from rag.errors import GroundwireError
from rag.ingest.chunker import chunks
from rag.ingest.engines import EngineName, open_engine
from rag.ingest.engines.base import Engine, Worker, portions
from rag.ingest.quality import Flaw, Reason, Report
from rag.ingest.spool import Cut, Spool
from rag.ingest.survey import Survey, survey
from rag.learning import learn
from rag.ledger.corpus import Collection, Corpus, Quarantined, embedded_sha256
from rag.progress import Progress, Stage, silent
from rag.stores.base import Generation, Store, collection_name
from rag.text.analyzer import language
from rag.types import Chunk, Document

if TYPE_CHECKING:
    from rag.runtime import Runtime

BATCH = 256
"""Chunks between two commits of their vectors: what a killed run may have to embed again, for each batch that was under way."""


class Workshop(NamedTuple):
    """What a collection is made with."""

    collection: str
    embedder: Embedder
    store: Store
    corpus: Corpus
    engine: Engine
    spool: Spool
    progress: Progress


def ingest(
    paths: Sequence[str],
    collection: str,
    runtime: "Runtime",
    *,
    engine: EngineName = "local",
    prune: bool = False,
    progress: Progress = silent,
) -> Report:
    """Bring a collection up to date with these files, folders and globs, and say what was done; the same with every engine.

    Files whose bytes are known are not parsed again, texts whose vectors are known are not embedded again, and where nothing
    changed no generation is built. A document of which the new version is quarantined stays as it was; one that vanished from its
    file goes, as do those of files that vanished, with `prune`. Until the last transaction the collection stays as it was.

    Raises `GroundwireError` for a path that is not there, and where another process changed the collection meanwhile.
    """
    started = time.perf_counter()
    collection_name(collection)
    corpus = runtime.corpus
    before = next((known for known in corpus.collections() if known.name == collection), None)
    after = before or Collection(collection, runtime.settings.embedder, None)
    earlier = corpus.quarantined(collection)
    with _workshop(after, runtime, engine, progress) as workshop:
        spool = workshop.spool
        home = runtime.settings.home.resolve()
        found = survey(paths, collection, corpus, workshop.engine, spool, prune=prune, progress=progress, without=home)
        changed = found.changed()
        removed, kept = found.missing()
        languages = _chunked(len(changed), workshop)
        embedded = _embed(workshop)
        if changed or removed or _stale(after, workshop):
            generation = _built({*changed, *removed}, workshop)
            after = after._replace(generation=generation.id if generation else None)
        if after != before or found.read or found.gone:
            try:
                corpus.replace(
                    before,
                    after,
                    changed=spool.cuts(),
                    removed=removed,
                    read=found.read,
                    gone=found.gone,
                    quarantined=[Quarantined(flaw.source, flaw.reason, flaw.detail) for flaw in found.flaws],
                )
            except BaseException:
                _discard(after, workshop)
                raise
    runtime.store.publish(collection, after.generation)

    documents, total = corpus.count(collection)
    added = sum(id not in found.known for id in changed)
    return Report(
        collection=collection,
        generation=after.generation,
        files=len(found.files),
        files_unchanged=len(found.unread) - len(found.skipped),
        skipped=tuple(found.skipped),
        vanished=len(found.vanished - found.gone),
        documents=documents,
        added=added,
        changed=len(changed) - added,
        unchanged=_unchanged(found) - len(changed),
        removed=len(removed),
        kept=len(kept),
        twins=found.twins,
        chunks=total,
        embedded=embedded,
        reused=spool.chunk_count - embedded,
        languages=dict(languages.most_common()),
        quarantined=(*found.flaws, *(_flaw(row) for row in earlier if row.source in found.unread)),
        seconds=time.perf_counter() - started,
    )


def rebuild(collection: str, runtime: "Runtime", *, progress: Progress = silent) -> Generation:
    """Build a generation from the ledger alone and make it current. Raises `GroundwireError` where there is no chunk."""
    there = runtime.corpus.collection(collection)
    with _workshop(there, runtime, "local", progress) as workshop:
        generation = _built((), workshop)
    if generation is None:
        raise GroundwireError(f"collection {collection} is empty", f"`rag ingest PATH --collection {collection}` fills it")
    use(there, generation.id, runtime)
    return generation


def use(there: Collection, generation_id: str, runtime: "Runtime") -> None:
    """Make another generation the current one. Raises `GroundwireError` where another process changed the collection meanwhile."""
    runtime.corpus.use(there, generation_id)
    runtime.store.publish(there.name, generation_id)


def _discard(built: Collection, workshop: Workshop) -> None:
    """Drop a generation that is not current after all. It stays where the ledger cannot tell: the answer to a commit may be lost."""
    with suppress(GroundwireError):
        current = {known.generation for known in workshop.corpus.collections() if known.name == built.name}
        if built.generation and built.generation not in current:
            workshop.store.drop(built.name, built.generation)


@contextmanager
def _workshop(there: Collection, runtime: "Runtime", engine: EngineName, progress: Progress) -> Iterator[Workshop]:
    embedder = runtime.embedder(there.embedder)
    with Spool(runtime.settings.home) as spool, open_engine(engine, there.embedder, embedder) as opened:
        yield Workshop(there.name, embedder, runtime.store, runtime.corpus, opened, spool, progress)


def _unchanged(found: Survey) -> int:
    """Documents of this run's files that are there, read or not."""
    return sum(source in found.unread for source, _ in found.known.values()) + len(found.documents)


def _flaw(row: Quarantined) -> Flaw:
    return Flaw(source=row.source, reason=Reason(row.reason), detail=row.detail)


def _stale(there: Collection, workshop: Workshop) -> bool:
    """Whether the collection has chunks, and its generation is lost or was built with another embedder."""
    built = {generation.id: generation.embedder for generation in workshop.store.generations(there.name)}
    current = built.get(there.generation) if there.generation else None
    return current != workshop.embedder.identity and workshop.corpus.count(there.name)[1] > 0


def _chunked(count: int, workshop: Workshop) -> Counter[str]:
    """Cut the accepted documents, which are `count`; how many are in which language."""
    languages: Counter[str] = Counter()
    done = 0
    for cuts in workshop.engine.map(cut, portions(workshop.spool.accepted())):
        for found in cuts:
            workshop.spool.keep(found)
            languages[found.language] += 1
        done += len(cuts)
        workshop.progress(Stage.CHUNK, done, count)
    return languages


def cut(worker: Worker, documents: Sequence[Document]) -> Iterator[list[Cut]]:
    """What documents are cut into, each in its language."""
    told = (document.model_copy(update={"language": language(document.text)}) for document in documents)
    yield [Cut.of(document, chunks(document, worker.embedder)) for document in told]


def _embed(workshop: Workshop) -> int:
    """See to it that the ledger has a vector for every chunk that was cut; how many texts had to be embedded."""
    total, done, embedded = workshop.spool.chunk_count, 0, 0
    for vectors, fresh in _vectors(workshop.spool.chunks(), workshop):
        embedded += fresh
        done += len(vectors)
        workshop.progress(Stage.EMBED, done, total)
    return embedded


def _vectors(pieces: Iterable[Chunk], workshop: Workshop) -> Iterator[tuple[Vectors, int]]:
    """Those of one batch of chunks after the other, shape (chunks, dimensions), and how many were not in the ledger: now they are."""
    identity, corpus = workshop.embedder.identity, workshop.corpus
    under_way: deque[tuple[list[str], dict[str, Vectors], list[str]]] = deque()
    coming: set[str] = set()

    def missing() -> Iterator[list[str]]:
        for batch in portions(pieces, BATCH):
            hashes = [embedded_sha256(chunk) for chunk in batch]
            kept = corpus.vectors(identity, hashes)
            there = kept.keys() | coming
            texts = {sha256: chunk.embedded for sha256, chunk in zip(hashes, batch, strict=True) if sha256 not in there}
            coming.update(texts)
            under_way.append((hashes, kept, list(texts)))
            yield list(texts.values())

    for fresh in workshop.engine.map(embed, missing()):
        hashes, kept, embedded = under_way.popleft()
        if embedded:
            made = dict(zip(embedded, fresh, strict=True))
            corpus.keep_vectors(identity, made)
            coming.difference_update(embedded)
            kept |= made
        # Those that another batch was waiting for when this one was looked up.
        kept |= corpus.vectors(identity, [sha256 for sha256 in hashes if sha256 not in kept])
        yield np.stack([kept[sha256] for sha256 in hashes]), len(embedded)


def embed(worker: Worker, texts: Sequence[str]) -> Iterator[Vectors]:
    """Shape (len(texts), dimensions)."""
    yield worker.embedder.embed(texts)


def _built(replaced: Group[str], workshop: Workshop) -> Generation | None:
    """A generation of the ledger's chunks with those of documents that are replaced left out, and the spool's; none where no chunk is
    left.
    """
    collection, corpus, spool = workshop.collection, workshop.corpus, workshop.spool
    most = corpus.count(collection)[1] + spool.chunk_count

    def future() -> Iterator[Chunk]:
        staying = corpus.chunks(collection, without=replaced)
        return heapq.merge(staying, spool.chunks(), key=lambda chunk: chunk.document_id)

    def vectors() -> Iterator[Vectors]:
        done = 0
        for batch, _ in _vectors(future(), workshop):
            yield batch
            done += len(batch)
            workshop.progress(Stage.INDEX, done, most)

    if next(future(), None) is None:
        return None
    embedder = workshop.embedder
    generation = workshop.store.build(collection, embedder.identity, future(), vectors(), lambda index: learn(index, embedder))
    workshop.progress(Stage.INDEX, generation.chunks, generation.chunks)
    return generation
