"""A Weaviate cluster as if it were one server: its address, its connections, another node where one is gone.

Knows the client's transports, and which failures are worth another try. Knows nothing of what is kept there.
"""

import contextlib
import ipaddress
import os
import re
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, get_args
from urllib.parse import parse_qsl

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
_PLACE = re.compile(r"weaviate(\+https)?://([^/?#]*)/?([^?#]*)(?:\?([^#]*))?")
_HOST = re.compile(r"(\[([^\]]*)\]|[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*)(?::([0-9]{1,5}))?")
_NAME = re.compile(r"[a-z0-9]{1,32}")
_GONE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
_UNAUTHORISED = "extract auth: unauthorized"
"""What servers answer to a key that is not theirs, without the status that is meant for it."""
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
_PATIENCE = 6
"""Times as long is tried again what writes: nobody waits for it with a question, and what it would lose took long."""
_CERTIFICATES = "SSL_CERT_FILE"
"""The variable with the file of the authorities that are trusted, as other programs have it."""
_LONGEST_REASON = 300
"""Characters."""
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
    """Seconds to wait for a connection, and for a node to say that it is ready."""
    timeout: float = 5.0
    """Seconds to wait for the answer to a question."""
    retry: float = 10.0
    """Seconds from the beginning of a search in which it is tried again, on one node after another."""

    @property
    def patience(self) -> float:
        """Seconds in which what writes is tried again."""
        return _PATIENCE * self.retry


class UnavailableError(Exception):
    """A failure that is over once a node is back, or another has taken its place. `lasting` is what it was where it is not over."""

    def __init__(self, reason: str, lasting: GroundwireError | None = None) -> None:
        super().__init__(reason)
        self.lasting = lasting


def address(place: str) -> Address:
    """The address in a URL. Raises `ConfigurationError` that says what is wrong with it, without what may be a secret."""
    if "@" in place:
        raise ConfigurationError("GROUNDWIRE_INDEX has a user or a password in it", f"leave it out and set {KEY}")
    with _refused(place):
        parts = _PLACE.fullmatch(place)
        if not parts:
            raise ValueError("it is not of that form")
        secure, netloc, path, query = parts.groups(default="")
        asked = dict(parse_qsl(query, keep_blank_values=True))
        ports = asked.pop("grpc", "50051").split(",")
        hosts = netloc.split(",")
        name = path.rstrip("/") or "main"
        if len(ports) not in (1, len(hosts)):
            raise ValueError(f"it has {len(ports)} gRPC ports for {len(hosts)} hosts: give one for all, or one for each")
        nodes = [_node(host, port) for host, port in zip(hosts, ports * (len(hosts) // len(ports)), strict=True)]
        if not _NAME.fullmatch(name):
            raise ValueError(f"its name {name!r} is not 1 to 32 of a-z and 0-9")
        known = {"nodes": tuple(nodes), "secure": bool(secure), "name": name}
        return Address.model_validate(known | _settings(asked))


class Vouch(NamedTuple):
    """What is required of a node before it is asked about something of that name."""

    name: str
    require: Callable[[WeaviateClient], None]
    """Raises `UnavailableError` where another node should be asked."""


class Cluster:
    """Asks one node, and another where that is gone. Safe to call from several threads."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._nodes = [_Connection(node, address) for node in address.nodes]
        self._at = secrets.randbelow(len(self._nodes))
        self._failing: _Failing | None = None
        self._lock = threading.Lock()

    def ask(self, question: Callable[[WeaviateClient], Answer], vouch: Vouch | None = None, *, patient: bool = False) -> Answer:
        """What `question` returns, which may be asked more than once; of nodes only that `vouch` has let pass since they were doubted.

        Raises `StorageError` where no node answers within the retry window, or one refuses what is asked; `ConfigurationError` at once
        where the key is wrong. The window of who is `patient` is longer, and its own. All others share theirs: where questions have
        failed for as long already, each node is asked once more, and whoever waits is told.
        """
        began, pause = time.monotonic(), _FIRST_PAUSE
        window = self.address.patience if patient else self.address.retry
        unasked = set(range(len(self._nodes)))
        while True:
            at = self._at
            node = self._nodes[at]
            try:
                client = node.client()
                with _told(node.node):
                    if vouch is not None and vouch.name not in node.vouched:
                        vouch.require(client)
                        node.vouched.add(vouch.name)
                    answer = question(client)
                self._failing = None
                return answer
            except UnavailableError as error:
                node.doubt()
                unasked.discard(at)
                self._leave(at, unasked)
                since = began if patient else self._failing_since(began)
                if not unasked and time.monotonic() + pause > since + window:
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
        *,
        patient: bool = False,
    ) -> Answer:
        """As `ask`, of one collection at the consistency level of the address."""
        level = ConsistencyLevel[self.address.consistency.upper()]

        def there(client: WeaviateClient) -> "Collection[Any, Any]":
            return client.collections.use(name).with_consistency_level(level)

        required = Vouch(name, lambda client: vouch(there(client))) if vouch else None
        return self.ask(lambda client: question(there(client)), required, patient=patient)

    def close(self) -> None:
        """Whoever asks afterwards is refused."""
        for node in self._nodes:
            node.close()

    def _leave(self, at: int, unasked: set[int]) -> None:
        """For any other: were it the next one, all processes would come to ask the same node, as each is once away."""
        with self._lock:
            if self._at == at or (unasked and self._at not in unasked):
                others = unasked or set(range(len(self._nodes))) - {at} or {at}
                self._at = secrets.choice(sorted(others))

    def _failing_since(self, began: float) -> float:
        """When the first of the questions began that failed one after another, the last of which is one that began now."""
        with self._lock:
            before = self._failing
            follows = before is not None and began - before.last < self.address.retry
            since = min(before.since, began) if before and follows else began
            self._failing = _Failing(since, time.monotonic())
            return since


class _Failing(NamedTuple):
    """Times by `time.monotonic`, in seconds, of questions of which none was answered."""

    since: float
    """When the first of them began."""
    last: float
    """When the last of them failed."""


class _Connection:
    """To one node: made when it is first asked, and looked at again after a failure; gRPC itself reconnects."""

    def __init__(self, node: Node, address: Address) -> None:
        self.node = node
        self._address = address
        self._client: WeaviateClient | None = None
        self._trusted = self._closed = False
        self.vouched: set[str] = set()
        self._down_until, self._reason = 0.0, ""
        self._opening, self._handing = threading.Lock(), threading.Lock()

    def client(self) -> WeaviateClient:
        """Raises as `Cluster.ask`, and `UnavailableError` where the node does not answer."""
        client = self._client
        if client is not None and self._trusted:
            return client
        with self._opening:
            if self._closed:
                raise _closed()
            if time.monotonic() < self._down_until:
                raise UnavailableError(self._reason)
            try:
                with _told(self.node):
                    _greet(self.node, self._address)
                    client = self._client or _connected(self.node, self._address)
            except UnavailableError as error:
                self._down_until, self._reason = time.monotonic() + _DOWN, str(error)
                raise
            with self._handing:
                if self._closed:
                    client.close()
                    raise _closed()
                self._client, self._trusted = client, True
            return client

    def doubt(self) -> None:
        self._trusted = False
        self.vouched.clear()

    def close(self) -> None:
        """At once: a connection that is being made meanwhile is let go as soon as it is there."""
        with self._handing:
            client, self._client, self._closed = self._client, None, True
        if client is not None:
            client.close()


class _Promptly(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """Tells at once that a node is gone: the client would ask that one again for a minute, while others could answer."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def intercept_unary_unary(self, continuation: Callable[..., grpc.Call], details: object, request: object) -> grpc.Call:
        call = continuation(details, request)
        if call.code() in _GONE:
            raise UnavailableError(call.details() or call.code().name)
        if call.code() == grpc.StatusCode.UNAUTHENTICATED or _UNAUTHORISED in str(call.details()):
            raise _unauthorised(self._node)
        return call


class _Parameters(ConnectionParams):
    def _grpc_channel(self, *args: object, **options: object) -> grpc.Channel:
        channel = super()._grpc_channel(*args, **options)  # type: ignore[arg-type]
        return grpc.intercept_channel(channel, _Promptly(Node(self.http.host, self.http.port, self.grpc.port)))


def _connected(node: Node, address: Address) -> WeaviateClient:
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
        raise UnavailableError(f"{node.host}:{node.grpc}, for gRPC: {error}") from error
    key = os.environ.get(KEY)
    base = f"http{'s' if address.secure else ''}://{node}/v1"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(headers=headers, timeout=address.connect_timeout, trust_env=_authorities(address) is not None) as client:
        meta = client.get(f"{base}/meta")
        if meta.status_code in (401, 403):
            raise _unauthorised(node)
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
    """As the answer to `/v1/meta` has it, where it is such an answer."""
    try:
        said = meta.json()
    except ValueError:
        return None
    version = said.get("version") if isinstance(said, dict) else None
    found = re.match(r"\d+(\.\d+)+", version) if isinstance(version, str) else None
    return found[0] if found else None


def _authorities(address: Address) -> Path | None:
    """The file of authorities whose certificates are trusted instead of the public ones."""
    named = os.environ.get(_CERTIFICATES)
    if not address.secure or not named:
        return None
    try:
        ssl.create_default_context(cafile=named)
    except OSError as error:
        mend = "set it to a file of certificates in PEM, or not at all"
        raise ConfigurationError(f"{_CERTIFICATES} {named} cannot be used: {error}", mend) from error
    return Path(named)


@contextlib.contextmanager
def _told(node: Node) -> Iterator[None]:
    """Tell a failure of the client as one that passes (`UnavailableError`), or as what people can mend (`GroundwireError`)."""
    try:
        yield
    except (GroundwireError, UnavailableError):
        raise
    except (OSError, httpx.TransportError, WeaviateConnectionError, WeaviateTimeoutError, WeaviateStartUpError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            mend = f"set {_CERTIFICATES} to a file with the certificate of the authority that signed it"
            raise ConfigurationError(f"the certificate of Weaviate at {node} is not trusted ({error})", mend) from error
        raise UnavailableError(f"{node}: {error}") from error
    except WeaviateBaseError as error:
        reason = _reason(error)
        code = error.status_code if isinstance(error, UnexpectedStatusCodeError) else 0
        if code in (401, 403) or isinstance(error, InsufficientPermissionsError):
            raise _unauthorised(node) from error
        if code in (429, *range(500, 600)) or passing(reason):
            raise UnavailableError(reason) from error
        mend = "`rag index list` shows what is there, `rag index rebuild` makes it anew"
        raise StorageError(f"Weaviate at {node} refused ({reason})", mend) from error


def _reason(error: WeaviateBaseError) -> str:
    """What the server says, in one line: the client adds the whole call to some of it."""
    call = error.__context__
    said = (
        call.details() if isinstance(call, grpc.Call) else error.message if isinstance(error, WeaviateQueryError) else str(error)
    )
    return " ".join(str(said).split())[:_LONGEST_REASON]


def passing(reason: str) -> bool:
    """Whether what a server says is likely to be over soon."""
    return _PASSING.search(reason) is not None


def _unauthorised(node: Node) -> ConfigurationError:
    state = "is not accepted by" if os.environ.get(KEY) else "is not set, but asked for by"
    return ConfigurationError(f"{KEY} {state} Weaviate at {node}", f"set {KEY} to a key that may read and write there")


def _closed() -> StorageError:
    return StorageError("the connection to Weaviate was closed", "ask before the store is closed")


@contextlib.contextmanager
def _refused(place: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ConfigurationError(
            f"GROUNDWIRE_INDEX {place.partition('?')[0]} cannot be used: {error}", f"write it as {_FORM}"
        ) from error


def _node(host: str, grpc_port: str) -> Node:
    parts = _HOST.fullmatch(host)
    if not parts:
        raise ValueError("its hosts are not HOST or HOST:PORT, separated by commas")
    if parts[2] is not None:
        ipaddress.IPv6Address(parts[2])
    node = Node(parts[1], _port(parts[3] or "8080"), _port(grpc_port))
    if node.port == node.grpc:
        raise ValueError(f"{node.port} is its port for HTTP and for gRPC: Weaviate has two")
    return node


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
