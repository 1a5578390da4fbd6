"""The Weaviate store's own promises: what is kept and published, and that nobody else is called."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from rag.errors import ConfigurationError, StorageError
from rag.stores import open_store
from rag.stores.base import Block, Generation, Index
from rag.stores.weaviate.store import WeaviateStore
from tests.contracts.test_store import EMBEDDER, TEXTS, build, lexical
from tests.installations import own
from tests.rag.stores.weaviate.conftest import ALL, collections

ROOT = Path(__file__).parents[4]


def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("rag.stores.weaviate.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "weaviate", None)
    with pytest.raises(ConfigurationError, match=r"weaviate:// needs weaviate.*pip install 'groundwire\[cluster\]'"):
        open_store("weaviate://host")


def test_a_generation_is_a_collection_and_its_seal_the_description(
    raw: Callable[..., Any], kept: str, generation: Generation
) -> None:
    config = raw(lambda client: client.collections.use(kept).config.get())
    assert json.loads(config.description) == {"layout": 1, "generation": generation.model_dump(mode="json")}
    assert {each.name: (each.index_searchable, each.index_filterable) for each in config.properties} == {
        "terms": (True, False),
        "facets": (False, True),
        "chunk": (False, False),
    }
    one = raw(lambda client: client.collections.use(kept).query.fetch_object_by_id(UUID(int=4), include_vector=True))
    assert one.properties["chunk"] == ALL[4].model_dump_json()
    assert one.vector["default"] == EMBEDDER.embed([ALL[4].embedded])[0].tolist()


def test_two_copies_at_once_are_one_generation(store: WeaviateStore, raw: Callable[..., Any], prefix: str, weaviate: str) -> None:
    class Twice(NamedTuple):
        """While it is copied, somebody else copies it too."""

        original: Index

        @property
        def generation(self) -> Generation:
            return self.original.generation

        def blocks(self) -> Iterator[Block]:
            store.copy(self.original)
            yield from self.original.blocks()

    with own(weaviate) as place, closing(WeaviateStore(place)) as other:
        original = other.open("guide", build(other, ALL).id)
        assert store.copy(Twice(original)) == original.generation
        assert list(store.generations("guide")) == [original.generation]
    assert len(collections(raw, prefix)) == 2
    store.publish("guide", original.generation.id)
    assert lexical(store.open("guide", original.generation.id), TEXTS[0], 1) == [0]
    store.drop("guide", original.generation.id)
    assert collections(raw, prefix) == []


def test_a_changed_chunk_is_found_by_verifying(
    store: WeaviateStore, raw: Callable[..., Any], kept: str, generation: Generation
) -> None:
    store.verify("guide", generation.id)
    other = ALL[1].model_copy(update={"text": "Der Behälter wird geleert."}).model_dump_json()
    raw(lambda client: client.collections.use(kept).data.update(UUID(int=1), properties={"chunk": other}))
    with pytest.raises(StorageError, match="is damaged"):
        store.verify("guide", generation.id)


def test_installations_do_not_see_each_other(weaviate: str, store: WeaviateStore, generation: Generation) -> None:
    with own(weaviate) as place:
        other = WeaviateStore(place)
        assert list(other.generations("guide")) == []
        mine = build(other, ALL[:1])
        other.publish("guide", mine.id)
        assert list(store.generations("guide")) == [generation]
        other.close()


def test_the_alias_is_moved_and_moved_back(store: WeaviateStore, raw: Callable[..., Any], prefix: str) -> None:
    def seen() -> int | None:
        """Chunks that somebody finds who knows the alias only."""
        if raw(lambda client: client.alias.get(alias_name=prefix)) is None:
            return None
        counted = raw(lambda client: client.collections.use(prefix).aggregate.over_all(total_count=True))
        return counted.total_count  # type: ignore[no-any-return]

    first, second = build(store, ALL), build(store, ALL[:2])
    assert seen() is None
    for shown, count in ((first, 6), (second, 2), (second, 2), (first, 6)):
        store.publish("guide", shown.id)
        assert seen() == count
    with pytest.raises(StorageError, match="has no index 2026"):
        store.publish("guide", "2026")
    store.drop("guide", second.id)
    assert seen() == 6
    store.drop("guide", first.id)
    assert seen() is None
    store.publish("guide", None)


def test_who_publishes_first_at_the_same_time_is_not_told_of_it(
    place: str, raw: Callable[..., Any], prefix: str, kept: str
) -> None:
    generation = json.loads(raw(lambda client: client.collections.use(kept).config.get()).description)["generation"]["id"]

    def publish(_: int) -> None:
        with closing(WeaviateStore(place)) as store:
            store.publish("guide", generation)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(publish, range(4))) == [None] * 4
    assert raw(lambda client: client.alias.get(alias_name=prefix)).collection == kept


SILENT = """
import socket, sys, warnings
warnings.simplefilter("error")
from tests.contracts.test_store import build, chunk, lexical
from rag.stores import open_store
connect = socket.socket.connect
def only_loopback(self, address):
    assert address[0] == "127.0.0.1", address
    return connect(self, address)
socket.socket.connect = only_loopback
store = open_store(sys.argv[1])
generation = build(store, [chunk(0, "alone")])
index = store.open("guide", generation.id)
assert lexical(index, "alone") == [0]
store.close()
"""


def test_nobody_else_is_called_and_nothing_is_left_open(place: str) -> None:
    environment = {**os.environ, "PYTHONPATH": ".", "PYTHONWARNINGS": "error::ResourceWarning"}
    told = subprocess.run(
        [sys.executable, "-c", SILENT, place], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
