"""The Weaviate store's own promises: its address, what is sealed, what is published, and how faults are told."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pytest
from weaviate import WeaviateClient

from rag.errors import ConfigurationError, StorageError
from rag.process import HOST
from rag.stores import open_store
from rag.stores.base import Block, Generation, Index, Learnt
from rag.stores.cluster import Address, Cluster, Node, address
from rag.stores.weaviate import WeaviateStore
from tests.contracts.test_store import EMBEDDER, TEXTS, build, chunk, dense, lexical
from tests.installations import own
from tests.servers.tls import certified, doors
from tests.servers.weaviate import Cluster as Servers
from tests.servers.weaviate import installation, running

ROOT = Path(__file__).parents[3]
ALL = [chunk(position, text) for position, text in enumerate(TEXTS)]


@pytest.fixture
def place(weaviate: str) -> Iterator[str]:
    with own(weaviate, retry="2") as place:
        yield place


@pytest.fixture
def store(place: str) -> Iterator[WeaviateStore]:
    store = WeaviateStore(place)
    yield store
    store.close()


@pytest.fixture
def raw(place: str) -> Iterator[Callable[[Callable[[WeaviateClient], Any]], Any]]:
    """What people see who look into Weaviate."""
    cluster = Cluster(address(place))
    yield cluster.ask
    cluster.close()


@pytest.fixture
def prefix(place: str) -> str:
    return f"Groundwire_{address(place).name}_guide"


@pytest.fixture
def generation(store: WeaviateStore) -> Generation:
    return build(store, ALL)


@pytest.fixture
def kept(raw: Callable[..., Any], prefix: str, generation: Generation) -> str:
    """The collection that keeps the generation."""
    (name,) = collections(raw, prefix)
    return name


def collections(raw: Callable[..., Any], prefix: str) -> list[str]:
    return sorted(name for name in raw(lambda client: client.collections.list_all()) if name.startswith(prefix))


def described(raw: Callable[..., Any], name: str, description: str) -> None:
    raw(lambda client: client.collections.use(name).config.update(description=description))


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("weaviate://host", Address(nodes=(Node("host", 8080, 50051),), secure=False)),
        ("weaviate+https://host:443/shop", Address(nodes=(Node("host", 443, 50051),), secure=True, name="shop")),
        ("weaviate://a:1,b/", Address(nodes=(Node("a", 1, 50051), Node("b", 8080, 50051)), secure=False)),
        ("weaviate://a,b?grpc=7", Address(nodes=(Node("a", 8080, 7), Node("b", 8080, 7)), secure=False)),
        ("weaviate://a,b?grpc=7,8", Address(nodes=(Node("a", 8080, 7), Node("b", 8080, 8)), secure=False)),
        ("weaviate://[::1]:9?grpc=7", Address(nodes=(Node("[::1]", 9, 7),), secure=False)),
        (
            "weaviate://a?replication=3&consistency=all&shards=2&connect_timeout=0.5&timeout=3&retry=0",
            Address(
                nodes=(Node("a", 8080, 50051),),
                secure=False,
                replication=3,
                consistency="all",
                shards=2,
                connect_timeout=0.5,
                timeout=3,
                retry=0,
            ),
        ),
    ],
)
def test_an_address_is_read(place: str, expected: Address) -> None:
    assert address(place) == expected


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("weaviate://", "its hosts are not HOST"),
        ("weaviate://a,,b", "its hosts are not HOST"),
        ("weaviate://a:http", "its hosts are not HOST"),
        ("weaviate://a..b", "its hosts are not HOST"),
        (f"weaviate://{'a' * 64}", "its hosts are not HOST"),
        ("weaviate://[::1", "its hosts are not HOST"),
        ("weaviate://[zz]:1", "'zz'"),
        ("weaviate://a#b", "it is not of that form"),
        ("weaviate://a:7?grpc=7", "7 is its port for HTTP and for gRPC"),
        ("weaviate://a:99999", "'99999' is no port"),
        ("weaviate://a:0", "'0' is no port"),
        ("weaviate://a?grpc=", "'' is no port"),
        ("weaviate://a?grpc=1,2", "it has 2 gRPC ports for 1 hosts"),
        ("weaviate://a/Shop", "its name 'Shop' is not"),
        ("weaviate://a/my_shop", "its name 'my_shop' is not"),
        ("weaviate://a/x/y", "its name 'x/y' is not"),
        ("weaviate://a?replication=0", "'0' is not a number from 1 up"),
        ("weaviate://a?replication=many", "'many' is not a number from 1 up"),
        ("weaviate://a?consistency=most", "consistency 'most' is not one of one, quorum, all"),
        ("weaviate://a?timeout=-1", "'-1' is not a number of seconds"),
        ("weaviate://a?copies=3", "'copies' is not one of grpc, replication, consistency"),
    ],
)
def test_an_address_that_cannot_be_is_told(place: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match="GROUNDWIRE_INDEX weaviate://.* cannot be used") as told:
        open_store(place)
    assert problem in told.value.problem
    assert "weaviate://HOST:PORT" in told.value.mend


@pytest.mark.parametrize(
    "place",
    [
        "weaviate://me:s3cret@host",
        "weaviate://s3cret@host:1",
        "weaviate://me:a#s3cret@host",
        "weaviate://host?s3cret=s3cret@host",
    ],
)
def test_a_secret_has_no_place_in_an_address(place: str) -> None:
    with pytest.raises(ConfigurationError, match="set WEAVIATE_API_KEY") as told:
        open_store(place)
    assert "s3cret" not in str(told.value)


def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("rag.stores.weaviate", "rag.stores.cluster"):
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


def test_a_batch_that_is_written_again_is_there_once(store: WeaviateStore) -> None:
    def again(index: Index) -> Learnt:
        near = index.dense(EMBEDDER.embed([TEXTS[0]])[0], 6, {})
        block = Block(ALL, [each.model_dump_json() for each in ALL], EMBEDDER.embed([each.embedded for each in ALL]))
        store._insert(index._name, block, 0)  # type: ignore[attr-defined]
        assert index.dense(EMBEDDER.embed([TEXTS[0]])[0], 6, {}) == near
        assert sorted(lexical(index, "pump", 6)) == [0, 4]
        return Learnt()

    generation = build(store, ALL, learn=again)
    store.verify("guide", generation.id)


def test_an_unsealed_collection_is_no_generation(store: WeaviateStore, raw: Callable[..., Any], kept: str) -> None:
    whole = raw(lambda client: client.collections.use(kept).config.get()).description
    described(raw, kept, '{"layout": 1}')
    assert list(store.generations("guide")) == []
    with pytest.raises(StorageError, match="has no index"):
        store.open("guide", json.loads(whole)["generation"]["id"])


def ended() -> int:
    """The id of a process that is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("host", "process", "days", "stays"),
    [
        (HOST, ended, 0, False),
        (HOST, os.getppid, 1, True),
        (HOST, os.getppid, 8, False),
        (HOST, os.getpid, 0, False),
        (f"{HOST.rpartition('.')[0]}.00000000", ended, 1, True),
        (f"{HOST.rpartition('.')[0]}.00000000", ended, 8, False),
    ],
    ids=["gone", "alive", "another of the same id", "earlier process of the same id", "other container", "other, long ago"],
)
def test_what_killed_builds_left_is_swept(
    store: WeaviateStore,
    raw: Callable[..., Any],
    prefix: str,
    kept: str,
    host: str,
    process: Callable[[], int],
    days: int,
    stays: bool,
) -> None:
    since = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    builder = {"owner": f"{host}:{process()}:another", "since": since}
    described(raw, kept, json.dumps({"layout": 1, "builder": builder}))
    build(store, ALL)
    assert (kept in collections(raw, prefix)) == stays


@pytest.mark.parametrize("when", ["before it is written to", "before it is sealed"])
def test_what_is_removed_while_it_is_built_is_not_made_anew(
    store: WeaviateStore, raw: Callable[..., Any], prefix: str, when: str
) -> None:
    def removed(index: Index) -> Learnt:
        name = index._name  # type: ignore[attr-defined]
        raw(lambda client: client.collections.delete(name))
        if when == "before it is written to":
            store._insert(name, Block(ALL, [each.model_dump_json() for each in ALL], EMBEDDER.embed(TEXTS)), 0)
        else:
            raw(lambda client: client.collections.use(name).data.insert({"chunk": "{}"}, vector=[0.0] * 256))
        return Learnt()

    with pytest.raises(StorageError, match=f"{prefix}_g.* was removed from Weaviate while it was built"):
        build(store, ALL, learn=removed)
    assert collections(raw, prefix) == []


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


def test_vectors_that_are_not_indexed_yet_are_waited_for(weaviate_cluster: Servers) -> None:
    with own(weaviate_cluster.place, replication="3", consistency="all") as place, closing(Cluster(address(place))) as cluster:
        with closing(WeaviateStore(place)) as store:
            generation = build(store, ALL)
        (name,) = cluster.ask(lambda client: [each for each in client.collections.list_all() if address(place).name in each])
        moved = EMBEDDER.embed(["somewhere else"])[0]
        ready = WeaviateStore(f"{place}&retry=30")
        hasty = WeaviateStore(f"{place}&retry=0")
        cluster.within(name, lambda there: there.data.update(UUID(int=3), vector=moved.tolist()))
        with pytest.raises(StorageError, match=f"{generation.id} .* is not ready: its vectors are not all indexed yet: wait"):
            hasty.open("guide", generation.id)
        assert dense(ready.open("guide", generation.id), "somewhere else", 1) == [3]
        hasty.close()
        ready.close()


def test_what_is_being_built_is_not_swept(store: WeaviateStore) -> None:
    def meanwhile(_: Index) -> Learnt:
        build(store, ALL[:2])
        return Learnt()

    assert build(store, ALL, learn=meanwhile) in store.generations("guide")
    assert len(list(store.generations("guide"))) == 2


def test_collections_of_others_are_let_be(store: WeaviateStore, raw: Callable[..., Any], prefix: str) -> None:
    others = {
        f"{prefix}_gtheirs": None,
        f"{prefix}_gother": "not ours",
        f"{prefix}_gthird": '{"layout": 1}',
        f"{prefix}_gfourth": '{"layout": 1, "generation": {"id": "x"}}',
        f"{prefix}_gfifth": '{"layout": 1, "builder": {"owner": "a:b", "since": "2020-01-01T00:00:00Z"}}',
        f"{prefix}_gsixth": '{"layout": 1, "builder": {"owner": "a:1:b", "since": "2020-01-01T00:00:00"}}',
        prefix: "{}",
    }
    for name, description in others.items():
        raw(lambda client: client.collections.create(name, description=description))  # noqa: B023
    generation = build(store, ALL)
    assert list(store.generations("guide")) == [generation]
    assert set(others) < set(collections(raw, prefix))


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


@pytest.mark.parametrize(
    ("dimensions", "others"), [((256, 3, 256), ""), ((256, 3, 3), ", and 1 more"), ((3, 3, 3), ", and 2 more")]
)
def test_a_chunk_that_is_refused_is_named_and_not_tried_again(
    place: str, raw: Callable[..., Any], prefix: str, dimensions: tuple[int, ...], others: str
) -> None:
    store = WeaviateStore(place.replace("retry=2", "retry=100"))

    def refused(index: Index) -> Learnt:
        vectors: Any = [np.ones(count, np.float32) for count in dimensions]
        store._insert(index._name, Block(ALL[:3], TEXTS[:3], vectors), 10)  # type: ignore[attr-defined]
        return Learnt()

    first = dimensions.index(3)
    named = f"did not take chunk {ALL[first].id} of document {ALL[first].document_id}{others} "
    started = time.monotonic()
    with pytest.raises(StorageError, match=rf"{named}\([^\n]*length[^\n]*\): mend") as told:
        build(store, ALL, learn=refused)
    assert time.monotonic() - started < 50
    assert "\n" not in str(told.value)
    assert collections(raw, prefix) == []
    store.close()


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


def test_a_changed_chunk_is_found_by_verifying(
    store: WeaviateStore, raw: Callable[..., Any], kept: str, generation: Generation
) -> None:
    store.verify("guide", generation.id)
    other = ALL[1].model_copy(update={"text": "Der Behälter wird geleert."}).model_dump_json()
    raw(lambda client: client.collections.use(kept).data.update(UUID(int=1), properties={"chunk": other}))
    with pytest.raises(StorageError, match="is damaged"):
        store.verify("guide", generation.id)


def test_another_layout_is_told_and_can_be_dropped(
    store: WeaviateStore, raw: Callable[..., Any], kept: str, generation: Generation
) -> None:
    described(raw, kept, json.dumps({"layout": 2, "generation": {"id": generation.id, "new": "field"}}))
    assert list(store.generations("guide")) == []
    for act in (store.open, store.verify):
        with pytest.raises(StorageError, match=r"written by another version of Groundwire \(layout 2, this one reads 1\)"):
            act("guide", generation.id)
    store.drop("guide", generation.id)
    with pytest.raises(StorageError, match="has no index"):
        store.open("guide", generation.id)


def test_a_generation_that_was_dropped_is_told_to_who_searches_it(store: WeaviateStore, generation: Generation) -> None:
    index = store.open("guide", generation.id)
    store.drop("guide", generation.id)
    for search in (lambda: lexical(index, "pump"), lambda: dense(index, "pump"), lambda: index.chunks([0])):
        with pytest.raises(StorageError, match=r"refused.*could not find class.*rag index"):
            search()


def test_a_closed_store_asks_nobody(store: WeaviateStore, generation: Generation) -> None:
    index = store.open("guide", generation.id)
    store.close()
    with pytest.raises(StorageError, match="closed"):
        index.chunks([0])
    with pytest.raises(StorageError, match="closed"):
        list(store.generations("guide"))


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_a_server_that_is_down_is_told_when_it_is_asked() -> None:
    port = closed_port()
    store = open_store(f"weaviate://127.0.0.1:{port}?retry=0.3")
    started = time.monotonic()
    with pytest.raises(StorageError, match=rf"Weaviate at 127\.0\.0\.1:{port} does not answer.*refused.*GROUNDWIRE_INDEX"):
        list(store.generations("guide"))
    assert time.monotonic() - started < 5
    store.close()


def test_a_wrong_port_for_grpc_is_named(weaviate: str) -> None:
    port = closed_port()
    node = address(weaviate).nodes[0]
    store = open_store(f"weaviate://{node}?grpc={port}&retry=0.3")
    with pytest.raises(StorageError, match=rf"{node.host}:{port}, for gRPC: .*refused"):
        list(store.generations("guide"))
    store.close()


def test_another_node_is_asked_where_one_is_down(place: str, generation: Generation) -> None:
    node = address(place).nodes[0]
    store = open_store(f"weaviate://127.0.0.1:{closed_port()},{node}/{address(place).name}?grpc={node.grpc}")
    index = store.open("guide", generation.id)
    assert lexical(index, TEXTS[0], 1) == [0]
    store.close()


def test_a_key_is_asked_for_and_checked_at_once(guarded_weaviate: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    place, key = guarded_weaviate
    place = installation(place, "guarded", retry="100")
    for given, problem in ((None, "is not set, but asked for by"), ("wr0ng", "is not accepted by")):
        if given:
            monkeypatch.setenv("WEAVIATE_API_KEY", given)
        store = open_store(place)
        started = time.monotonic()
        with pytest.raises(ConfigurationError, match=f"WEAVIATE_API_KEY {problem} Weaviate at 127.0.0.1") as told:
            list(store.generations("guide"))
        assert time.monotonic() - started < 10
        assert "wr0ng" not in f"{told.value!r}{told.value.__cause__!r}"
        store.close()
    monkeypatch.setenv("WEAVIATE_API_KEY", key)
    store = open_store(place)
    generation = build(store, ALL)
    index = store.open("guide", generation.id)
    assert lexical(index, TEXTS[0], 1) == dense(index, TEXTS[0], 1) == [0]
    assert key not in repr(store) + repr(vars(store))
    store.drop("guide", generation.id)
    store.close()


def test_a_node_that_does_not_answer_is_left_for_any_other(place: str) -> None:
    node, down = address(place).nodes[0], Node("127.0.0.1", closed_port(), closed_port())
    seen = set()
    for _ in range(20):
        with closing(Cluster(Address(nodes=(down, node, node), secure=False))) as cluster:
            cluster._at = 0
            cluster.ask(lambda client: client.collections.exists("Any"))
            seen.add(cluster._at)
    assert seen == {1, 2}


def test_a_search_fails_after_one_window_and_the_next_at_once() -> None:
    def search() -> float:
        began = time.monotonic()
        with pytest.raises(StorageError, match="does not answer"):
            lexical(index, "pump")
        return time.monotonic() - began

    with running() as servers:
        store = WeaviateStore(installation(servers.place, "hanging", timeout="2", retry="4", connect_timeout="1"))
        index = store.open("guide", build(store, ALL).id)
        (server,) = servers.nodes
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)
        try:
            assert 2 < search() < 4 + 2 + 2
            assert max(search() for _ in range(3)) < 3
        finally:
            server.process.send_signal(signal.SIGCONT)
        servers.start()
        time.sleep(1)
        assert lexical(index, TEXTS[0], 1) == [0]
        store.close()


def test_who_writes_is_more_patient() -> None:
    node = Node("127.0.0.1", closed_port(), closed_port())
    waited = []
    for patient in (False, True):
        with closing(Cluster(Address(nodes=(node,), secure=False, retry=0.5))) as cluster:
            began = time.monotonic()
            with pytest.raises(StorageError, match="does not answer"):
                cluster.ask(lambda client: client.collections.exists("Any"), patient=patient)
            waited.append(time.monotonic() - began)
    assert waited[0] < 1.5 < waited[1]


def test_a_key_that_is_revoked_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(key="once") as servers:
        monkeypatch.setenv("WEAVIATE_API_KEY", "once")
        store = WeaviateStore(installation(servers.place, "revoked"))
        index = store.open("guide", build(store, ALL).id)
        servers.kill()
        servers.key = "another"
        servers.start()
        with pytest.raises(ConfigurationError, match="WEAVIATE_API_KEY is not accepted by Weaviate at 127.0.0.1"):
            lexical(index, "pump")
        store.close()


def test_only_certificates_of_authorities_that_are_trusted_are_taken(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, certificate = address(place).nodes[0], certified(tmp_path)
    with doors(certificate, node.port, node.grpc) as (http, grpc):
        place = f"weaviate+https://127.0.0.1:{http}/{address(place).name}?grpc={grpc}"
        began = time.monotonic()
        with closing(WeaviateStore(place)) as store, pytest.raises(ConfigurationError, match="not trusted .*set SSL_CERT_FILE"):
            list(store.generations("guide"))
        assert time.monotonic() - began < 5
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with closing(WeaviateStore(place)) as store:
            assert lexical(store.open("guide", build(store, ALL).id), TEXTS[0], 1) == [0]
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere"))
        with closing(WeaviateStore(place)) as store, pytest.raises(ConfigurationError, match="nowhere cannot be used"):
            list(store.generations("guide"))


def test_what_a_server_refuses_is_one_line(raw: Callable[..., Any]) -> None:
    with pytest.raises(StorageError, match="refused") as told:
        raw(lambda client: client.collections.use("Nowhere").aggregate.over_all(total_count=True))
    assert "Nowhere" in told.value.problem
    assert "\n" not in told.value.problem
    assert "Rpc" not in told.value.problem


def test_a_store_is_closed_at_once_while_a_node_is_awaited() -> None:
    errors = []

    def ask() -> None:
        with pytest.raises(StorageError, match="closed") as told:
            list(waiting.generations("guide"))
        errors.append(told.value)

    with socket.create_server(("127.0.0.1", 0)) as http, socket.create_server(("127.0.0.1", 0)) as grpc:
        ports = (http.getsockname()[1], grpc.getsockname()[1])
        waiting = open_store("weaviate://127.0.0.1:{}?grpc={}&connect_timeout=3".format(*ports))
        thread = threading.Thread(target=ask)
        thread.start()
        with http.accept()[0]:
            began = time.monotonic()
            waiting.close()
            took = time.monotonic() - began
            thread.join()
    assert took < 1
    assert len(errors) == 1


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    """The place of a server that has this for an answer to everything."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server, socket.create_server(("127.0.0.1", 0)) as grpc:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"weaviate://127.0.0.1:{server.server_port}?grpc={grpc.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"version": "1.31.22"}', r"has version 1\.31\.22: upgrade it to 1\.32 or newer"),
        (b"<html>", "is no Weaviate: set GROUNDWIRE_INDEX"),
        (b"[]", "is no Weaviate"),
        (b'{"version": null}', "is no Weaviate"),
    ],
    ids=["too old", "a page", "a list", "no version"],
)
def test_a_server_that_is_too_old_or_another_is_told_at_once(body: bytes, problem: str) -> None:
    with answering(body) as place, closing(WeaviateStore(place)) as store:
        began = time.monotonic()
        with pytest.raises(StorageError, match=problem):
            list(store.generations("guide"))
        assert time.monotonic() - began < 5


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
