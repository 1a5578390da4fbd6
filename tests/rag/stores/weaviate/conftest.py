"""A store in an installation of its own, and what people see there who look into Weaviate."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from weaviate import WeaviateClient

from rag.stores.base import Generation
from rag.stores.weaviate.address import Address, Node
from rag.stores.weaviate.cluster import Cluster
from rag.stores.weaviate.store import WeaviateStore
from tests.contracts.test_store import TEXTS, build, chunk
from tests.installations import own

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
    cluster = Cluster(Address.parse(place))
    yield cluster.call
    cluster.close()


@pytest.fixture
def prefix(place: str) -> str:
    return f"Groundwire_{Address.parse(place).name}_guide"


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


def down() -> Node:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as http, socket.create_server(("127.0.0.1", 0)) as grpc:
        return Node(host="127.0.0.1", port=http.getsockname()[1], grpc=grpc.getsockname()[1])
