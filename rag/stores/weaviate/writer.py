"""Writes the chunks of a generation into a collection, in batches.

Knows batches, what a rejected one means, and when all is indexed. Knows nothing of seals but that it must still be the builder.
"""

import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from weaviate import WeaviateClient
from weaviate.collections import Collection
from weaviate.exceptions import WeaviateInsertManyAllFailedError

from rag.errors import StorageError
from rag.stores.base import Block
from rag.stores.contents import Contents
from rag.stores.weaviate.cluster import Cluster
from rag.stores.weaviate.failures import UnavailableError, passing
from rag.stores.weaviate.schema import NOTHING, stored
from rag.stores.weaviate.seal import require_ours

_ROWS = 256
"""Chunks in one write request."""
_THREADS = 2
"""Write requests under way at a time."""
_PAUSE = 0.1
"""Seconds between two looks at the queue."""


class Writer:
    """Writes into one collection that this process builds."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self._name = name

    def write(self, blocks: Iterable[Block]) -> Contents:
        """Write all blocks, and wait until they are indexed and on disk. Returns what was written."""
        contents = Contents()
        under_way: deque[Future[None]] = deque()
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="weaviate") as pool:
            for block in blocks:
                for start in range(0, len(block.chunks), _ROWS):
                    rows = slice(start, start + _ROWS)
                    batch = Block(block.chunks[rows], block.texts[rows], block.vectors[rows])
                    if len(under_way) == _THREADS:
                        under_way.popleft().result()
                    under_way.append(pool.submit(self.insert, batch, contents.count + start))
                contents.add(block)
            for each in under_way:
                each.result()
        self._await_indexing()
        self._flush()
        return contents

    def insert(self, batch: Block, first: int) -> None:
        """Write chunks at the positions from `first` on. Raises `StorageError`, which names one that was rejected."""
        objects = [stored(position, *row) for position, row in enumerate(zip(*batch, strict=True), first)]

        def insert(there: Collection[Any, Any]) -> dict[int, str]:
            require_ours(there)
            try:
                answer = there.data.insert_many(objects)
            except WeaviateInsertManyAllFailedError as error:
                refused = dict.fromkeys(range(len(objects)), str(error).partition("errors: ")[2])
            else:
                refused = {row: error.message for row, error in answer.errors.items()}
            if refused and all(map(passing, refused.values())):
                raise UnavailableError(next(iter(refused.values())))
            return refused

        if refused := self._cluster.call_on(self._name, insert, patient=True):
            row = min(refused)
            others = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
            refusal, reason = batch.chunks[row], refused[row].splitlines()[0]
            raise StorageError(
                f"Weaviate did not take chunk {refusal.id} of document {refusal.document_id}{others} ({reason})",
                "mend what it says; nothing was changed",
            )

    def _await_indexing(self) -> None:
        """Wait until nodes with `ASYNC_INDEXING` have indexed all vectors.

        Raises `StorageError` if they make no progress for long.
        """

        def queued(client: WeaviateClient) -> int:
            nodes = client.cluster.nodes(collection=self._name, output="verbose")
            return sum(shard.vector_queue_length or 0 for node in nodes for shard in node.shards or ())

        fewest, since = float("inf"), time.monotonic()
        while count := self._cluster.call(queued, patient=True):
            if count < fewest:
                fewest, since = count, time.monotonic()
            elif time.monotonic() - since > self._cluster.address.patience:
                raise StorageError(
                    f"Weaviate has {count} vectors to index, and does not go on", "its log says why; then try again"
                )
            time.sleep(_PAUSE)

    def _flush(self) -> None:
        """Wait until the graph of the last vectors is on disk.

        Inserts do not wait for that; a delete does, even one that matches nothing.
        """
        self._cluster.call_on(self._name, lambda there: there.data.delete_many(where=NOTHING), patient=True)
