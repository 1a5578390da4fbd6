"""One collection of Weaviate, opened for search.

Knows how a generation is searched and read there, and when it is whole. Knows nothing of how it is written or sealed.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from weaviate.classes.query import MetadataQuery
from weaviate.collections import Collection
from weaviate.exceptions import WeaviateQueryError

from rag.embedders.base import Vectors
from rag.errors import StorageError
from rag.stores.base import REBUILD, Block, Generation, best_first
from rag.stores.facets import wanted
from rag.stores.weaviate.cluster import Cluster
from rag.stores.weaviate.connection import Result
from rag.stores.weaviate.failures import UnavailableError
from rag.stores.weaviate.schema import EVERYTHING, condition
from rag.text import analyzer
from rag.types import Chunk, Filter, Hit

_MOST = 10_000
"""Results of one search at most, by the server's default of `QUERY_MAXIMUM_RESULTS`."""
_EXACT = 10_000
"""Up to this many chunks the dense leg compares all of them: that is as fast as walking their graph."""
_PAGE = 1_000
"""Chunks that are read back at once."""


class WeaviateIndex:
    """A generation in Weaviate. Dense search is exact up to `_EXACT` chunks and for narrow filters, else approximate (HNSW)."""

    def __init__(self, cluster: Cluster, name: str, generation: Generation, *, patient: bool = False) -> None:
        self.generation = generation
        self._cluster = cluster
        self._name = name
        self._patient = patient

    def dense(self, vector: Vectors, k: int, where: Filter) -> list[Hit]:
        k = min(k, self.generation.chunks, _MOST)
        if k < 1 or not all(wanted(where)):
            return []
        if len(vector) != self.generation.dimensions:
            raise StorageError(
                f"generation {self.generation.id} of collection {self.generation.collection} has {self.generation.dimensions} "
                f"dimensions, the question {len(vector)}",
                "ingest its documents again, which embeds them anew",
            )
        asked: list[float] = vector.tolist()
        exact = EVERYTHING if self.generation.chunks <= _EXACT else None

        def near(limit: int, distance: float | None) -> list[Hit]:
            found = self._call(
                lambda there: there.query.near_vector(
                    asked,
                    limit=limit,
                    distance=distance,
                    filters=condition(where) or exact,
                    return_metadata=MetadataQuery(distance=True),
                    return_properties=[],
                ),
            )
            return sorted((Hit(each.uuid.int, -float(each.metadata.distance or 0)) for each in found.objects), key=best_first)

        hits = near(min(k + 1, _MOST), None)
        if len(hits) > k and hits[k].score == hits[k - 1].score:
            tied = near(_MOST, float(np.nextafter(np.float32(-hits[k].score), np.float32(2))))
            hits = max(tied, hits, key=len)
        return hits[:k]

    def lexical(self, question: str, k: int, where: Filter) -> list[Hit]:
        terms = analyzer.asked(question, self.generation.languages)
        k = min(k, self.generation.chunks, _MOST)
        if k < 1 or not terms or not all(wanted(where)):
            return []
        limit = min(k + 1, _MOST)
        while True:
            found = self._call(
                lambda there: there.query.bm25(
                    " ".join(terms),
                    query_properties=["terms"],
                    limit=limit,  # noqa: B023
                    filters=condition(where),
                    return_metadata=MetadataQuery(score=True),
                    return_properties=[],
                ),
            )
            hits = sorted((Hit(each.uuid.int, float(each.metadata.score or 0)) for each in found.objects), key=best_first)
            if len(hits) < limit or limit == _MOST or hits[-1].score < hits[k - 1].score:
                return hits[:k]
            limit = min(4 * limit, _MOST)

    def chunks(self, positions: Sequence[int]) -> list[Chunk]:
        found: dict[int, Chunk] = {}
        every = sorted(set(positions))
        for start in range(0, len(every), _PAGE):
            ids = [UUID(int=position) for position in every[start : start + _PAGE]]
            answer = self._call(
                lambda there: there.query.fetch_objects_by_ids(ids, limit=len(ids), return_properties=["chunk"]),  # noqa: B023
            )
            found |= {each.uuid.int: Chunk.model_validate_json(str(each.properties["chunk"])) for each in answer.objects}
        if missing := set(positions) - found.keys():
            raise self._damaged(f"{len(missing)} of its chunks are missing")
        return [found[position] for position in positions]

    def blocks(self) -> Iterator[Block]:
        last: UUID | None = None
        for start in range(0, self.generation.chunks, _PAGE):
            answer = self._call(
                lambda there: there.query.fetch_objects(
                    limit=_PAGE,
                    after=last,  # noqa: B023
                    include_vector=True,
                    return_properties=["chunk"],
                ),
                patient=True,
            )
            if [each.uuid.int for each in answer.objects] != list(range(start, min(start + _PAGE, self.generation.chunks))):
                raise self._damaged(f"chunks from position {start} on are missing")
            last = answer.objects[-1].uuid
            texts = [str(each.properties["chunk"]) for each in answer.objects]
            vectors = np.array([each.vector["default"] for each in answer.objects], np.float32)
            yield Block([Chunk.model_validate_json(text) for text in texts], texts, vectors)

    def close(self) -> None:
        """Does nothing: the store owns the connections."""

    def require_whole(self) -> None:
        """Raise `StorageError` unless the server has as many chunks as were sealed, and vectors of their dimensions."""
        self._cluster.call_on(self._name, self._require_ready, patient=self._patient)
        self._call(self._require_dimensions)

    def _call(self, operation: Callable[[Collection[Any, Any]], Result], *, patient: bool = False) -> Result:
        """Run `operation` on a node that has all chunks, indexed. A node that was away reports ready before it has
        caught up, and a search reads only one copy, whatever the consistency level.
        """
        return self._cluster.call_on(self._name, operation, self._require_ready, patient=patient or self._patient)

    def _require_ready(self, there: Collection[Any, Any]) -> None:
        self._require_chunks(there)
        # The status of this node's own copies, if it has any. The lengths of their queues are reported only for all
        # nodes together.
        if any(shard.status == "INDEXING" for shard in there.config.get_shards()):
            waiting = "its vectors are not all indexed yet"
            generation = f"generation {self.generation.id} of collection {self.generation.collection}"
            mend = "wait until Weaviate has indexed them; where it does not go on, its log says why"
            raise UnavailableError(waiting, StorageError(f"{generation} is not ready: {waiting}", mend))

    def _require_chunks(self, there: Collection[Any, Any]) -> None:
        # Without a filter, Weaviate would return the most frequent count among the copies.
        try:
            count = there.aggregate.over_all(total_count=True, filters=EVERYTHING).total_count or 0
        except WeaviateQueryError as error:
            if "could not find class" not in str(error):
                raise
            count = 0
        if count != self.generation.chunks:
            damage = f"{count} of its {self.generation.chunks} chunks are there"
            if self._cluster.address.replication > 1:
                raise UnavailableError(damage, self._damaged(damage))
            raise self._damaged(damage)

    def _require_dimensions(self, there: Collection[Any, Any]) -> None:
        first = there.query.fetch_object_by_id(UUID(int=0), include_vector=True, return_properties=[])
        dimensions = len(first.vector["default"]) if first else 0
        if dimensions != self.generation.dimensions:
            raise self._damaged(f"its vectors have {dimensions} dimensions, not {self.generation.dimensions}")

    def _damaged(self, how: str) -> StorageError:
        return StorageError(
            f"generation {self.generation.id} of collection {self.generation.collection} is damaged: {how}", REBUILD
        )
