"""Generations as collections of a Weaviate cluster: vectors, terms, facets and the chunks themselves.

Knows how collections are named, swept and published. Knows no embedder, and not which generation is current.
"""

import contextlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from weaviate import WeaviateClient
from weaviate.exceptions import UnexpectedStatusCodeError

from rag.embedders.base import Vectors
from rag.errors import GroundwireError, StorageError
from rag.stores.base import REBUILD, Block, Generation, Index, Source, Tuning, collection_name
from rag.stores.contents import Contents, blocks_of
from rag.stores.weaviate.address import Address
from rag.stores.weaviate.cluster import Cluster
from rag.stores.weaviate.index import WeaviateIndex
from rag.stores.weaviate.schema import LAYOUT, schema
from rag.stores.weaviate.seal import Description, parse_description, require_ours, sealed, unsealed
from rag.stores.weaviate.writer import Writer
from rag.types import Chunk


class _Collection(NamedTuple):
    """A collection of this installation, sealed or not."""

    name: str
    description: Description


class WeaviateStore:
    """Generations in the cluster at a `weaviate://` URL, each in a collection there, whose description seals it.

    Synchronous, as every store is: callers run it in threads, so that it blocks no event loop.
    """

    def __init__(self, url: str) -> None:
        self._address = Address.parse(url)
        self._cluster = Cluster(self._address)

    def build(
        self,
        collection: str,
        embedder: str,
        chunks: Iterable[Chunk],
        vectors: Iterable[Vectors],
        tune: Callable[[Index], Tuning],
    ) -> Generation:
        return self._sealed(
            collection, blocks_of(chunks, vectors), lambda contents: contents.generation(collection, embedder), tune
        )

    def copy(self, source: Source) -> Generation:
        generation = source.generation
        if generation.id in {each.id for each in self.generations(generation.collection)}:
            self.verify(generation.collection, generation.id)
            return generation
        return self._sealed(
            generation.collection, source.blocks(), lambda contents: contents.require(generation), lambda _: generation
        )

    def open(self, collection: str, generation_id: str) -> Index:
        index = self._index(collection, generation_id)
        index.require_whole()
        return index

    def verify(self, collection: str, generation_id: str) -> None:
        index = self._index(collection, generation_id)
        index.require_whole()
        contents = Contents()
        for block in index.blocks():
            contents.add(block)
        contents.require(index.generation)

    def generations(self, collection: str) -> Iterator[Generation]:
        descriptions = [kept.description for kept in self._ours(collection)]
        readable = [each.generation for each in descriptions if each.generation and each.layout == LAYOUT]
        each_once = {generation.id: generation for generation in map(Generation.model_validate, readable)}
        return iter([each_once[generation_id] for generation_id in sorted(each_once)])

    def publish(self, collection: str, generation_id: str | None) -> None:
        """Point the collection's alias at the generation, in one atomic change of the schema."""
        alias = self._alias(collection)
        name = self._find(collection, generation_id, patient=True)[0].name if generation_id is not None else None

        def point(client: WeaviateClient) -> None:
            if name is None:
                client.alias.delete(alias_name=alias)
            elif not client.alias.update(alias_name=alias, new_target_collection=name):
                try:
                    client.alias.create(alias_name=alias, target_collection=name)
                except UnexpectedStatusCodeError:
                    # Another process may have created it meanwhile.
                    if not client.alias.update(alias_name=alias, new_target_collection=name):
                        raise

        self._cluster.call(point, patient=True)

    def drop(self, collection: str, generation_id: str) -> None:
        names = [kept.name for kept in self._find(collection, generation_id, patient=True)]
        alias = self._alias(collection)

        def unpublish(client: WeaviateClient) -> None:
            pointing = client.alias.get(alias_name=alias)
            if pointing is not None and pointing.collection in names:
                client.alias.delete(alias_name=alias)

        self._cluster.call(unpublish, patient=True)
        for name in names:
            self._remove(name)

    def close(self) -> None:
        self._cluster.close()

    def _sealed(
        self,
        collection: str,
        blocks: Iterable[Block],
        identify: Callable[[Contents], Generation],
        tune: Callable[[Index], Tuning],
    ) -> Generation:
        """Write blocks into a new collection, and seal it with the generation that `identify` gives and what `tune` returns."""
        self._sweep(collection)
        name = f"{self._alias(collection)}_g{datetime.now(UTC):%Y%m%dt%H%M%S}x{secrets.token_hex(4)}"
        try:
            self._create(name)
            contents = Writer(self._cluster, name).write(blocks)
            index = WeaviateIndex(self._cluster, name, identify(contents), patient=True)
            index.require_whole()
            generation = index.generation.model_copy(update=dict(tune(index)))
            self._cluster.call_on(name, require_ours, patient=True)
            self._cluster.call_on(name, lambda there: there.config.update(description=sealed(generation)), patient=True)
        except BaseException:
            with contextlib.suppress(GroundwireError):
                self._remove(name)
            raise
        return generation

    def _create(self, name: str) -> None:
        description = unsealed()

        def create(client: WeaviateClient) -> None:
            if not client.collections.exists(name):
                client.collections.create(name, description=description, **schema(self._address))

        self._cluster.call(create, patient=True)

    def _index(self, collection: str, generation_id: str) -> WeaviateIndex:
        name, description = self._find(collection, generation_id)[0]
        if description.layout != LAYOUT:
            raise StorageError(
                f"generation {generation_id} of collection {collection} was written by another version of Groundwire "
                f"(layout {description.layout}, this one reads {LAYOUT})",
                REBUILD,
            )
        return WeaviateIndex(self._cluster, name, Generation.model_validate(description.generation))

    def _find(self, collection: str, generation_id: str, *, patient: bool = False) -> list[_Collection]:
        """The collections that hold a generation: one, or several if it was copied here several times at once.

        Raises `StorageError`.
        """
        found = [
            kept
            for kept in self._ours(collection, patient=patient)
            if kept.description.generation and kept.description.generation.get("id") == generation_id
        ]
        if not found:
            raise StorageError(
                f"collection {collection} has no index {generation_id}",
                "`rag index list` shows what there is, `rag index rebuild --collection NAME` makes one",
            )
        return sorted(found)

    def _ours(self, collection: str, *, patient: bool = False) -> Iterator[_Collection]:
        prefix = f"{self._alias(collection)}_g"
        for name, config in self._cluster.call(lambda client: client.collections.list_all(), patient=patient).items():
            description = parse_description(config.description)
            if name.startswith(prefix) and description is not None:
                yield _Collection(name, description)

    def _sweep(self, collection: str) -> None:
        """Delete what killed builds left behind."""
        for name, description in self._ours(collection, patient=True):
            if description.builder is not None and description.builder.dead:
                self._remove(name)

    def _remove(self, name: str) -> None:
        self._cluster.call(lambda client: client.collections.delete(name), patient=True)

    def _alias(self, collection: str) -> str:
        """The name in Weaviate, whose folders ignore case and which allows no hyphen."""
        encoded = collection_name(collection).replace("_", "_u").replace("-", "_d")
        return f"Groundwire_{self._address.name}_{encoded}"
