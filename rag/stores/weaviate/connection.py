"""The connection to one Weaviate node: opened at the first call, and checked again after a failure.

Knows the client's transports, its key and its certificates. Knows no other node, and nothing of what is stored there.
"""

import logging
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import grpc
import httpx
from weaviate import WeaviateClient
from weaviate.auth import Auth
from weaviate.classes.init import AdditionalConfig, Timeout
from weaviate.config import GrpcConfig
from weaviate.connect import ConnectionParams
from weaviate.connect.base import ProtocolParams

from rag.errors import ConfigurationError, StorageError
from rag.stores.weaviate.address import CERTIFICATES, KEY, Address, Node
from rag.stores.weaviate.failures import FailFast, UnavailableError, translated, unauthorised

OLDEST = (1, 32)
"""The first version with collection aliases."""
Result = TypeVar("Result")

_WRITING = 60.0
"""Seconds to wait for a write, during which vectors are indexed."""
_DOWN = 0.5
"""Seconds for which a node that could not be reached is not tried again, so that threads do not wait for it one after another."""
_CHANNEL = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]

# The client would log errors with the objects they concern; they are raised anyway.
logging.getLogger("weaviate-client").setLevel(logging.CRITICAL)


class Precondition(NamedTuple):
    """A check that a node must pass before operations on a collection; `name` identifies it."""

    name: str
    check: Callable[[WeaviateClient], None]
    """Raises `UnavailableError` if another node should be tried."""


class Connection:
    """Calls one node. Thread-safe. The node is trusted until a call fails; gRPC itself reconnects."""

    def __init__(self, node: Node, address: Address) -> None:
        self._node = node
        self._address = address
        self._client: WeaviateClient | None = None
        self._trusted = self._closed = False
        self._met: set[str] = set()
        self._down_until, self._reason = 0.0, ""
        self._opening, self._handing = threading.Lock(), threading.Lock()

    def call(self, operation: Callable[[WeaviateClient], Result], precondition: Precondition | None) -> Result:
        """Run `operation`. The precondition is checked unless it has been met since the last failure.

        Raises `UnavailableError` if another node should be tried, or this one later.
        """
        try:
            client = self._ready()
            with translated(self._node):
                if precondition is not None and precondition.name not in self._met:
                    precondition.check(client)
                    self._met.add(precondition.name)
                return operation(client)
        except UnavailableError:
            self._trusted = False
            self._met.clear()
            raise

    def close(self) -> None:
        """Close at once; a connection that another thread is opening meanwhile is closed as soon as it is open."""
        with self._handing:
            client, self._client, self._closed = self._client, None, True
        if client is not None:
            client.close()

    def _ready(self) -> WeaviateClient:
        client = self._client
        if client is not None and self._trusted:
            return client
        with self._opening:
            if self._closed:
                raise _closed()
            if time.monotonic() < self._down_until:
                raise UnavailableError(self._reason)
            try:
                with translated(self._node):
                    _check_ready(self._node, self._address)
                    client = self._client or _connect(self._node, self._address)
            except UnavailableError as error:
                self._down_until, self._reason = time.monotonic() + _DOWN, str(error)
                raise
            with self._handing:
                if self._closed:
                    client.close()
                    raise _closed()
                self._client, self._trusted = client, True
            return client


class _Parameters(ConnectionParams):
    def _grpc_channel(self, *args: object, **options: object) -> grpc.Channel:
        channel = super()._grpc_channel(*args, **options)  # type: ignore[arg-type]
        node = Node(host=self.http.host, port=self.http.port, grpc=self.grpc.port)
        return grpc.intercept_channel(channel, FailFast(node))


def _connect(node: Node, address: Address) -> WeaviateClient:
    key = os.environ.get(KEY)
    authorities = _authorities(address)
    roots = authorities.read_bytes() if authorities else None
    client = WeaviateClient(
        connection_params=_Parameters(
            http=ProtocolParams(host=node.host, port=node.port, secure=address.secure),
            grpc=ProtocolParams(host=node.host, port=node.grpc, secure=address.secure),
        ),
        auth_client_secret=Auth.api_key(key) if key else None,
        additional_config=AdditionalConfig(
            timeout=Timeout(init=address.connect_timeout, query=address.timeout, insert=_WRITING),
            grpc_config=GrpcConfig(channel_options=_CHANNEL, credentials=grpc.ssl_channel_credentials(roots) if roots else None),
            trust_env=authorities is not None,
        ),
        # These checks would ask a package registry for the newest client.
        skip_init_checks=True,
    )
    try:
        client.connect()
    except BaseException:
        client.close()
        raise
    return client


def _check_ready(node: Node, address: Address) -> None:
    """Raise unless both ports are open, and the node is ready, accepts the key and is new enough."""
    try:
        socket.create_connection((node.host.strip("[]"), node.grpc), address.connect_timeout).close()
    except OSError as error:
        raise UnavailableError(f"{node.host}:{node.grpc}, for gRPC: {error}") from error
    key = os.environ.get(KEY)
    base = f"http{'s' if address.secure else ''}://{node}/v1"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(headers=headers, timeout=address.connect_timeout, trust_env=_authorities(address) is not None) as client:
        meta = client.get(f"{base}/meta")
        if meta.status_code in (401, 403):
            raise unauthorised(node)
        if meta.status_code != 404 and not (meta.is_success and client.get(f"{base}/.well-known/ready").is_success):
            raise UnavailableError(f"{node} is not ready")
    version = _version(meta)
    if version is None:
        raise StorageError(f"what answers at {node} is no Weaviate", "set GROUNDWIRE_INDEX to where one listens for HTTP")
    if tuple(map(int, version.split(".")[:2])) < OLDEST:
        raise StorageError(
            f"Weaviate at {node} has version {version}",
            f"upgrade it to {OLDEST[0]}.{OLDEST[1]} or newer, which has collection aliases",
        )


def _version(meta: httpx.Response) -> str | None:
    """The version in an answer to `/v1/meta`; null if it is not one of Weaviate's."""
    try:
        body = meta.json()
    except ValueError:
        return None
    version = body.get("version") if isinstance(body, dict) else None
    found = re.match(r"\d+(\.\d+)+", version) if isinstance(version, str) else None
    return found[0] if found else None


def _authorities(address: Address) -> Path | None:
    """The file of authorities to trust instead of the public ones; null if none is set. Raises `ConfigurationError`."""
    named = os.environ.get(CERTIFICATES)
    if not address.secure or not named:
        return None
    try:
        ssl.create_default_context(cafile=named)
    except OSError as error:
        mend = "set it to a file of certificates in PEM, or not at all"
        raise ConfigurationError(f"{CERTIFICATES} {named} cannot be used: {error}", mend) from error
    return Path(named)


def _closed() -> StorageError:
    return StorageError("the connection to Weaviate was closed", "ask before the store is closed")
