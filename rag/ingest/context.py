"""What one ingest works with.

Knows where its parts come from. Knows nothing of what is done with them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from rag.embedders.base import Embedder
from rag.ingest.engines import EngineName, open_engine
from rag.ingest.engines.base import Engine
from rag.ingest.spool import Spool
from rag.ledger.corpus import Collection, Corpus
from rag.ledger.ingest_lock import ingesting
from rag.progress import Progress
from rag.stores.base import Store

if TYPE_CHECKING:
    from rag.runtime import Runtime


class IngestContext(NamedTuple):
    """The collection by its name, and the parts that read, embed and store it."""

    collection: str
    embedder: Embedder
    store: Store
    corpus: Corpus
    engine: Engine
    spool: Spool
    progress: Progress


@contextmanager
def open_context(collection: Collection, runtime: "Runtime", engine: EngineName, progress: Progress) -> Iterator[IngestContext]:
    """The parts for a collection, with an engine and a spool of their own that are closed afterwards."""
    embedder = runtime.embedder(collection.embedder)
    with (
        ingesting(runtime.engine),
        Spool(runtime.settings.home) as spool,
        open_engine(engine, collection.embedder, embedder) as opened,
    ):
        yield IngestContext(collection.name, embedder, runtime.store, runtime.corpus, opened, spool, progress)
