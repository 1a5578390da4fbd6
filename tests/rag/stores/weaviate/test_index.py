"""Indexes: none answers that is damaged, not ready or gone."""

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from rag.errors import StorageError
from rag.stores.base import Generation
from rag.stores.weaviate.address import Address
from rag.stores.weaviate.cluster import Cluster
from rag.stores.weaviate.store import WeaviateStore
from tests.contracts.test_store import EMBEDDER, build, dense, lexical
from tests.installations import own
from tests.rag.stores.weaviate.conftest import ALL, described
from tests.servers.weaviate import Cluster as Servers


def test_a_question_of_other_dimensions_is_told(store: WeaviateStore, generation: Generation) -> None:
    index = store.open("guide", generation.id)
    with pytest.raises(StorageError, match="has 256 dimensions, the question 3"):
        index.dense(np.ones(3, np.float32), 1, {})


def test_vectors_of_other_dimensions_are_told(
    store: WeaviateStore, raw: Callable[..., Any], kept: str, generation: Generation
) -> None:
    other = generation.model_copy(update={"dimensions": 128}).model_dump(mode="json")
    described(raw, kept, json.dumps({"layout": 1, "generation": other}))
    with pytest.raises(StorageError, match=r"is damaged: its vectors have 256 dimensions, not 128.*rag index rebuild"):
        store.open("guide", generation.id)


def test_a_missing_chunk_is_told(store: WeaviateStore, raw: Callable[..., Any], kept: str, generation: Generation) -> None:
    index = store.open("guide", generation.id)
    raw(lambda client: client.collections.use(kept).data.delete_by_id(UUID(int=3)))
    for act in (store.open, store.verify):
        with pytest.raises(StorageError, match=r"is damaged: 5 of its 6 chunks are there.*rag index rebuild"):
            act("guide", generation.id)
    with pytest.raises(StorageError, match=r"is damaged: 1 of its chunks are missing"):
        index.chunks([2, 3])
    with pytest.raises(StorageError, match="chunks from position 0 on are missing"):
        list(index.blocks())


def test_one_chunk_too_many_is_told(store: WeaviateStore, raw: Callable[..., Any], kept: str, generation: Generation) -> None:
    raw(
        lambda client: client.collections.use(kept).data.insert(
            {"chunk": "{}", "facets": ["[]"]}, uuid=UUID(int=6), vector=[0.0] * 256
        )
    )
    with pytest.raises(StorageError, match="is damaged: 7 of its 6 chunks are there"):
        store.open("guide", generation.id)


def test_vectors_that_are_not_indexed_yet_are_waited_for(weaviate_cluster: Servers) -> None:
    with (
        own(weaviate_cluster.place, replication="3", consistency="all") as place,
        closing(Cluster(Address.parse(place))) as cluster,
    ):
        with closing(WeaviateStore(place)) as store:
            generation = build(store, ALL)
        (name,) = cluster.call(
            lambda client: [each for each in client.collections.list_all() if Address.parse(place).name in each]
        )
        moved = EMBEDDER.embed(["somewhere else"])[0]
        ready = WeaviateStore(f"{place}&retry=30")
        hasty = WeaviateStore(f"{place}&retry=0")
        cluster.call_on(name, lambda there: there.data.update(UUID(int=3), vector=moved.tolist()))
        with pytest.raises(StorageError, match=f"{generation.id} .* is not ready: its vectors are not all indexed yet: wait"):
            hasty.open("guide", generation.id)
        assert dense(ready.open("guide", generation.id), "somewhere else", 1) == [3]
        hasty.close()
        ready.close()


def test_a_generation_that_was_dropped_is_told_to_who_searches_it(store: WeaviateStore, generation: Generation) -> None:
    index = store.open("guide", generation.id)
    store.drop("guide", generation.id)
    for search in (lambda: lexical(index, "pump"), lambda: dense(index, "pump"), lambda: index.chunks([0])):
        with pytest.raises(StorageError, match=r"refused.*could not find class.*rag index"):
            search()
