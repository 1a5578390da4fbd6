"""Connections: what is asked of a server before it is trusted, and when one is closed."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from rag.errors import ConfigurationError, StorageError
from rag.stores import open_store
from rag.stores.base import Generation
from rag.stores.weaviate.address import Address
from rag.stores.weaviate.store import WeaviateStore
from tests.contracts.test_store import TEXTS, build, dense, lexical
from tests.rag.stores.weaviate.conftest import ALL, down
from tests.servers.tls import certified, doors
from tests.servers.weaviate import installation


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


def test_only_certificates_of_authorities_that_are_trusted_are_taken(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, certificate = Address.parse(place).nodes[0], certified(tmp_path)
    with doors(certificate, node.port, node.grpc) as (http, grpc):
        place = f"weaviate+https://127.0.0.1:{http}/{Address.parse(place).name}?grpc={grpc}"
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


def test_a_wrong_port_for_grpc_is_named(weaviate: str) -> None:
    port = down().grpc
    node = Address.parse(weaviate).nodes[0]
    store = open_store(f"weaviate://{node}?grpc={port}&retry=0.3")
    with pytest.raises(StorageError, match=rf"{node.host}:{port}, for gRPC: .*refused"):
        list(store.generations("guide"))
    store.close()


def test_a_closed_store_asks_nobody(store: WeaviateStore, generation: Generation) -> None:
    index = store.open("guide", generation.id)
    store.close()
    with pytest.raises(StorageError, match="closed"):
        index.chunks([0])
    with pytest.raises(StorageError, match="closed"):
        list(store.generations("guide"))


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
