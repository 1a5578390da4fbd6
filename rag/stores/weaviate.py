"""Generations as collections of a Weaviate cluster: vectors, terms, facets and the chunks themselves.

Knows how a generation is laid out there, and how it is sealed. Knows no embedder, and not which generation is current.
"""

import contextlib
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self
from uuid import UUID

import numpy as np
from pydantic import AwareDatetime, BaseModel, Field, model_validator
from weaviate import WeaviateClient
from weaviate.classes.config import (
    Configure,
    DataType,
    Property,
    StopwordsPreset,
    Tokenization,
    VectorDistances,
    VectorFilterStrategy,
)
from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter as Condition
from weaviate.classes.query import MetadataQuery
from weaviate.collections import Collection
from weaviate.exceptions import UnexpectedStatusCodeError, WeaviateInsertManyAllFailedError, WeaviateQueryError

from rag import analyzer
from rag.embedders.base import Vectors
from rag.errors import GroundwireError, StorageError
from rag.process import OWNER, ended
from rag.stores.base import REBUILD, Block, Generation, Index, Learnt, Source, best_first, collection_name
from rag.stores.cluster import Answer, Cluster, UnavailableError, address, passing
from rag.stores.contents import Contents, paired
from rag.stores.facets import facets, wanted
from rag.types import Chunk, Filter, Hit

_LAYOUT = 1
"""Of what is written into Weaviate; another is not read."""
_MOST = 10_000
"""Results a server gives to one question, unless it is told otherwise (`QUERY_MAXIMUM_RESULTS`)."""
_EXACT = 10_000
"""Chunks that the dense leg compares one by one: so few are as quickly read as their graph is walked."""
_CUTOFF = 40_000
"""Chunks that match a filter and are compared one by one, as recall along the graph falls where few match."""
_EVERY = "[]"
"""The facet of every chunk: a filter that lets all pass makes a search exact."""
_ROWS = 256
"""Of one request to write."""
_PAGE = 1_000
"""Chunks that are read back at once."""
_WRITERS = 2
"""Requests under way while a generation is written."""
_PAUSE = 0.1
"""Seconds until it is looked again."""
_ABANDONED = timedelta(days=7)
"""How long an unsealed collection is let be whose builder is not seen to be gone."""

# What it would log, objects and all, is raised.
logging.getLogger("weaviate-client").setLevel(logging.CRITICAL)


class _Builder(BaseModel):
    """Who writes a collection that is not sealed yet."""

    owner: str = Field(pattern=r"^.+:\d+:[^:]+$")
    """Its `rag.process.OWNER`."""
    since: AwareDatetime


class _Description(BaseModel):
    """What the description of a collection says, as JSON: who builds it, or which generation it is."""

    layout: int
    builder: _Builder | None = None
    generation: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _require_generation(self) -> Self:
        if self.layout == _LAYOUT and self.generation is not None:
            Generation.model_validate(self.generation)
        return self


class _Kept(NamedTuple):
    """A collection that is ours, by its description."""

    name: str
    description: _Description


class WeaviateStore:
    """Generations in the cluster at a `weaviate://` URL, each a collection there, sealed by what its description says.

    Synchronous, and called in threads, as every store is: a search holds no event loop, and needs none.
    """

    def __init__(self, place: str) -> None:
        self._address = address(place)
        self._cluster = Cluster(self._address)

    def build(
        self,
        collection: str,
        embedder: str,
        chunks: Iterable[Chunk],
        vectors: Iterable[Vectors],
        learn: Callable[[Index], Learnt],
    ) -> Generation:
        def learnt(contents: Contents, name: str) -> Generation:
            generation = contents.generation(collection, embedder)
            index = WeaviateIndex(self._cluster, name, generation, patient=True)
            index.require_whole()
            return generation.model_copy(update=dict(learn(index)))

        return self._sealed(collection, paired(chunks, vectors), learnt)

    def copy(self, source: Source) -> Generation:
        generation = source.generation

        def same(contents: Contents, name: str) -> Generation:
            contents.require(generation)
            WeaviateIndex(self._cluster, name, generation, patient=True).require_whole()
            return generation

        if generation.id in {kept.id for kept in self.generations(generation.collection)}:
            self.verify(generation.collection, generation.id)
            return generation
        return self._sealed(generation.collection, source.blocks(), same)

    def open(self, collection: str, generation_id: str) -> Index:
        index = self._found(collection, generation_id)
        index.require_whole()
        return index

    def verify(self, collection: str, generation_id: str) -> None:
        index = self._found(collection, generation_id)
        index.require_whole()
        contents = Contents()
        for block in index.blocks():
            contents.add(block)
        contents.require(index.generation)

    def generations(self, collection: str) -> Iterator[Generation]:
        descriptions = [kept.description for kept in self._kept(collection)]
        sealed = [each.generation for each in descriptions if each.generation and each.layout == _LAYOUT]
        each_once = {generation.id: generation for generation in map(Generation.model_validate, sealed)}
        return iter([each_once[generation_id] for generation_id in sorted(each_once)])

    def publish(self, collection: str, generation_id: str | None) -> None:
        """Point the collection's alias at the generation: one atomic change of the schema."""
        alias = self._alias(collection)
        name = self._find(collection, generation_id, patient=True)[0].name if generation_id is not None else None

        def point(client: WeaviateClient) -> None:
            if name is None:
                client.alias.delete(alias_name=alias)
            elif not client.alias.update(alias_name=alias, new_target_collection=name):
                try:
                    client.alias.create(alias_name=alias, target_collection=name)
                except UnexpectedStatusCodeError:
                    # Somebody else may have made it meanwhile.
                    if not client.alias.update(alias_name=alias, new_target_collection=name):
                        raise

        self._cluster.ask(point, patient=True)

    def drop(self, collection: str, generation_id: str) -> None:
        names = [kept.name for kept in self._find(collection, generation_id, patient=True)]
        alias = self._alias(collection)

        def unpublish(client: WeaviateClient) -> None:
            pointing = client.alias.get(alias_name=alias)
            if pointing is not None and pointing.collection in names:
                client.alias.delete(alias_name=alias)

        self._cluster.ask(unpublish, patient=True)
        for name in names:
            self._remove(name)

    def close(self) -> None:
        self._cluster.close()

    def _sealed(self, collection: str, blocks: Iterable[Block], identify: Callable[[Contents, str], Generation]) -> Generation:
        """Write blocks into a collection of their own, and seal it as the generation that `identify` tells."""
        self._sweep(collection)
        name = f"{self._alias(collection)}_g{datetime.now(UTC):%Y%m%dt%H%M%S}x{secrets.token_hex(4)}"
        try:
            self._create(name)
            contents = self._write(name, blocks)
            generation = identify(contents, name)
            self._cluster.within(name, _require_ours, patient=True)
            seal = _Description(layout=_LAYOUT, generation=generation.model_dump(mode="json")).model_dump_json(exclude_unset=True)
            self._cluster.within(name, lambda there: there.config.update(description=seal), patient=True)
        except BaseException:
            with contextlib.suppress(GroundwireError):
                self._remove(name)
            raise
        return generation

    def _create(self, name: str) -> None:
        builder = _Builder(owner=OWNER, since=datetime.now(UTC))
        description = _Description(layout=_LAYOUT, builder=builder).model_dump_json(exclude_unset=True)

        def create(client: WeaviateClient) -> None:
            if client.collections.exists(name):
                return
            client.collections.create(
                name,
                description=description,
                properties=[
                    Property(
                        name="terms",
                        data_type=DataType.TEXT,
                        tokenization=Tokenization.WHITESPACE,
                        index_filterable=False,
                        index_searchable=True,
                    ),
                    Property(
                        name="facets",
                        data_type=DataType.TEXT_ARRAY,
                        tokenization=Tokenization.FIELD,
                        index_filterable=True,
                        index_searchable=False,
                    ),
                    Property(name="chunk", data_type=DataType.TEXT, index_filterable=False, index_searchable=False),
                ],
                vector_config=Configure.Vectors.self_provided(
                    vector_index_config=Configure.VectorIndex.hnsw(
                        distance_metric=VectorDistances.DOT,
                        filter_strategy=VectorFilterStrategy.ACORN,
                        flat_search_cutoff=_CUTOFF,
                    )
                ),
                inverted_index_config=Configure.inverted_index(stopwords_preset=StopwordsPreset.NONE),
                replication_config=Configure.replication(
                    factor=self._address.replication, async_enabled=self._address.replication > 1
                ),
                sharding_config=Configure.sharding(desired_count=self._address.shards),
            )

        self._cluster.ask(create, patient=True)

    def _write(self, name: str, blocks: Iterable[Block]) -> Contents:
        contents = Contents()
        under_way: deque[Future[None]] = deque()
        with ThreadPoolExecutor(_WRITERS, thread_name_prefix="weaviate") as pool:
            for block in blocks:
                for start in range(0, len(block.chunks), _ROWS):
                    rows = slice(start, start + _ROWS)
                    part = Block(block.chunks[rows], block.texts[rows], block.vectors[rows])
                    if len(under_way) == _WRITERS:
                        under_way.popleft().result()
                    under_way.append(pool.submit(self._insert, name, part, contents.count + start))
                contents.add(block)
            for each in under_way:
                each.result()
        self._await_indexing(name)
        self._flush(name)
        return contents

    def _flush(self, name: str) -> None:
        """Have the graph of the last vectors written to the disks: an insert does not wait for it, any delete does, that of nothing too."""
        nothing = Condition.by_property("facets").contains_any([""])
        self._cluster.within(name, lambda there: there.data.delete_many(where=nothing), patient=True)

    def _await_indexing(self, name: str) -> None:
        """Wait, for as long as they become fewer, for vectors that nodes with `ASYNC_INDEXING` have taken and not yet indexed."""

        def queued(client: WeaviateClient) -> int:
            nodes = client.cluster.nodes(collection=name, output="verbose")
            return sum(shard.vector_queue_length or 0 for node in nodes for shard in node.shards or ())

        fewest, since = float("inf"), time.monotonic()
        while count := self._cluster.ask(queued, patient=True):
            if count < fewest:
                fewest, since = count, time.monotonic()
            elif time.monotonic() - since > self._address.patience:
                raise StorageError(
                    f"Weaviate has {count} vectors to index, and does not go on", "its log says why; then try again"
                )
            time.sleep(_PAUSE)

    def _insert(self, name: str, block: Block, first: int) -> None:
        """Write chunks at the positions from `first` on, which are their ids: written again, they are there once."""
        objects = [
            DataObject(
                uuid=UUID(int=position),
                properties={
                    "terms": " ".join(analyzer.terms(chunk.embedded, chunk.language)),
                    "facets": [_EVERY, *facets(chunk.metadata)],
                    "chunk": text,
                },
                vector=vector.tolist(),
            )
            for position, (chunk, text, vector) in enumerate(zip(*block, strict=True), first)
        ]

        def insert(there: "Collection[Any, Any]") -> dict[int, str]:
            _require_ours(there)
            try:
                answer = there.data.insert_many(objects)
            except WeaviateInsertManyAllFailedError as error:
                refused = dict.fromkeys(range(len(objects)), str(error).partition("errors: ")[2])
            else:
                refused = {row: error.message for row, error in answer.errors.items()}
            if refused and all(map(passing, refused.values())):
                raise UnavailableError(next(iter(refused.values())))
            return refused

        if refused := self._cluster.within(name, insert, patient=True):
            row = min(refused)
            others = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
            refusal, reason = block.chunks[row], refused[row].splitlines()[0]
            raise StorageError(
                f"Weaviate did not take chunk {refusal.id} of document {refusal.document_id}{others} ({reason})",
                "mend what it says; nothing was changed",
            )

    def _found(self, collection: str, generation_id: str) -> "WeaviateIndex":
        name, description = self._find(collection, generation_id)[0]
        if description.layout != _LAYOUT:
            raise StorageError(
                f"generation {generation_id} of collection {collection} was written by another version of Groundwire "
                f"(layout {description.layout}, this one reads {_LAYOUT})",
                REBUILD,
            )
        return WeaviateIndex(self._cluster, name, Generation.model_validate(description.generation))

    def _find(self, collection: str, generation_id: str, *, patient: bool = False) -> list[_Kept]:
        """At least one: copies that were made at the same time are as many collections."""
        found = [
            kept
            for kept in self._kept(collection, patient=patient)
            if kept.description.generation and kept.description.generation.get("id") == generation_id
        ]
        if not found:
            raise StorageError(
                f"collection {collection} has no index {generation_id}",
                "`rag index list` shows what there is, `rag index rebuild` makes one",
            )
        return sorted(found)

    def _kept(self, collection: str, *, patient: bool = False) -> Iterator[_Kept]:
        prefix = f"{self._alias(collection)}_g"
        for name, config in self._cluster.ask(lambda client: client.collections.list_all(), patient=patient).items():
            description = _described(config.description)
            if name.startswith(prefix) and description is not None:
                yield _Kept(name, description)

    def _sweep(self, collection: str) -> None:
        """Remove what killed builds left behind."""
        for name, description in self._kept(collection, patient=True):
            if description.builder is not None and _abandoned(description.builder):
                self._remove(name)

    def _remove(self, name: str) -> None:
        self._cluster.ask(lambda client: client.collections.delete(name), patient=True)

    def _alias(self, collection: str) -> str:
        """Weaviate's folders do not tell cases apart, and it takes no hyphen."""
        encoded = collection_name(collection).replace("_", "_u").replace("-", "_d")
        return f"Groundwire_{self._address.name}_{encoded}"


class WeaviateIndex:
    """One collection of Weaviate, opened. The dense leg is approximate (HNSW) over more than `_EXACT` chunks, but for narrow filters."""

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
        every = Condition.by_property("facets").contains_any([_EVERY]) if self.generation.chunks <= _EXACT else None
        condition = _condition(where) or every

        def near(limit: int, distance: float | None) -> list[Hit]:
            found = self._ask(
                lambda there: there.query.near_vector(
                    asked,
                    limit=limit,
                    distance=distance,
                    filters=condition,
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
            found = self._ask(
                lambda there: there.query.bm25(
                    " ".join(terms),
                    query_properties=["terms"],
                    limit=limit,  # noqa: B023
                    filters=_condition(where),
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
            answer = self._ask(
                lambda there: there.query.fetch_objects_by_ids(ids, limit=len(ids), return_properties=["chunk"]),  # noqa: B023
            )
            found |= {each.uuid.int: Chunk.model_validate_json(str(each.properties["chunk"])) for each in answer.objects}
        if missing := set(positions) - found.keys():
            raise self._damaged(f"{len(missing)} of its chunks are missing")
        return [found[position] for position in positions]

    def blocks(self) -> Iterator[Block]:
        last: UUID | None = None
        for start in range(0, self.generation.chunks, _PAGE):
            answer = self._ask(
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
        """Connections are the store's."""

    def require_whole(self) -> None:
        """Raise `StorageError` where the server has not as many chunks, or other vectors, than were sealed."""
        self._cluster.within(self._name, self._require_ready, patient=self._patient)
        self._ask(self._require_dimensions)

    def _ask(self, question: Callable[["Collection[Any, Any]"], Answer], *, patient: bool = False) -> Answer:
        """Of a node that has all chunks, and finds them: one that was away is ready before it has those that were written meanwhile, and
        every search looks at one copy only, whatever the consistency level.
        """
        return self._cluster.within(self._name, question, self._require_ready, patient=patient or self._patient)

    def _require_ready(self, there: "Collection[Any, Any]") -> None:
        self._require_chunks(there)
        # This node's own copies, where it has any: the lengths of their queues are told for all nodes together only.
        if any(shard.status == "INDEXING" for shard in there.config.get_shards()):
            waiting = "its vectors are not all indexed yet"
            generation = f"generation {self.generation.id} of collection {self.generation.collection}"
            mend = "wait until Weaviate has indexed them; where it does not go on, its log says why"
            raise UnavailableError(waiting, StorageError(f"{generation} is not ready: {waiting}", mend))

    def _require_chunks(self, there: "Collection[Any, Any]") -> None:
        # Without a filter, Weaviate would tell the most frequent count among the copies.
        try:
            count = (
                there.aggregate.over_all(
                    total_count=True, filters=Condition.by_property("facets").contains_any([_EVERY])
                ).total_count
                or 0
            )
        except WeaviateQueryError as error:
            if "could not find class" not in str(error):
                raise
            count = 0
        if count != self.generation.chunks:
            damage = f"{count} of its {self.generation.chunks} chunks are there"
            if self._cluster.address.replication > 1:
                raise UnavailableError(damage, self._damaged(damage))
            raise self._damaged(damage)

    def _require_dimensions(self, there: "Collection[Any, Any]") -> None:
        first = there.query.fetch_object_by_id(UUID(int=0), include_vector=True, return_properties=[])
        dimensions = len(first.vector["default"]) if first else 0
        if dimensions != self.generation.dimensions:
            raise self._damaged(f"its vectors have {dimensions} dimensions, not {self.generation.dimensions}")

    def _damaged(self, how: str) -> StorageError:
        return StorageError(
            f"generation {self.generation.id} of collection {self.generation.collection} is damaged: {how}", REBUILD
        )


def _condition(where: Filter) -> Any:
    every = [Condition.by_property("facets").contains_any(list(any_of)) for any_of in wanted(where)]
    return Condition.all_of(every) if every else None


def _described(text: str | None) -> _Description | None:
    """What a collection's description says, where it is one of ours."""
    try:
        return _Description.model_validate_json(text or "")
    except ValueError:
        return None


def _require_ours(there: "Collection[Any, Any]") -> None:
    """Raise `StorageError` where somebody removed what this process builds: a server that is written to makes it anew, but another."""
    try:
        description = _described(there.config.get(simple=True).description)
    except UnexpectedStatusCodeError as error:
        if error.status_code != 404:
            raise
        description = None
    if description is None or description.builder is None or description.builder.owner != OWNER:
        raise StorageError(
            f"{there.name} was removed from Weaviate while it was built", "see who removes it there, then try again"
        )


def _abandoned(builder: _Builder) -> bool:
    """Whether nobody builds it any more: its process is gone, or it is so old that another may have its number by now."""
    return ended(builder.owner) or datetime.now(UTC) - builder.since > _ABANDONED
