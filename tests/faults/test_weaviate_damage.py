"""Whatever is wrong in a Weaviate server: one error that names it and the mend, nothing lost, and `rag index rebuild` mends it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from weaviate import WeaviateClient

from rag.embedders.hashing import HashingEmbedder
from rag.errors import ConfigurationError, GroundwireError, StorageError
from rag.ingest.ingest import ingest, rebuild
from rag.runtime import Runtime
from rag.settings import Settings
from rag.stores import open_store
from rag.stores.base import Tuning
from rag.stores.weaviate.address import KEY, Address
from rag.stores.weaviate.cluster import Cluster
from tests.faults.numbered import filled, finds, rows, settings, whole
from tests.installations import own
from tests.servers.weaviate import installation

FEW = 60

pytestmark = pytest.mark.timeout(240)

Act = Callable[[WeaviateClient, str], object]


@pytest.fixture
def place(weaviate: str) -> Iterator[str]:
    with own(weaviate) as place:
        yield place


@pytest.fixture
def shop(place: str, tmp_path: Path) -> Settings:
    return filled(tmp_path, place, count=FEW)


def behind(place: str, act: Act) -> str:
    """Somebody else does this to the one generation there is; the name it has in Weaviate."""
    cluster = Cluster(Address.parse(place))
    try:
        (name,) = cluster.call(lambda client: kept(client, place))
        cluster.call(lambda client: act(client, name))
    finally:
        cluster.close()
    return name


def kept(client: WeaviateClient, place: str, collection: str = "rows") -> list[str]:
    """The generations of an installation, sealed or not."""
    prefix = f"Groundwire_{Address.parse(place).name}_{collection}_g"
    return [name for name in client.collections.list_all() if name.startswith(prefix)]


def described(client: WeaviateClient, name: str, change: Callable[[str], str]) -> None:
    there = client.collections.use(name)
    there.config.update(description=change(there.config.get(simple=True).description or ""))


def changed(client: WeaviateClient, name: str) -> None:
    there = client.collections.use(name)
    one = there.query.fetch_object_by_id(UUID(int=7))
    there.data.update(UUID(int=7), properties={"chunk": str(one.properties["chunk"]).replace("Row", "Raw")})


DAMAGES: dict[str, tuple[Act, str]] = {
    "deleted objects": (lambda client, name: client.collections.use(name).data.delete_by_id(UUID(int=7)), "59 of its 60 chunks"),
    "a changed object": (changed, "is damaged"),
    "a deleted class": (lambda client, name: client.collections.delete(name), "has no index"),
    "an older schema": (
        lambda client, name: described(client, name, lambda text: text.replace('"layout":1', '"layout":0')),
        "another version",
    ),
    "a description of others": (lambda client, name: described(client, name, lambda _: "what is this?"), "has no index"),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGES.values(), ids=DAMAGES)
def test_damage_is_named_and_mended(damage: Act, said: str, shop: Settings) -> None:
    behind(shop.index_place, damage)
    with Runtime(shop) as runtime:
        current = runtime.corpus.collection("rows").generation
        assert current is not None
        with pytest.raises(StorageError, match=said) as told:
            runtime.store.verify("rows", current)
        assert "rag index rebuild" in told.value.mend
        if damage is not changed:
            with pytest.raises(StorageError, match=said):
                runtime.retriever("rows")
        rebuild("rows", runtime)
        whole(runtime, FEW)


def test_an_open_index_that_is_deleted_says_so(shop: Settings) -> None:
    with Runtime(shop) as runtime:
        retriever = runtime.retriever("rows")
        finds(retriever, 1)
        behind(shop.index_place, lambda client, name: client.collections.delete(name))
        with pytest.raises(StorageError, match="rag index rebuild"):
            finds(retriever, 1)
        rebuild("rows", runtime)
        whole(runtime, FEW)


def test_another_dimension_is_refused(shop: Settings) -> None:
    embedder = HashingEmbedder()
    with Runtime(shop) as runtime:
        chunks = list(runtime.corpus.chunks("rows"))
        narrow = embedder.embed([chunk.embedded for chunk in chunks])[:, :8]
        generation = runtime.store.build("rows", embedder.identity, chunks, [narrow], lambda _: Tuning())
        runtime.corpus.use(runtime.corpus.collection("rows"), generation.id)
        with pytest.raises(StorageError, match="has 8 dimensions, the question 256"):
            finds(runtime.retriever("rows"), 1)
        rebuild("rows", runtime)
        whole(runtime, FEW)


def test_classes_of_others_are_let_be(place: str, tmp_path: Path) -> None:
    foreign = [f"Groundwire_{Address.parse(place).name}_rows_g{what}" for what in ("", "20200101t000000x00000000")]
    cluster = Cluster(Address.parse(place))
    for name in foreign:
        cluster.call(lambda client, name=name: client.collections.create(name))  # type: ignore[misc]
    with Runtime(filled(tmp_path, place, count=FEW)) as runtime:
        assert len(list(runtime.store.generations("rows"))) == 1
        whole(runtime, FEW)
    assert set(foreign) < set(cluster.call(lambda client: kept(client, place)))
    cluster.close()


def test_a_class_in_the_way_of_the_alias_is_named(place: str, tmp_path: Path) -> None:
    place = f"{place}&retry=3"
    name = f"Groundwire_{Address.parse(place).name}_rows"
    cluster = Cluster(Address.parse(place))
    cluster.call(lambda client: client.collections.create(name))
    with Runtime(settings(tmp_path, place)) as runtime:
        with pytest.raises(StorageError, match=name):
            ingest([rows(tmp_path, FEW)], "rows", runtime)
        whole(runtime, FEW)
        assert cluster.call(lambda client: client.collections.exists(name))
    cluster.close()


@pytest.mark.parametrize(("key", "said"), [(None, "is not set"), ("a-wrong-key", "is not accepted")], ids=["none", "wrong"])
def test_a_key_that_does_not_fit_is_named(
    key: str | None, said: str, guarded_weaviate: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, right = guarded_weaviate
    place = installation(place, f"key{len(said)}")
    monkeypatch.setenv(KEY, right)
    shop = filled(tmp_path, place, count=FEW)
    if key is None:
        monkeypatch.delenv(KEY)
    else:
        monkeypatch.setenv(KEY, key)
    with Runtime(shop) as runtime:
        acts: list[Callable[[], Any]] = [
            lambda: runtime.retriever("rows"),
            lambda: rebuild("rows", runtime),
            lambda: ingest([rows(tmp_path, FEW + 1)], "rows", runtime),
        ]
        for act in acts:
            with pytest.raises(ConfigurationError, match=f"{KEY} {said}") as told:
                act()
            assert right not in str(told.value)
            assert str(key) not in str(told.value)
    monkeypatch.setenv(KEY, right)
    with Runtime(shop) as runtime:
        whole(runtime, FEW)


def test_collections_and_installations_never_see_one_another(weaviate: str, tmp_path: Path) -> None:
    with own(weaviate) as mine, own(weaviate) as yours:
        for folder, place, collection, count in (("a", mine, "rows", 60), ("a", mine, "rows-2", 70), ("b", yours, "rows", 80)):
            (tmp_path / folder).mkdir(exist_ok=True)
            filled(tmp_path / folder, place, collection, count)
        with Runtime(settings(tmp_path / "a", mine)) as runtime:
            whole(runtime, 60)
            whole(runtime, 70, "rows-2")
            assert not finds_at_all(runtime, "rows", 65)
            there = [generation.id for generation in runtime.store.generations("rows")]
        with Runtime(settings(tmp_path / "b", yours)) as runtime:
            whole(runtime, 80)
            assert list(runtime.store.generations("rows-2")) == []
            with pytest.raises(GroundwireError, match="has no index"):
                runtime.store.drop("rows", there[0])
        other = open_store(mine)
        assert [generation.id for generation in other.generations("rows")] == there
        other.close()


def finds_at_all(runtime: Runtime, collection: str, number: int) -> list[Any]:
    return runtime.retriever(collection).index.lexical(f"number{number}", 10, {})
