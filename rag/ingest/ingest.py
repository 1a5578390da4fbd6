"""Files into the current generation of a collection: survey, chunk, embed, build, and then one transaction.

Knows the order of it, and what need not be done again; leaves reading, chunking, vectors and SQL to those who know them.
"""

import heapq
import itertools
import time
from collections import Counter
from collections.abc import Collection as Group
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rag.analyzer import language
from rag.embedders.base import Embedder, Vectors
from rag.errors import GroundwireError
from rag.ingest.chunker import chunks
from rag.ingest.progress import Progress, Stage, silent
from rag.ingest.quality import Flaw, Reason, Report
from rag.ingest.survey import Survey, survey
from rag.learning import learn
from rag.ledger.corpus import Collection, Corpus, Quarantined, embedded_sha256
from rag.stores.base import Generation, Store, collection_name
from rag.types import Chunk, Document

if TYPE_CHECKING:
    from rag.runtime import Runtime

BATCH = 256
"""Chunks between two commits of their vectors: what a killed run may have to embed again."""


class Workshop(NamedTuple):
    """What a collection is made with."""

    collection: str
    embedder: Embedder
    store: Store
    corpus: Corpus
    progress: Progress


def ingest(
    paths: Sequence[str], collection: str, runtime: "Runtime", *, prune: bool = False, progress: Progress = silent
) -> Report:
    """Bring a collection up to date with these files, folders and globs, and say what was done.

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
    found = survey(paths, collection, corpus, prune=prune, progress=progress, without=runtime.settings.home.resolve())
    changed = [document.model_copy(update={"language": language(document.text)}) for document in found.changed()]
    removed, kept = found.missing()

    workshop = Workshop(collection, runtime.embedder(after.embedder), runtime.store, corpus, progress)
    pieces = _chunked(changed, workshop)
    embedded = _embed(pieces, workshop)
    if changed or removed or _stale(after, workshop):
        generation = _built(pieces, removed, workshop)
        after = after._replace(generation=generation.id if generation else None)
    if after != before or found.read or found.gone:
        try:
            corpus.replace(
                before,
                after,
                changed=((document, pieces[document.id]) for document in changed),
                removed=removed,
                read=found.read,
                gone=found.gone,
                quarantined=[Quarantined(flaw.source, flaw.reason, flaw.detail) for flaw in found.flaws],
            )
        except BaseException:
            if after.generation and (before is None or after.generation != before.generation):
                runtime.store.drop(collection, after.generation)
            raise
        runtime.store.publish(collection, after.generation)

    documents, total = corpus.count(collection)
    added = sum(document.id not in found.known for document in changed)
    return Report(
        collection=collection,
        generation=after.generation,
        files=len(found.files),
        files_unchanged=len(found.unread) - len(found.skipped),
        skipped=tuple(found.skipped),
        documents=documents,
        added=added,
        changed=len(changed) - added,
        unchanged=_unchanged(found) - len(changed),
        removed=len(removed),
        kept=len(kept),
        twins=found.twins,
        chunks=total,
        embedded=embedded,
        reused=sum(map(len, pieces.values())) - embedded,
        languages=dict(Counter(document.language for document in changed).most_common()),
        quarantined=(*found.flaws, *(_flaw(row) for row in earlier if row.source in found.unread)),
        seconds=time.perf_counter() - started,
    )


def rebuild(collection: str, runtime: "Runtime", *, progress: Progress = silent) -> Generation:
    """Build a generation from the ledger alone and make it current. Raises `GroundwireError` where there is no chunk."""
    there = runtime.corpus.collection(collection)
    workshop = Workshop(collection, runtime.embedder(there.embedder), runtime.store, runtime.corpus, progress)
    generation = _built({}, (), workshop)
    if generation is None:
        raise GroundwireError(f"collection {collection} is empty", f"`rag ingest PATH --collection {collection}` fills it")
    use(there, generation.id, runtime)
    return generation


def use(there: Collection, generation_id: str, runtime: "Runtime") -> None:
    """Make another generation the current one. Raises `GroundwireError` where another process changed the collection meanwhile."""
    runtime.corpus.use(there, generation_id)
    runtime.store.publish(there.name, generation_id)


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


def _chunked(changed: Sequence[Document], workshop: Workshop) -> dict[str, list[Chunk]]:
    """The chunks of each document, by its id, in the order given."""
    pieces = {}
    for done, document in enumerate(changed, 1):
        pieces[document.id] = chunks(document, workshop.embedder)
        workshop.progress(Stage.CHUNK, done, len(changed))
    return pieces


def _embed(pieces: Mapping[str, list[Chunk]], workshop: Workshop) -> int:
    """See to it that the ledger has a vector for every chunk; how many texts had to be embedded."""
    total, done, embedded = sum(map(len, pieces.values())), 0, 0
    for batch in _batched(itertools.chain.from_iterable(pieces.values())):
        embedded += _vectors(batch, workshop)[1]
        done += len(batch)
        workshop.progress(Stage.EMBED, done, total)
    return embedded


def _vectors(batch: Sequence[Chunk], workshop: Workshop) -> tuple[Vectors, int]:
    """Shape (len(batch), dimensions), and how many were not in the ledger: now they are."""
    embedder, corpus = workshop.embedder, workshop.corpus
    hashes = [embedded_sha256(chunk) for chunk in batch]
    vectors = corpus.vectors(embedder.identity, hashes)
    missing = {sha256: chunk.embedded for sha256, chunk in zip(hashes, batch, strict=True) if sha256 not in vectors}
    if missing:
        fresh = dict(zip(missing, embedder.embed(list(missing.values())), strict=True))
        corpus.keep_vectors(embedder.identity, fresh)
        vectors |= fresh
    return np.stack([vectors[sha256] for sha256 in hashes]), len(missing)


def _built(pieces: Mapping[str, list[Chunk]], removed: Iterable[str], workshop: Workshop) -> Generation | None:
    """A generation of the ledger's chunks with those of changed documents replaced; none where no chunk is left."""
    collection, embedder, store, corpus, progress = workshop
    replaced: Group[str] = {*pieces, *removed}
    most = corpus.count(collection)[1] + sum(map(len, pieces.values()))

    def future() -> Iterator[Chunk]:
        fresh = itertools.chain.from_iterable(pieces.values())
        return heapq.merge(corpus.chunks(collection, without=replaced), fresh, key=lambda chunk: chunk.document_id)

    def vectors() -> Iterator[Vectors]:
        done = 0
        for batch in _batched(future()):
            yield _vectors(batch, workshop)[0]
            done += len(batch)
            progress(Stage.INDEX, done, most)

    if next(future(), None) is None:
        return None
    generation = store.build(collection, embedder.identity, future(), vectors(), lambda index: learn(index, embedder))
    progress(Stage.INDEX, generation.chunks, generation.chunks)
    return generation


def _batched(stream: Iterable[Chunk]) -> Iterator[list[Chunk]]:
    rest = iter(stream)
    while batch := list(itertools.islice(rest, BATCH)):
        yield batch
