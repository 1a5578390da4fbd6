"""The cluster: which node is asked, for how long, and what is told where none answers."""

import signal
import time
from contextlib import closing

import pytest

from rag.errors import StorageError
from rag.stores import open_store
from rag.stores.base import Generation
from rag.stores.weaviate.address import Address
from rag.stores.weaviate.cluster import Cluster
from rag.stores.weaviate.store import WeaviateStore
from tests.contracts.test_store import TEXTS, build, lexical
from tests.rag.stores.weaviate.conftest import ALL, down
from tests.servers.weaviate import installation, running


def test_a_server_that_is_down_is_told_when_it_is_asked() -> None:
    node = down()
    store = open_store(f"weaviate://{node}?grpc={node.grpc}&retry=0.3")
    started = time.monotonic()
    with pytest.raises(StorageError, match=rf"Weaviate at 127\.0\.0\.1:{node.port} does not answer.*refused.*GROUNDWIRE_INDEX"):
        list(store.generations("guide"))
    assert time.monotonic() - started < 5
    store.close()


def test_another_node_is_asked_where_one_is_down(place: str, generation: Generation) -> None:
    node = Address.parse(place).nodes[0]
    store = open_store(f"weaviate://{down()},{node}/{Address.parse(place).name}?grpc={node.grpc}")
    index = store.open("guide", generation.id)
    assert lexical(index, TEXTS[0], 1) == [0]
    store.close()


def test_a_node_that_does_not_answer_is_left_for_any_other(place: str) -> None:
    node = Address.parse(place).nodes[0]
    seen = set()
    for _ in range(20):
        with closing(Cluster(Address(nodes=(down(), node, node), secure=False))) as cluster:
            cluster._at = 0
            cluster.call(lambda client: client.collections.exists("Any"))
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
    waited = []
    for patient in (False, True):
        with closing(Cluster(Address(nodes=(down(),), secure=False, retry=0.5))) as cluster:
            began = time.monotonic()
            with pytest.raises(StorageError, match="does not answer"):
                cluster.call(lambda client: client.collections.exists("Any"), patient=patient)
            waited.append(time.monotonic() - began)
    assert waited[0] < 1.5 < waited[1]
