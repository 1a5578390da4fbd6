"""Addresses: what a URL says, and how one that cannot be is told."""

import pytest

from rag.errors import ConfigurationError
from rag.stores import open_store
from rag.stores.weaviate.address import Address, Node


def node(host: str, port: int = 8080, grpc: int = 50_051) -> Node:
    return Node(host=host, port=port, grpc=grpc)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("weaviate://host", Address(nodes=(node("host"),), secure=False)),
        ("weaviate+https://host:443/shop", Address(nodes=(node("host", 443),), secure=True, name="shop")),
        (
            "weaviate://a:1,b/",
            Address(nodes=(node("a", 1), node("b")), secure=False),
        ),
        (
            "weaviate://a,b?grpc=7",
            Address(nodes=(node("a", grpc=7), node("b", grpc=7)), secure=False),
        ),
        (
            "weaviate://a,b?grpc=7,8",
            Address(nodes=(node("a", grpc=7), node("b", grpc=8)), secure=False),
        ),
        ("weaviate://[::1]:9?grpc=7", Address(nodes=(node("[::1]", 9, 7),), secure=False)),
        (
            "weaviate://a?replication=3&consistency=all&shards=2&connect_timeout=0.5&timeout=3&retry=0",
            Address(
                nodes=(node("a"),),
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
    assert Address.parse(place) == expected


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
        ("weaviate://a:7?grpc=7", "nodes.0: 7 is its port for HTTP and for gRPC"),
        ("weaviate://a:99999", "nodes.0.port: Input should be less than 65536"),
        ("weaviate://a:0", "nodes.0.port: Input should be greater than 0"),
        ("weaviate://a?grpc=", "nodes.0.grpc: Input should be a valid integer"),
        ("weaviate://a?grpc=1,2", "it has 2 gRPC ports for 1 hosts"),
        ("weaviate://a/Shop", "name: String should match pattern '^[a-z0-9]{1,32}$'"),
        ("weaviate://a/my_shop", "name: String should match pattern '^[a-z0-9]{1,32}$'"),
        ("weaviate://a/x/y", "name: String should match pattern '^[a-z0-9]{1,32}$'"),
        ("weaviate://a?replication=0", "replication: Input should be greater than or equal to 1"),
        ("weaviate://a?replication=many", "replication: Input should be a valid integer"),
        ("weaviate://a?consistency=most", "consistency: Input should be 'one', 'quorum' or 'all'"),
        ("weaviate://a?timeout=-1", "timeout: Input should be greater than or equal to 0"),
        ("weaviate://a?retry=inf", "retry: Input should be a finite number"),
        ("weaviate://a?secure=1", "secure: Extra inputs are not permitted"),
        ("weaviate://a?copies=3", "copies: Extra inputs are not permitted"),
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
