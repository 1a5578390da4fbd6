"""Writing: again is no harm, what is refused is named, and what was removed is not made anew."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rag.errors import StorageError
from rag.stores.base import Block, Index, Tuning
from rag.stores.weaviate.store import WeaviateStore
from rag.stores.weaviate.writer import Writer
from tests.contracts.test_store import EMBEDDER, TEXTS, build, lexical
from tests.rag.stores.weaviate.conftest import ALL, collections


def test_a_batch_that_is_written_again_is_there_once(store: WeaviateStore) -> None:
    def again(index: Index) -> Tuning:
        near = index.dense(EMBEDDER.embed([TEXTS[0]])[0], 6, {})
        block = Block(ALL, [each.model_dump_json() for each in ALL], EMBEDDER.embed([each.embedded for each in ALL]))
        Writer(store._cluster, index._name).insert(block, 0)  # type: ignore[attr-defined]
        assert index.dense(EMBEDDER.embed([TEXTS[0]])[0], 6, {}) == near
        assert sorted(lexical(index, "pump", 6)) == [0, 4]
        return Tuning()

    generation = build(store, ALL, tune=again)
    store.verify("guide", generation.id)


@pytest.mark.parametrize("when", ["before it is written to", "before it is sealed"])
def test_what_is_removed_while_it_is_built_is_not_made_anew(
    store: WeaviateStore, raw: Callable[..., Any], prefix: str, when: str
) -> None:
    def removed(index: Index) -> Tuning:
        name = index._name  # type: ignore[attr-defined]
        raw(lambda client: client.collections.delete(name))
        if when == "before it is written to":
            batch = Block(ALL, [each.model_dump_json() for each in ALL], EMBEDDER.embed(TEXTS))
            Writer(store._cluster, name).insert(batch, 0)
        else:
            raw(lambda client: client.collections.use(name).data.insert({"chunk": "{}"}, vector=[0.0] * 256))
        return Tuning()

    with pytest.raises(StorageError, match=f"{prefix}_g.* was removed from Weaviate while it was built"):
        build(store, ALL, tune=removed)
    assert collections(raw, prefix) == []


@pytest.mark.parametrize(
    ("dimensions", "others"), [((256, 3, 256), ""), ((256, 3, 3), ", and 1 more"), ((3, 3, 3), ", and 2 more")]
)
def test_a_chunk_that_is_refused_is_named_and_not_tried_again(
    place: str, raw: Callable[..., Any], prefix: str, dimensions: tuple[int, ...], others: str
) -> None:
    store = WeaviateStore(place.replace("retry=2", "retry=100"))

    def refused(index: Index) -> Tuning:
        vectors: Any = [np.ones(count, np.float32) for count in dimensions]
        Writer(store._cluster, index._name).insert(Block(ALL[:3], TEXTS[:3], vectors), 10)  # type: ignore[attr-defined]
        return Tuning()

    first = dimensions.index(3)
    named = f"did not take chunk {ALL[first].id} of document {ALL[first].document_id}{others} "
    started = time.monotonic()
    with pytest.raises(StorageError, match=rf"{named}\([^\n]*length[^\n]*\): mend") as told:
        build(store, ALL, tune=refused)
    assert time.monotonic() - started < 50
    assert "\n" not in str(told.value)
    assert collections(raw, prefix) == []
    store.close()
