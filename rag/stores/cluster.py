"""A Weaviate cluster as if it were one server: its address, its connections, another node where one is gone.

Knows the client's transports, and which failures are worth another try. Knows nothing of what is kept there.
"""

import contextlib
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple, TypeVar, get_args
from urllib.parse import parse_qsl, urlsplit

import grpc
import httpx
from weaviate import WeaviateClient
from weaviate.auth import Auth
from weaviate.classes.config import ConsistencyLevel
from weaviate.classes.init import AdditionalConfig, Timeout
from weaviate.collections import Collection
from weaviate.config import GrpcConfig
from weaviate.connect import ConnectionParams
from weaviate.connect.base import ProtocolParams
from weaviate.exceptions import (
    InsufficientPermissionsError,
    UnexpectedStatusCodeError,
    WeaviateBaseError,
    WeaviateConnectionError,
    WeaviateQueryError,
    WeaviateStartUpError,
    WeaviateTimeoutError,
)

from rag.errors import ConfigurationError, GroundwireError, StorageError
from rag.types import Value

KEY = "WEAVIATE_API_KEY"
"""The variable with the API key: a URL is shown and logged, so it is never in there."""
OLDEST = (1, 32)
"""Collection aliases came with it."""
Consistency = Literal["one", "quorum", "all"]
Answer = TypeVar("Answer")

_FORM = "weaviate://HOST:PORT,HOST:PORT/NAME?grpc=PORT&replication=N"
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_NAME = re.compile(r"[a-z0-9]{1,32}")
_GONE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
_PASSING = re.compile(
    r"consistency level|enough replicas|connection re|no such host|broken pipe|\bEOF\b|time-?out|deadline exceeded|context canceled"
    r"|leader|unavailable|shutting down|shutdown|not ready|maintenance",
    re.IGNORECASE,
)
"""What a node says of itself or of another that is starting, stopping or gone."""
_WRITING = 60.0
"""Seconds to wait until something is written: vectors are indexed meanwhile."""
_DOWN = 0.5
"""Seconds for which a node that could not be reached is not tried, so that threads do not wait for it one after another."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_CHANNEL = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


class Node(NamedTuple):
    """Where one server listens."""

    host: str
    port: int
    grpc: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Address(Value):
    """Where a cluster is, and how it is used."""

    nodes: tuple[Node, ...]
    secure: bool
    name: str = "main"
    """The installation: several may share a cluster."""
    replication: int = 1
    """Copies of every chunk."""
    consistency: Consistency = "quorum"
    """How many of the copies must have answered."""
    shards: int = 1
    """Parts that a generation is divided into; BM25 counts words in each of its own."""
    connect_timeout: float = 2.0
    """Seconds."""
    timeout: float = 10.0
    """Seconds to wait for the answer to a question."""
    retry: float = 30.0
    """Seconds after a failure in which the same is tried again, on every node in turn."""


class PassingError(Exception):
    """A failure that is over once a node is back, or another has taken its place. `lasting` is what it was where it is not over."""

    def __init__(self, reason: str, lasting: GroundwireError | None = None) -> None:
        super().__init__(reason)
        self.lasting = lasting


def address(place: str) -> Address:
    """The address in a URL. Raises `ConfigurationError` that says what is wrong with it, without what may be a secret."""
    url = urlsplit(place)
    if "@" in place:
        raise ConfigurationError("GROUNDWIRE_INDEX has a user or a password in it", f"leave it out and set {KEY}")
    asked = dict(parse_qsl(url.query, keep_blank_values=True))
    ports = asked.pop("grpc", "50051").split(",")
    hosts = [_HOST.fullmatch(host) for host in url.netloc.split(",")]
    name = url.path.strip("/") or "main"
    with _refused(place):
        if len(ports) not in (1, len(hosts)):
            raise ValueError(f"it has {len(ports)} gRPC ports for {len(hosts)} hosts: give one for all, or one for each")
        if not all(hosts):
            raise ValueError("its hosts are not HOST or HOST:PORT, separated by commas")
        if not _NAME.fullmatch(name):
            raise ValueError(f"its name {name!r} is not 1 to 32 of a-z and 0-9")
        nodes = [
            Node(host[1], _port(host[2] or "8080"), _port(port))
            for host, port in zip(hosts, ports * (len(hosts) // len(ports)), strict=True)
            if host
        ]
        known = {"nodes": tuple(nodes), "secure": url.scheme.endswith("+https"), "name": name}
        return Address.model_validate(known | _settings(asked))


class Vouch(NamedTuple):
    """What is required of a node before it is asked about something of that name."""

    name: str
    require: Callable[[WeaviateClient], None]
    """Raises `PassingError` where another node should be asked."""


class Cluster:
    """Asks one node, and another where that is gone. Safe to call from several threads."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._nodes = [_Connection(node, address) for node in address.nodes]
        self._at = secrets.randbelow(len(self._nodes))
        self._moving = threading.Lock()

    def ask(self, question: Callable[[WeaviateClient], Answer], vouch: Vouch | None = None) -> Answer:
        """What `question` returns, which may be asked more than once; of nodes only that `vouch` has let pass since they were doubted.

        Raises `StorageError` where no node answers within the retry window, or one refuses what is asked; `ConfigurationError` at once
        where the key is wrong.
        """
        deadline, pause = None, _FIRST_PAUSE
        while True:
            at = self._at
            node = self._nodes[at]
            try:
                client = node.client()
                with _told(node.node):
                    if vouch is not None and vouch.name not in node.vouched:
                        vouch.require(client)
                        node.vouched.add(vouch.name)
                    return question(client)
            except PassingError as error:
                node.doubt()
                self._leave(at)
                deadline = deadline or time.monotonic() + self.address.retry
                if time.monotonic() + pause > deadline:
                    nodes = ", ".join(map(str, self.address.nodes))
                    raise error.lasting or StorageError(
                        f"Weaviate at {nodes} does not answer ({error})",
                        "start it, or set GROUNDWIRE_INDEX to where it listens (grpc= is its gRPC port)",
                    ) from error
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def within(
        self,
        name: str,
        question: Callable[["Collection[Any, Any]"], Answer],
        vouch: Callable[["Collection[Any, Any]"], None] | None = None,
    ) -> Answer:
        """As `ask`, of one collection at the consistency level of the address."""
        level = ConsistencyLevel[self.address.consistency.upper()]

        def there(client: WeaviateClient) -> "Collection[Any, Any]":
            return client.collections.use(name).with_consistency_level(level)

        required = Vouch(name, lambda client: vouch(there(client))) if vouch else None
        return self.ask(lambda client: question(there(client)), required)

    def close(self) -> None:
        """Whoever asks afterwards is refused."""
        for node in self._nodes:
            node.close()

    def _leave(self, at: int) -> None:
        with self._moving:
            if self._at == at:
                self._at = (at + 1) % len(self._nodes)


class _Connection:
    """To one node: made when it is first asked, and looked at again after a failure; gRPC itself reconnects."""

    def __init__(self, node: Node, address: Address) -> None:
        self.node = node
        self._address = address
        self._client: WeaviateClient | None = None
        self._trusted = self._closed = False
        self.vouched: set[str] = set()
        self._down_until, self._reason = 0.0, ""
        self._opening = threading.Lock()

    def client(self) -> WeaviateClient:
        """Raises as `Cluster.ask`, and `PassingError` where the node does not answer."""
        if self._client is not None and self._trusted:
            return self._client
        with self._opening:
            if self._closed:
                raise StorageError("the connection to Weaviate was closed", "ask before the store is closed")
            if time.monotonic() < self._down_until:
                raise PassingError(self._reason)
            try:
                with _told(self.node):
                    _greet(self.node, self._address)
                    self._client = self._client or _connected(self.node, self._address)
            except PassingError as error:
                self._down_until, self._reason = time.monotonic() + _DOWN, str(error)
                raise
            self._trusted = True
            return self._client

    def doubt(self) -> None:
        self._trusted = False
        self.vouched.clear()

    def close(self) -> None:
        with self._opening:
            self._closed = True
            if self._client is not None:
                self._client.close()
            self._client = None


class _Promptly(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """Tells at once that a node is gone: the client would ask that one again for a minute, while others could answer."""

    def intercept_unary_unary(self, continuation: Callable[..., grpc.Call], details: object, request: object) -> grpc.Call:
        call = continuation(details, request)
        if call.code() in _GONE:
            raise PassingError(call.details() or call.code().name)
        return call


class _Parameters(ConnectionParams):
    def _grpc_channel(self, *args: object, **options: object) -> grpc.Channel:
        channel = super()._grpc_channel(*args, **options)  # type: ignore[arg-type]
        return grpc.intercept_channel(channel, _Promptly())


def _connected(node: Node, address: Address) -> WeaviateClient:
    key = os.environ.get(KEY)
    client = WeaviateClient(
        connection_params=_Parameters(
            http=ProtocolParams(host=node.host, port=node.port, secure=address.secure),
            grpc=ProtocolParams(host=node.host, port=node.grpc, secure=address.secure),
        ),
        auth_client_secret=Auth.api_key(key) if key else None,
        additional_config=AdditionalConfig(
            timeout=Timeout(init=address.connect_timeout, query=address.timeout, insert=_WRITING),
            grpc_config=GrpcConfig(channel_options=_CHANNEL),
        ),
        # They ask a package registry for the newest client.
        skip_init_checks=True,
    )
    try:
        client.connect()
    except BaseException:
        client.close()
        raise
    return client


def _greet(node: Node, address: Address) -> None:
    """See that both ports are open, that the node is ready, that it takes the key and that it is new enough."""
    try:
        socket.create_connection((node.host.strip("[]"), node.grpc), address.connect_timeout).close()
    except OSError as error:
        raise PassingError(f"{node.host}:{node.grpc}, for gRPC: {error}") from error
    key = os.environ.get(KEY)
    base = f"http{'s' if address.secure else ''}://{node}/v1"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    timeout = httpx.Timeout(address.timeout, connect=address.connect_timeout)
    with httpx.Client(headers=headers, timeout=timeout, trust_env=False) as client:
        meta = client.get(f"{base}/meta")
        if meta.status_code in (401, 403):
            raise _unauthorised(node)
        if not meta.is_success or not client.get(f"{base}/.well-known/ready").is_success:
            raise PassingError(f"{node} is not ready")
    version = str(meta.json().get("version", "unknown"))
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < OLDEST:
        raise StorageError(
            f"Weaviate at {node} has version {version}",
            f"upgrade it to {OLDEST[0]}.{OLDEST[1]} or newer, which has collection aliases",
        )


@contextlib.contextmanager
def _told(node: Node) -> Iterator[None]:
    """Tell a failure of the client as one that passes (`PassingError`), or as what people can mend (`GroundwireError`)."""
    try:
        yield
    except (GroundwireError, PassingError):
        raise
    except (OSError, httpx.TransportError, WeaviateConnectionError, WeaviateTimeoutError, WeaviateStartUpError) as error:
        raise PassingError(f"{node}: {error}") from error
    except WeaviateBaseError as error:
        reason = error.message if isinstance(error, WeaviateQueryError) else str(error)
        code = error.status_code if isinstance(error, UnexpectedStatusCodeError) else 0
        if code in (401, 403) or isinstance(error, InsufficientPermissionsError):
            raise _unauthorised(node) from error
        if code in (429, *range(500, 600)) or passing(reason):
            raise PassingError(reason) from error
        mend = "`rag index list` shows what is there, `rag index rebuild` makes it anew"
        raise StorageError(f"Weaviate at {node} refused ({reason})", mend) from error


def passing(reason: str) -> bool:
    """Whether what a server says is likely to be over soon."""
    return _PASSING.search(reason) is not None


def _unauthorised(node: Node) -> ConfigurationError:
    state = "is not accepted by" if os.environ.get(KEY) else "is not set, but asked for by"
    return ConfigurationError(f"{KEY} {state} Weaviate at {node}", f"set {KEY} to a key that may read and write there")


@contextlib.contextmanager
def _refused(place: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ConfigurationError(
            f"GROUNDWIRE_INDEX {place.partition('?')[0]} cannot be used: {error}", f"write it as {_FORM}"
        ) from error


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise ValueError(f"{text!r} is no port")
    return int(text)


def _settings(asked: dict[str, str]) -> dict[str, object]:
    """The settings behind the `?`."""
    read: dict[str, Callable[[str], object]] = {
        "replication": _count,
        "consistency": _consistency,
        "shards": _count,
        "connect_timeout": _seconds,
        "timeout": _seconds,
        "retry": _seconds,
    }
    if unknown := asked.keys() - read.keys():
        raise ValueError(f"{min(unknown)!r} is not one of grpc, {', '.join(read)}")
    return {name: read[name](text) for name, text in asked.items()}


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{text!r} is not a number from 1 up")
    return int(text)


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise ValueError(f"{text!r} is not a number of seconds")
    return float(text)


def _consistency(text: str) -> str:
    if text not in get_args(Consistency):
        raise ValueError(f"consistency {text!r} is not one of {', '.join(get_args(Consistency))}")
    return text
